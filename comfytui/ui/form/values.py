"""The content of the prompt form and the messages about it, without widgets."""

from collections.abc import Mapping, Sequence

from comfytui.workflow.fields import Field, FieldKey, FieldValue
from comfytui.workflow.input_specs import InputSpec, fallback_spec
from comfytui.workflow.nodes import Slot

WAITING_FOR_CHOICES = "Waiting for the server's choices: the batch is queued as soon as they arrive."


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
