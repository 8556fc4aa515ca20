"""Primitive nodes: each sets the widgets that it is linked to, within what they accept."""

from collections.abc import Callable, Mapping
from math import floor, inf, isfinite, log10
from typing import Any, Final, TypeAlias, TypeGuard

from comfytui.workflow.editor.input_definitions import MISSING, InputDefinition
from comfytui.workflow.editor.json_values import as_list
from comfytui.workflow.editor.nodes import EditorGraph, Kind, Node, Widget
from comfytui.workflow.nodes import is_number

Limits: TypeAlias = Mapping[str, Any]
"""The options of a number input: `min`, `max`, `step`, `round` and others."""

_REPLACES: Final = "Run widget replace on values"
"""The property of a primitive whose text has `%…%` to replace."""

_NOT_COMPARED: Final = frozenset(
    ("default", "forceInput", "defaultInput", "control_after_generate", "multiline", "tooltip", "dynamicPrompts")
)
"""Options that may differ between inputs whose limits are merged."""

_MAX_NUMBER: Final = 2.0**64
"""Numbers beyond this are left as they are."""

_SMALLEST: Final = 2.0**-52


def push_primitives(graph: EditorGraph, replace_text: Callable[[str], str]) -> None:
    """Set what the primitives of a graph feed.

    Args:
        graph: The graph.
        replace_text: Returns a text with its `%…%` replaced.
    """
    for node in graph.nodes.values():
        if node.kind is Kind.PRIMITIVE:
            _push(node, [*_fed_widgets(graph, node)], replace_text)


def _fed_widgets(graph: EditorGraph, primitive: Node) -> list[Widget]:
    return [
        node.widgets[slot.widget]
        for link in graph.links_from(primitive)
        for node, slot in graph.targets.get(link.id, ())
        if slot.widget is not None and slot.widget in node.widgets
    ]


def _push(primitive: Node, fed: list[Widget], replace_text: Callable[[str], str]) -> None:
    if not fed:
        return
    values = as_list(primitive.saved.values)
    value = values[0] if values else next((each.value for each in fed if each.value is not MISSING), MISSING)
    value = _within_common_limits(value, [widget.definition for widget in fed if widget.definition])
    if isinstance(value, str) and primitive.saved.properties.get(_REPLACES):
        value = replace_text(value)
    for widget in fed:
        if widget.definition and _can_round(value):
            widget.value = _rounded(value, widget.definition.widget_type, _shown_limits(widget.definition))
        else:
            widget.value = value


def _within_common_limits(value: object, fed: list[InputDefinition]) -> object:
    """Return a value within the limits that the inputs have in common, rounded as the editor does on loading."""
    kind = fed[0].widget_type if fed else ""
    if kind not in {"INT", "FLOAT"}:
        return value
    common: Limits = fed[0].options
    for each in fed:
        merged = _merged(common, each.options) if each.widget_type == kind else None
        if merged is not None and _can_round(value):
            common = merged
            clamped: float = min(max(value, common["min"]), common["max"])
            value = _rounded(clamped, kind, common)
    return value


def _merged(one: Limits, other: Limits) -> Limits | None:
    """Return the limits that two inputs have in common; None if they contradict each other."""
    low = max(_number(one, "min", -inf), _number(other, "min", -inf))
    high = min(_number(one, "max", inf), _number(other, "max", inf))
    if low > high:
        return None
    step = _least_multiple(_number(one, "step", 1), _number(other, "step", 1))
    shared = {"min": low, "max": high, "step": step}
    compared = (one.keys() | other.keys()) - shared.keys() - _NOT_COMPARED
    if any(one.get(key) != other.get(key) for key in compared):
        return None
    return {**one, **other, **shared}


def _shown_limits(definition: InputDefinition) -> Limits:
    """Return the limits of a widget, where the editor has some if the class declares none."""
    assumed = {"min": 0, "max": 2048, "step": 0.5} if definition.widget_type == "FLOAT" else {}
    declared = {key: value for key, value in definition.options.items() if value is not None}
    return {**assumed, **declared}


def _rounded(value: float, kind: str, limits: Limits) -> float:
    """Return a number as the widget of an input takes it."""
    if kind == "INT":
        step = _number(limits, "step", 1) or 1
        low, high = _number(limits, "min", -inf), _number(limits, "max", inf)
        return _to_multiple(min(max(value, low), high), step, low % step if isfinite(low) else 0)
    if kind != "FLOAT":
        return value
    step = _number(limits, "step", 0.5)
    digits = max(0, -floor(log10(step))) if step > 0 else 0
    unit = _number(limits, "round", 0) or (10.0**-digits if digits else 0)
    if unit <= 0 or not isfinite(value / unit):
        return value
    nearest = round(floor(value / unit + 0.5) * unit, digits)
    return min(max(nearest, _number(limits, "min", -inf)), _number(limits, "max", inf))


def _to_multiple(value: float, step: float, shift: float) -> float:
    """Return the nearest multiple of a step from a start; halves go up."""
    if isinstance(value, int) and step == 1:
        return value
    multiple = floor((value - shift) / step + 0.5) * step + shift
    return int(multiple) if multiple == int(multiple) else multiple


def _can_round(value: object) -> TypeGuard[float]:
    return is_number(value) and abs(value) <= _MAX_NUMBER


def _number(limits: Limits, key: str, default: float) -> float:
    value = limits.get(key)
    return value if is_number(value) and abs(value) <= _MAX_NUMBER else default


def _least_multiple(one: float, other: float) -> float:
    """Return the least common multiple of two steps, which may be fractions."""
    divisor, rest = abs(one), abs(other)
    while rest > _SMALLEST:
        divisor, rest = rest, divisor % rest
    return abs(one * other) / divisor if divisor else 0
