"""What the prompt form asks for, and the sentences about it; no widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comfytui.workflow.fields import Field, Key, Value
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec, fallback, input_spec_of, narrowest
from comfytui.workflow.nodes import Slot
from comfytui.workflow.seeds import SeedMode, SeedRange

if TYPE_CHECKING:
    from comfytui.comfy.client import ComfyClient


WAITING = "Waiting for the server's choices: the batch is queued as soon as they arrive."
MOST_IMAGES = 1_000
IMAGES = InputSpec(kind="int", minimum=1, maximum=MOST_IMAGES)


@dataclass(frozen=True, slots=True)
class FormValues:
    """What the form asks for: a value for each field, how its seeds go on, within what each, and how many images."""

    values: Mapping[Key, Value]
    seed_mode: SeedMode
    images: int
    seeds: Mapping[Key, SeedRange]


def missing_choices(values: Mapping[Key, Value], specs: Mapping[Key, InputSpec]) -> tuple[Field, ...]:
    """Return the fields with nothing to choose from yet."""
    return tuple(
        field
        for field in Field
        if values.get(field) == "" and specs[field].kind == "choice" and specs[field].options is None
    )


def undescribed(fields: Mapping[Key, Sequence[Slot]], specs: Mapping[Key, InputSpec]) -> tuple[Field, ...]:
    """Return the drop-downs whose choices the server was asked for and did not name.

    Args:
        fields: The workflow's fields, each with the inputs of the graph that it fills.
        specs: What the server says of them.
    """
    return tuple(
        field
        for field in Field
        if fallback(field).kind == "choice"
        and field not in specs
        and any(slot.input_name != "value" for slot in fields.get(field, ()))
    )


def listed(fields: Sequence[Field]) -> str:
    """Return fields as a sentence names them: `Model, Sampler and Scheduler`."""
    *first, last = (field.label for field in fields)
    return f"{', '.join(first)} and {last}" if first else last


def repetition(images: int, mode: SeedMode, *, has_seed: bool) -> str:
    """Return a sentence if a batch would be one image again and again, or an empty one."""
    if images < 2 or (has_seed and mode is not SeedMode.FIXED):
        return ""
    reason = "choose random or increment for the seed" if has_seed else "this workflow has no seed to vary"
    return f"All {images} images will be the same: {reason}."


def absence(choice: str, spec: InputSpec, label: str) -> str:
    """Return a sentence if a choice is none of the server's, or an empty one."""
    return f"{label} '{choice}' is not on the server: choose one that is." if spec.lacks(choice) else ""


def omission(spec: InputSpec) -> str:
    """Return a sentence if a drop-down does not have all of the server's choices, or an empty one."""
    if not spec.left_out:
        return ""
    shown = len(spec.options or ())
    return f"The first {shown:,} of {shown + spec.left_out:,} names are shown: name any other in the workflow file."


async def specs_from(client: "ComfyClient", workflow: Workflow) -> Mapping[Key, InputSpec]:
    """A spec for each field whose node the server knows; one request for each class of node."""
    definitions: dict[str, Mapping[str, Any]] = {}
    for class_type in dict.fromkeys(slot.class_type for slots in workflow.fields.values() for slot in slots):
        definitions[class_type] = await client.object_info(class_type)
    specs: dict[Key, InputSpec] = {}
    for key, slots in workflow.fields.items():
        known = [spec for slot in slots if (spec := input_spec_of(definitions[slot.class_type], slot))]
        if known:
            specs[key] = narrowest(known)
    return specs
