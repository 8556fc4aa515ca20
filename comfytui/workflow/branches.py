"""The branches of dynamic combos: choices that decide which further inputs their node has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfytui.workflow.declared_inputs import declared_inputs
from comfytui.workflow.field_keys import FieldValue
from comfytui.workflow.node_inputs import set_value
from comfytui.workflow.nodes import Slot
from comfytui.workflow.spec_reading import read_spec


@dataclass(frozen=True, slots=True)
class Branches:
    """The choices of a graph that were changed, and so the inputs that they decide about."""

    object_info: Mapping[str, Any]
    changed: frozenset[tuple[str, str]] = frozenset()
    """The ids of the nodes and the names of the inputs."""

    def choose(self, graph: Mapping[str, Any], slot: Slot, value: FieldValue) -> tuple[Mapping[str, Any], "Branches"]:
        """Return a graph with another choice and the inputs that it brings; with a value that is none, the same graph.

        Args:
            graph: The graph. It is not modified; the copy shares its unchanged nodes.
            slot: The input.
            value: The value.
        """
        inputs = graph[slot.node_id]["inputs"]
        if slot.member or inputs.get(slot.input_name) == value or slot.class_type not in self.object_info:
            return graph, self
        spec = read_spec(declared_inputs(self.object_info, slot.class_type, inputs).get(slot.input_name))
        if spec is None or not spec.is_dynamic:
            return graph, self
        changed = self.changed | {(slot.node_id, slot.input_name)}
        return set_value(graph, self.object_info, slot, value), Branches(self.object_info, changed)

    def accept(self, graph: Mapping[str, Any], slot: Slot, value: FieldValue) -> bool:
        """Return whether an input takes a value: after another choice, it may be gone or have other choices itself.

        Args:
            graph: The graph with the choices.
            slot: The input.
            value: The value.
        """
        prefixes = (f"{name}." for node_id, name in self.changed if node_id == slot.node_id)
        if not any(slot.input_name.startswith(prefix) for prefix in prefixes):
            return True
        inputs = graph[slot.node_id]["inputs"]
        spec = read_spec(declared_inputs(self.object_info, slot.class_type, inputs).get(slot.input_name))
        return slot.input_name in inputs and (spec is None or not spec.excludes(value))
