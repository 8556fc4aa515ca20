"""From the form to an order, and from the server's refusal back to the form's fields."""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

from comfytui.service.orders import Order
from comfytui.ui.form import Asked
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Workflow
from comfytui.workflow.seeds import seeds_for
from comfytui.workflow.values import fill

if TYPE_CHECKING:
    from comfytui.comfy.replies import NodeError

PREVIEWS_ON, PREVIEWS_OFF = "auto", "none"


def order_of(workflow: Workflow, asked: Asked, rng: Random, *, previews: bool) -> tuple[Order, tuple[int, ...]]:
    """One graph for each image, and their seeds (none where the graph has no seed)."""
    seeds: tuple[int, ...] = ()
    if Field.SEED in asked.values:
        seeds = seeds_for(asked.seed_mode, int(asked.values[Field.SEED]), asked.images, rng, asked.seeds)
        graphs = tuple(fill(workflow, {**asked.values, Field.SEED: seed}) for seed in seeds)
    else:
        graphs = (fill(workflow, asked.values),) * asked.images
    title = str(asked.values.get(Field.PROMPT) or workflow.name)
    return Order(title, graphs, PREVIEWS_ON if previews else PREVIEWS_OFF), seeds


def fields_of(workflow: Workflow, errors: tuple["NodeError", ...]) -> tuple[Mapping[Field, str], tuple[str, ...]]:
    """A refusal's sentences by the field that they are about, and those about nothing in the form."""
    by_input = {(slot.node_id, slot.input_name): field for field, slots in workflow.fields.items() for slot in slots}
    at_fields: dict[Field, str] = {}
    elsewhere: list[str] = []
    for error in errors:
        sentence = f"{error.message}: {error.details}" if error.details else error.message
        field = by_input.get((error.node_id, error.input_name))
        if field is None:
            elsewhere.append(f"{error.class_type or 'node'} {error.node_id}: {sentence}")
        else:
            at_fields.setdefault(field, sentence)
    return at_fields, tuple(elsewhere)
