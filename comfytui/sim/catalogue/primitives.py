"""Node types that hold a value, which links pass on."""

from comfytui.sim.catalogue.node_types import InputSpec, NodeType

MAX_INTEGER = 2**63 - 1


def nodes() -> list[NodeType]:
    """Return the nodes."""
    number = {"min": -MAX_INTEGER, "max": MAX_INTEGER, "control_after_generate": "fixed"}
    text: InputSpec = ("STRING", {"multiline": True})
    text_aliases = ("text", "string", "text multiline", "string multiline", "text box", "prompt")
    return [
        _primitive("PrimitiveInt", "Int", ("INT", number)),
        _primitive("PrimitiveStringMultiline", "Text (Multiline)", text, text_aliases, "Basics"),
    ]


def _primitive(
    name: str, display: str, value: InputSpec, aliases: tuple[str, ...] = (), essentials: str | None = None
) -> NodeType:
    return NodeType(
        name,
        display,
        "utilities/primitive",
        (value[0],),
        {"value": value},
        aliases=aliases,
        essentials=essentials,
        module="comfy_extras.nodes_primitive",
        modern=True,
    )
