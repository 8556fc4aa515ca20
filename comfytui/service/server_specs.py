"""Reads from the server what the fields of a workflow accept."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from comfytui.service.class_definitions import definitions_for
from comfytui.workflow.declared_inputs import declared_inputs
from comfytui.workflow.field_keys import FieldKey, is_node_key
from comfytui.workflow.graph import Workflow, slot_of_key
from comfytui.workflow.input_specs import InputSpec, input_spec_of, intersect_specs
from comfytui.workflow.nodes import Slot
from comfytui.workflow.spec_reading import read_spec

if TYPE_CHECKING:
    from comfytui.service.backend import Backend


async def fetch_specs(
    backend: "Backend", workflow: Workflow, given: Mapping[FieldKey, object] = MappingProxyType({})
) -> Mapping[FieldKey, InputSpec]:
    """Read the spec of each field whose node the server knows, with one request for each class of node.

    Args:
        backend: The server.
        workflow: The workflow.
        given: Values by their keys; the specs of inputs of nodes among them are read as well.

    Raises:
        ComfyError: A request failed.
    """
    inputs = {key: slot for key in given if is_node_key(key) and (slot := slot_of_key(workflow.graph, key))}
    used = [*(slot for slots in workflow.fields.values() for slot in slots), *inputs.values()]
    definitions = await definitions_for(backend, (slot.class_type for slot in used))
    specs: dict[FieldKey, InputSpec] = {}
    for key, slots in workflow.fields.items():
        known = [spec for slot in slots if (spec := input_spec_of(definitions, slot, _inputs(workflow, slot)))]
        if known:
            specs[key] = intersect_specs(known)
    chosen = {(slot.node_id, slot.input_name): given[key] for key, slot in inputs.items()}
    for key, slot in inputs.items():
        own = {name: value for (node_id, name), value in chosen.items() if node_id == slot.node_id}
        declared = declared_inputs(definitions, slot.class_type, {**_inputs(workflow, slot), **own})
        if spec := read_spec(declared.get(slot.input_name)):
            specs[key] = spec
    return specs


def _inputs(workflow: Workflow, slot: Slot) -> Mapping[str, Any]:
    inputs: Mapping[str, Any] = workflow.graph[slot.node_id]["inputs"]
    return inputs
