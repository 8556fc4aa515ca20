"""From the values of fields to a batch request, and from the server's errors back to the fields."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from comfytui.service.submission.batch import BatchRequest, batch_request, preview_method_for
from comfytui.workflow.axes import cells_of
from comfytui.workflow.batch_values import BatchValues
from comfytui.workflow.editor.text_replacements import fill_in_dates
from comfytui.workflow.fields import Field, FieldKey, seed_keys
from comfytui.workflow.graph import Graph, Workflow
from comfytui.workflow.prompt_text.rendering import NO_TOOLS, PromptTools, check_choices, render
from comfytui.workflow.seeds import SeedMode, seeds_by_image

if TYPE_CHECKING:
    from comfytui.comfy.protocol.models import NodeError


def build_batch(
    workflow: Workflow,
    wanted: BatchValues,
    rng: Random,
    *,
    previews: bool,
    key: str = "",
    tools: PromptTools = NO_TOOLS,
) -> tuple[BatchRequest, Sequence[Mapping[FieldKey, int]]]:
    """Build a batch with a graph for each image: all cells of its axes with the first seed, then with the next one.

    Args:
        workflow: The workflow.
        wanted: The values of its fields.
        rng: The source of random seeds.
        previews: Whether the server is to make previews.
        key: What the ids are made of; empty for new ones, see `batch_request`.
        tools: What the texts may use.

    Returns:
        The request, and the seeds of each image by their keys; without keys if the graph has no seed.

    Raises:
        PromptTextError: A text cannot be used.
    """
    bases = {key: int(wanted.values[key]) for key in seed_keys(wanted.values)}
    seeds = seeds_by_image(wanted.seed_mode, bases, wanted.images, rng, wanted.seed_ranges)
    cells = cells_of(wanted.axes)
    images = [({**wanted.values, **each, **cell}, cell) for each in seeds for cell in cells]
    check_choices(workflow, wanted.values, len(images), tools)
    # Without a seed, nothing else tells the images apart.
    choices = [values.get(Field.SEED, rng.getrandbits(53)) for values, _ in images]
    now = datetime.now()
    graphs = tuple(
        fill_in_dates(render(workflow, values, int(choice), tools, cell, wanted.object_info), workflow.file_names, now)
        for (values, cell), choice in zip(images, choices, strict=True)
    )
    title = str(wanted.values.get(Field.PROMPT) or workflow.name)
    used = [{key: int(values[key]) for key in bases} for values, _ in images]
    return batch_request(title, graphs, preview_method_for(previews=previews), key), used


def first_graph(workflow: Workflow, wanted: BatchValues, rng: Random, tools: PromptTools) -> Graph:
    """Return the graph of the first image of a batch, with the seeds of its fields if they would be random.

    Args:
        workflow: The workflow.
        wanted: The values of its fields.
        rng: What variations are drawn by if the graph has no seed.
        tools: What the texts may use.

    Raises:
        PromptTextError: A text cannot be used.
    """
    axes = {key: values[:1] for key, values in wanted.axes.items()}
    first = replace(wanted, seed_mode=SeedMode.FIXED, images=1, axes=axes)
    return build_batch(workflow, first, rng, previews=False, tools=tools)[0].graphs[0]


def errors_by_field(
    workflow: Workflow, errors: tuple["NodeError", ...]
) -> tuple[Mapping[FieldKey, str], tuple[str, ...]]:
    """Assign the server's errors to the workflow's fields.

    Returns:
        The first message for each field, and the messages about inputs that no field sets.
    """
    by_input = {(slot.node_id, slot.input_name): key for key, slots in workflow.fields.items() for slot in slots}
    at_fields: dict[FieldKey, str] = {}
    elsewhere: list[str] = []
    for error in errors:
        message = f"{error.message}: {error.details}" if error.details else error.message
        key = by_input.get((error.node_id, error.input_name))
        if key is None:
            elsewhere.append(f"{error.class_type or 'node'} {error.node_id}: {message}")
        else:
            at_fields.setdefault(key, message)
    return at_fields, tuple(elsewhere)
