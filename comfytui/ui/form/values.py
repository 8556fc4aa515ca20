"""The content of the prompt form and the messages about it, without widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comfytui.workflow.fields import Field, FieldKey, FieldValue
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec, fallback_spec, input_spec_of, intersect_specs
from comfytui.workflow.nodes import Slot
from comfytui.workflow.seeds import SeedMode, SeedRange

if TYPE_CHECKING:
    from comfytui.service.backend import Backend


WAITING_FOR_CHOICES = "Waiting for the server's choices: the batch is queued as soon as they arrive."
MAX_IMAGES = 1_000
IMAGES_SPEC = InputSpec(kind="int", minimum=1, maximum=MAX_IMAGES)


@dataclass(frozen=True, slots=True)
class FormValues:
    """The content of a form that has been checked."""

    values: Mapping[FieldKey, FieldValue]
    """The value of each field."""
    seed_mode: SeedMode
    images: int
    seed_ranges: Mapping[FieldKey, SeedRange]
    """What each seed may be."""


def fields_awaiting_choices(
    values: Mapping[FieldKey, FieldValue], specs: Mapping[FieldKey, InputSpec]
) -> tuple[Field, ...]:
    """Return the drop-down lists that are empty because the server's choices are not known."""
    return tuple(
        field
        for field in Field
        if values.get(field) == "" and specs[field].kind == "choice" and specs[field].options is None
    )


def fields_without_specs(
    fields: Mapping[FieldKey, Sequence[Slot]], specs: Mapping[FieldKey, InputSpec]
) -> tuple[Field, ...]:
    """Return the drop-down lists for which the server's node definitions name no choices.

    Args:
        fields: The workflow's fields, each with the inputs of the graph that it sets.
        specs: The specs that were read from the server.
    """
    return tuple(
        field
        for field in Field
        if fallback_spec(field).kind == "choice"
        and field not in specs
        and any(slot.input_name != "value" for slot in fields.get(field, ()))
    )


def join_labels(fields: Sequence[Field]) -> str:
    """Return the labels of fields as a list in a sentence: `Model, Sampler and Scheduler`."""
    *first, last = (field.label for field in fields)
    return f"{', '.join(first)} and {last}" if first else last


def repetition_warning(images: int, mode: SeedMode, *, has_seed: bool) -> str:
    """Return a warning if all images of a batch would be the same, or an empty text."""
    if images < 2 or (has_seed and mode is not SeedMode.FIXED):
        return ""
    reason = "choose random or increment for the seed" if has_seed else "this workflow has no seed to vary"
    return f"All {images} images will be the same: {reason}."


def unknown_choice_error(choice: str, spec: InputSpec, label: str) -> str:
    """Return an error if the server does not have a choice, or an empty text."""
    return f"{label} '{choice}' is not on the server: choose one that is." if spec.excludes(choice) else ""


def truncation_note(spec: InputSpec) -> str:
    """Return a note if a drop-down list does not have all of the server's choices, or an empty text."""
    if not spec.omitted:
        return ""
    shown = len(spec.options or ())
    return f"The first {shown:,} of {shown + spec.omitted:,} names are shown: name any other in the workflow file."


async def fetch_specs(backend: "Backend", workflow: Workflow) -> Mapping[FieldKey, InputSpec]:
    """Read the spec of each field whose node the server knows, with one request for each class of node.

    Raises:
        ComfyError: A request failed.
    """
    definitions: dict[str, Mapping[str, Any]] = {}
    for class_type in dict.fromkeys(slot.class_type for slots in workflow.fields.values() for slot in slots):
        definitions[class_type] = await backend.object_info(class_type)
    specs: dict[FieldKey, InputSpec] = {}
    for key, slots in workflow.fields.items():
        known = [spec for slot in slots if (spec := input_spec_of(definitions[slot.class_type], slot))]
        if known:
            specs[key] = intersect_specs(known)
    return specs
