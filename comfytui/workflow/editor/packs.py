"""Which pack of custom nodes a node comes from, by what the editor saved with it."""

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.json_values import as_text
from comfytui.workflow.editor.nodes import Node

_CORE = "comfy-core"


def pack_of(node: Node) -> str | None:
    """Return the name of the pack with its version, or None if the file does not say or it is ComfyUI itself."""
    name, version, repository = (as_text(node.saved.properties.get(key)) for key in ("cnr_id", "ver", "aux_id"))
    if name and name != _CORE:
        return f"{sanitize(name, 80)} {sanitize(version, 40)}" if version else sanitize(name, 80)
    return f"{sanitize(repository, 120)} on GitHub" if repository and not name else None


def is_of_core(node: Node) -> bool:
    """Whether the file says that the node is ComfyUI's own."""
    return node.saved.properties.get("cnr_id") == _CORE
