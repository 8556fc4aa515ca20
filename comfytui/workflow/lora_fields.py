"""The LoRAs of a graph, as rows of a name, a switch and strengths; and graphs without those that are switched off."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from comfytui.workflow.field_keys import Field
from comfytui.workflow.nodes import NODE_SWITCH, Node, Nodes, Slot, is_number, is_text, topological_order
from comfytui.workflow.value_slots import slot_of

MAX_LORAS: Final = 64
"""LoRAs of one graph that are fields."""

LORA_FIELDS: Final = (Field.LORA, Field.LORA_ON, Field.LORA_STRENGTH, Field.LORA_CLIP_STRENGTH)
"""The fields of a LoRA."""

LoraRow: TypeAlias = Mapping[Field, Slot]
"""The slots of one LoRA; those that its node does not have are missing."""

PASSED_INPUTS: Final = ("model", "clip")
"""What a LoRA loader passes on: the input of each output by its index."""

_MODEL_STRENGTHS = ("strength_model", "model_strength", "strength", "lora_strength")
_CLIP_STRENGTHS = ("strength_clip", "clip_strength")
_match_numbered = re.compile(r"lora(?:_name)?_(\d+)").fullmatch
_STACK_STRENGTHS = ("strength_{}", "lora_wt_{}", "model_weight_{}", "model_str_{}", "strength_model_{}")
_STACK_CLIP_STRENGTHS = ("clip_weight_{}", "clip_str_{}", "strength_clip_{}")
_MEMBERS = (
    (Field.LORA_ON, "on", bool),
    (Field.LORA_STRENGTH, "strength", int | float),
    (Field.LORA_CLIP_STRENGTH, "strengthTwo", int | float),
)


def lora_rows(nodes: Nodes) -> list[LoraRow]:
    """Return the LoRAs that are used, in the order in which they are applied."""
    used = {source for node in nodes.values() for source in node.links.values()}
    rows = (row for node in topological_order(nodes) if node.id in used for row in _rows_of(nodes, node))
    return [row for _, row in zip(range(MAX_LORAS), rows, strict=False)]


def without_nodes(graph: Mapping[str, Any], bypassed: list[Slot]) -> Mapping[str, Any]:
    """Return a copy of a graph without some LoRA loaders, as the editor bypasses them.

    What used their model or CLIP uses the one that they were given.

    Args:
        graph: The graph. It is not modified; the copy shares its unchanged nodes.
        bypassed: Slots of the loaders.
    """
    left = dict(graph)
    for slot in bypassed:
        loader = left.pop(slot.node_id, None)
        if loader is None:
            continue
        sources = [loader["inputs"].get(name) for name in PASSED_INPUTS]
        for node_id, node in left.items():
            inputs = {name: _passed(value, slot.node_id, sources) for name, value in node["inputs"].items()}
            if inputs != node["inputs"]:
                left[node_id] = {**node, "inputs": inputs}
    return left


def _passed(value: object, loader: str, sources: list[Any]) -> object:
    """Return an input's value: a link to an output of the loader becomes the link that the loader was given."""
    match value:
        case [str() as source, int() as output] if source == loader and 0 <= output < len(sources):
            return sources[output]
        case _:
            return value


def _rows_of(nodes: Nodes, node: Node) -> Iterator[LoraRow]:
    if name := slot_of(nodes, node, ("lora_name", "lora"), is_text):
        row = {Field.LORA: name, Field.LORA_ON: _switch(nodes, node)}
        row[Field.LORA_STRENGTH] = slot_of(nodes, node, _MODEL_STRENGTHS, is_number)
        row[Field.LORA_CLIP_STRENGTH] = slot_of(nodes, node, _CLIP_STRENGTHS, is_number)
        yield {field: slot for field, slot in row.items() if slot}
        return
    count = node.inputs.get("lora_count")
    for input_name, value in node.inputs.items():
        number = _match_numbered(input_name.lower())
        if isinstance(value, Mapping) and number:
            yield from _object_row(node, input_name, value)
        elif number and is_text(value) and not (is_number(count) and int(number[1]) > count):
            yield _stack_row(nodes, node, input_name, number[1])


def _switch(nodes: Nodes, node: Node) -> Slot | None:
    """Return the slot that switches a loader, if each of its used outputs has an input that it passes on."""
    passed = [name in node.links for name in PASSED_INPUTS]
    outputs = {
        value[1]
        for other in nodes.values()
        for name, source in other.links.items()
        if source == node.id and isinstance(value := other.inputs[name], list)
    }
    can_pass = all(output in {0, 1} and passed[int(output)] for output in outputs)
    return Slot(node.id, NODE_SWITCH, node.class_type) if can_pass else None


def _object_row(node: Node, input_name: str, value: Mapping[str, Any]) -> Iterator[LoraRow]:
    """Yield the row of an input that holds a LoRA as an object, as in rgthree's Power Lora Loader."""
    if is_text(value.get("lora")):
        row = {Field.LORA: Slot(node.id, input_name, node.class_type, "lora")}
        for field, member, kind in _MEMBERS:
            own = value.get(member)
            if isinstance(own, kind) and isinstance(own, bool) is (kind is bool):
                row[field] = Slot(node.id, input_name, node.class_type, member)
        yield row


def _stack_row(nodes: Nodes, node: Node, input_name: str, number: str) -> LoraRow:
    """Return the row of one LoRA of a node with several, whose inputs are numbered."""
    strengths = [name.format(number) for name in _STACK_STRENGTHS]
    clip_strengths = [name.format(number) for name in _STACK_CLIP_STRENGTHS]
    row = {
        Field.LORA: Slot(node.id, input_name, node.class_type),
        Field.LORA_STRENGTH: slot_of(nodes, node, strengths, is_number),
        Field.LORA_CLIP_STRENGTH: slot_of(nodes, node, clip_strengths, is_number),
    }
    return {field: slot for field, slot in row.items() if slot}
