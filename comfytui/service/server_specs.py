"""Reads from the server what the fields of a workflow accept."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from comfytui.service.definitions import definitions_for
from comfytui.workflow.fields import FieldKey
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec, input_spec_of, intersect_specs

if TYPE_CHECKING:
    from comfytui.service.backend import Backend


async def fetch_specs(backend: "Backend", workflow: Workflow) -> Mapping[FieldKey, InputSpec]:
    """Read the spec of each field whose node the server knows, with one request for each class of node.

    Raises:
        ComfyError: A request failed.
    """
    definitions = await definitions_for(
        backend, (slot.class_type for slots in workflow.fields.values() for slot in slots)
    )
    specs: dict[FieldKey, InputSpec] = {}
    for key, slots in workflow.fields.items():
        known = [spec for slot in slots if (spec := input_spec_of(definitions, slot))]
        if known:
            specs[key] = intersect_specs(known)
    return specs
