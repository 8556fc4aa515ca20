"""Reads from the server what the fields of a workflow accept."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfytui.workflow.fields import FieldKey
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec, input_spec_of, intersect_specs

if TYPE_CHECKING:
    from comfytui.service.backend import Backend

CONCURRENT_REQUESTS = 4
"""Classes of nodes that are requested at the same time."""


async def fetch_specs(backend: "Backend", workflow: Workflow) -> Mapping[FieldKey, InputSpec]:
    """Read the spec of each field whose node the server knows, with one request for each class of node.

    Raises:
        ComfyError: A request failed.
    """
    free = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def definition_of(class_type: str) -> Mapping[str, Any]:
        async with free:
            return await backend.object_info(class_type)

    class_types = dict.fromkeys(slot.class_type for slots in workflow.fields.values() for slot in slots)
    requests = {each: asyncio.ensure_future(definition_of(each)) for each in class_types}
    try:
        await asyncio.gather(*requests.values())
    finally:
        # After one has failed, the others would go on, beyond the backend's end.
        for request in requests.values():
            request.cancel()
        await asyncio.gather(*requests.values(), return_exceptions=True)
    definitions = {each: request.result() for each, request in requests.items()}
    specs: dict[FieldKey, InputSpec] = {}
    for key, slots in workflow.fields.items():
        known = [spec for slot in slots if (spec := input_spec_of(definitions[slot.class_type], slot))]
        if known:
            specs[key] = intersect_specs(known)
    return specs
