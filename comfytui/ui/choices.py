"""What the server offers for the form's fields: ranges and names from the definitions of the graph's nodes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfytui.workflow.fields import Key
from comfytui.workflow.graph import Workflow
from comfytui.workflow.specs import Spec, narrowest, spec_of

if TYPE_CHECKING:
    from comfytui.comfy.client import ComfyClient


async def specs_from(client: "ComfyClient", workflow: Workflow) -> Mapping[Key, Spec]:
    """A spec for each field whose node the server knows; one request for each class of node."""
    definitions: dict[str, Mapping[str, Any]] = {}
    for class_type in dict.fromkeys(slot.class_type for slots in workflow.fields.values() for slot in slots):
        definitions[class_type] = await client.object_info(class_type)
    specs: dict[Key, Spec] = {}
    for key, slots in workflow.fields.items():
        known = [spec for slot in slots if (spec := spec_of(definitions[slot.class_type], slot))]
        if known:
            specs[key] = narrowest(known)
    return specs
