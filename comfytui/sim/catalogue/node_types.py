"""Description of node types: their inputs and outputs, as `/object_info` reports them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_SEED = 2**64 - 1
MAX_RESOLUTION = 16384
"""Pixels per edge."""

InputSpec = tuple[Any, ...]
"""`(type,)` or `(type, options)`; a type is a name, or the list of choices of a combo."""


@dataclass(frozen=True, slots=True)
class NodeType:
    """One node type; `modern` ones are described in ComfyUI's newer (v3) schema."""

    name: str
    display: str | None
    category: str
    outputs: tuple[str, ...]
    required: Mapping[str, InputSpec] = field(default_factory=dict)
    optional: Mapping[str, InputSpec] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    output_names: tuple[str, ...] = ()
    output_tooltips: tuple[str, ...] = ()
    description: str = ""
    aliases: tuple[str, ...] = ()
    essentials: str | None = None
    module: str = "nodes"
    is_output: bool = False
    modern: bool = False
    file_input: str | None = None
    """The input that names an uploaded file; validated by the file's existence, not by the list of choices."""

    @property
    def inputs(self) -> dict[str, tuple[Any, dict[str, Any], bool]]:
        """`(type, options, required)` of each input, in the node's own order."""
        return {
            name: (spec[0], spec[1] if len(spec) > 1 else {}, needed)
            for group, needed in ((self.required, True), (self.optional, False))
            for name, spec in group.items()
        }

    def info(self) -> dict[str, Any]:
        """Return the node's entry in `/object_info`."""
        groups = {"required": self.required, "optional": self.optional, "hidden": self.hidden}
        present = {group: dict(inputs) for group, inputs in groups.items() if inputs}
        info: dict[str, Any] = {
            "input": present or {"required": {}},
            "input_order": {group: list(inputs) for group, inputs in present.items()} or {"required": []},
            "is_input_list": False,
            "output": self.outputs,
            "output_is_list": [False] * len(self.outputs),
            "output_name": self.output_names or self.outputs,
            "name": self.name,
            "display_name": self.display,
            "description": self.description,
            "python_module": self.module,
            "category": self.category,
            "output_node": self.is_output,
            "has_intermediate_output": False,
        }
        if self.output_tooltips:
            info["output_tooltips"] = self.output_tooltips
        info |= self._modern_fields() if self.modern else {}
        info["search_aliases"] = self.aliases or (None if self.modern else ())
        if self.essentials is not None or self.modern:
            info["essentials_category"] = self.essentials
        return info

    def _modern_fields(self) -> dict[str, Any]:
        flags = dict.fromkeys(("deprecated", "experimental", "dev_only", "api_node"), False)
        tooltips = [None] * len(self.outputs)
        return {"output_tooltips": tooltips, **flags, "output_matchtypes": None, "price_badge": None}


def integer(default: int, low: int, high: int, **options: Any) -> InputSpec:
    """Describe an INT input."""
    return ("INT", {"default": default, "min": low, "max": high, **options})


def decimal(default: float, low: float, high: float, step: float, **options: Any) -> InputSpec:
    """Describe a FLOAT input."""
    return ("FLOAT", {"default": default, "min": low, "max": high, "step": step, **options})


def choice(options: tuple[str, ...], tooltip: str | None = None) -> InputSpec:
    """Describe a combo in the older schema: the type *is* the list."""
    return (list(options),) if tooltip is None else (list(options), {"tooltip": tooltip})


def modern_choice(options: tuple[str, ...]) -> InputSpec:
    """Describe a combo in the newer schema: the list is an option of the type COMBO."""
    return ("COMBO", {"multiselect": False, "options": list(options)})


def tip(type_: str, tooltip: str) -> InputSpec:
    """Describe a linked input whose only option is a tooltip."""
    return (type_, {"tooltip": tooltip})
