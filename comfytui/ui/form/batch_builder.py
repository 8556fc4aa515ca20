"""From the form to an order, and from the server's refusal back to the form's fields."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from comfytui.service.submission.batch import BatchRequest
from comfytui.ui.form.values import FormValues
from comfytui.workflow.fields import Field, Key, seed_keys
from comfytui.workflow.graph import Workflow, apply_values
from comfytui.workflow.seeds import seeds_by_image

if TYPE_CHECKING:
    from comfytui.comfy.protocol.models import NodeError

PREVIEWS_ON, PREVIEWS_OFF = "auto", "none"


def order_of(
    workflow: Workflow, asked: FormValues, rng: Random, *, previews: bool
) -> tuple[BatchRequest, Sequence[Mapping[Key, int]]]:
    """One graph for each image, and the seeds of each (none where the graph has no seed)."""
    bases = {key: int(asked.values[key]) for key in seed_keys(asked.values)}
    seeds = seeds_by_image(asked.seed_mode, bases, asked.images, rng, asked.seeds)
    graphs = tuple(apply_values(workflow, {**asked.values, **each}) for each in seeds)
    title = str(asked.values.get(Field.PROMPT) or workflow.name)
    return BatchRequest(title, graphs, preview_method(previews=previews)), seeds


def preview_method(*, previews: bool) -> str:
    """What a prompt asks of the server, in ComfyUI's words."""
    return PREVIEWS_ON if previews else PREVIEWS_OFF


def fields_of(workflow: Workflow, errors: tuple["NodeError", ...]) -> tuple[Mapping[Key, str], tuple[str, ...]]:
    """A refusal's sentences by the field that they are about, and those about nothing in the form."""
    by_input = {(slot.node_id, slot.input_name): key for key, slots in workflow.fields.items() for slot in slots}
    at_fields: dict[Key, str] = {}
    elsewhere: list[str] = []
    for error in errors:
        sentence = f"{error.message}: {error.details}" if error.details else error.message
        key = by_input.get((error.node_id, error.input_name))
        if key is None:
            elsewhere.append(f"{error.class_type or 'node'} {error.node_id}: {sentence}")
        else:
            at_fields.setdefault(key, sentence)
    return at_fields, tuple(elsewhere)
