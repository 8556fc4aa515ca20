"""The widgets that a node of a graph has by the server's definition of its class, and by its choices."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from comfytui.workflow.editor.dynamic_inputs import branch_inputs
from comfytui.workflow.editor.input_definitions import ClassDefinitions, InputDefinition, read_inputs
from comfytui.workflow.editor.json_values import as_mapping
from comfytui.workflow.input_types import AUTOGROW, DYNAMIC_COMBO

MAX_BRANCH_DEPTH: Final = 16
"""Levels of choices within choices that are read."""

Declared: TypeAlias = Mapping[str, InputDefinition]
"""The definitions of widgets by the names that their inputs have in a graph."""


def declared_inputs(object_info: Mapping[str, Any], class_type: str, values: Mapping[str, Any]) -> Declared:
    """Return the definitions of a node's widgets, in the editor's order.

    Args:
        object_info: The server's response to `/object_info`.
        class_type: The class of the node.
        values: The node's inputs, whose choices decide which inputs a dynamic combo adds.
    """
    definition = ClassDefinitions(object_info).get(class_type)
    return {each.name: each for each in _widgets(definition.inputs, values)} if definition else {}


def inputs_behind(combo: InputDefinition, values: Mapping[str, Any]) -> Declared:
    """Return the definitions of the widgets that a dynamic combo adds.

    Args:
        combo: The definition of the combo, named as in the graph.
        values: The node's inputs, with the choices of the combo and of those within it.
    """
    return {each.name: each for each in _widgets(branch_inputs(combo, values.get(combo.name)), values)}


def _widgets(
    inputs: Iterable[InputDefinition], values: Mapping[str, Any], depth: int = MAX_BRANCH_DEPTH
) -> Iterator[InputDefinition]:
    for each in inputs:
        if each.type == AUTOGROW:
            yield from _grown(each, values)
        elif each.is_widget:
            yield each
            if each.type == DYNAMIC_COMBO and depth:
                yield from _widgets(branch_inputs(each, values.get(each.name)), values, depth - 1)


def _grown(group: InputDefinition, values: Mapping[str, Any]) -> Iterator[InputDefinition]:
    """Yield the widgets among the inputs that a growing group has in a graph."""
    inputs = read_inputs(as_mapping(group.options.get("template")).get("input"))
    for name in values:
        if name.startswith(f"{group.name}."):
            own = name.removeprefix(f"{group.name}.")
            row = next((each for each in inputs if own.startswith(each.name)), inputs[0] if inputs else None)
            if row and row.is_widget:
                yield replace(row, name=name)
