"""What the server offers for the form's fields: ranges and names from the definitions of the graph's nodes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Workflow
from comfytui.workflow.specs import Spec, spec_of

if TYPE_CHECKING:
    from comfytui.comfy.client import ComfyClient


async def specs_from(client: "ComfyClient", workflow: Workflow) -> Mapping[Field, Spec]:
    """A spec for each field whose node the server knows; one request for each class of node."""
    definitions: dict[str, Mapping[str, Any]] = {}
    for slots in workflow.fields.values():
        class_type = slots[0].class_type
        if class_type not in definitions:
            definitions[class_type] = await client.object_info(class_type)
    specs = {field: spec_of(definitions[slots[0].class_type], slots[0]) for field, slots in workflow.fields.items()}
    return {field: spec for field, spec in specs.items() if spec is not None}
