"""Make the graph of an image anew with other seeds: its prompts are drawn again from the templates that it keeps."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import NamedTuple

from comfytui.sanitize import sanitize
from comfytui.workflow.annotations import copy_cells, templates_of
from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, node_key
from comfytui.workflow.graph import Graph, Workflow, read_values, workflow_of
from comfytui.workflow.nodes import value_at
from comfytui.workflow.prompt_text.rendering import PromptTextError, PromptTools, render
from comfytui.workflow.prompt_text.template import unknown_wildcards
from comfytui.workflow.prompt_text.template_keys import slots_of, template_keys
from comfytui.workflow.seeds import reseed


class Remade(NamedTuple):
    """A graph with new seeds."""

    graph: Graph | None
    """None if nothing of it can be new."""
    new_text: bool = False
    """Whether a prompt differs."""
    kept_because: str = ""
    """Why the prompts are the old ones although they have templates, in one sentence."""


def kept_templates(graph: Graph) -> tuple[Workflow, Mapping[FieldKey, FieldValue]]:
    """Return a graph as its user wrote it, with its templates that are no prompts, and the prompts' by their keys."""
    workflow = workflow_of("", graph)
    keys = {(slot.node_id, slot.input_name): key for key, slots in workflow.fields.items() for slot in slots}
    templates = {keys.get(place, node_key(*place)): text for place, text in templates_of(graph).items()}
    values: dict[FieldKey, FieldValue] = {key: text for key, text in templates.items() if slots_of(workflow, key)}
    prompts = template_keys(workflow, values)
    others = tuple(slot for key in values if key not in prompts for slot in slots_of(workflow, key))
    return replace(workflow, templates=others), {key: values[key] for key in prompts}


def remake(graph: Graph, rng: Random, tools: PromptTools) -> Remade:
    """Return a graph with new seeds, and with prompts that are drawn by them from the templates that it keeps.

    All prompts stay as they are if one of them cannot be drawn again.

    Args:
        graph: The graph; it is not modified.
        rng: The source of new seeds.
        tools: What the templates may use now.
    """
    workflow, templates = kept_templates(graph)
    if not templates and not workflow.templates:
        return Remade(reseed(graph, rng))
    reseeded = reseed(workflow.graph, rng)
    changed = replace(workflow, graph=reseeded or workflow.graph)
    seed = read_values(changed).get(Field.SEED) if reseeded else None
    try:
        made = render(changed, templates, rng.getrandbits(53) if seed is None else int(seed), tools, {})
    except PromptTextError as error:
        return Remade(reseed(graph, rng), kept_because=error.message)
    texts = [(_texts(changed, key, graph), _texts(changed, key, made)) for key in templates]
    if missing := [name for old, new in texts for name in _missing(old, new, tools)]:
        return Remade(reseed(graph, rng), kept_because=f"The wildcard __{sanitize(missing[0], 60)}__ is gone.")
    if reseeded is None and all(old == new for old, new in texts):
        return Remade(None)
    return Remade(copy_cells(graph, made), any(old != new for old, new in texts))


def _texts(workflow: Workflow, key: FieldKey, graph: Graph) -> str:
    """Return the text that a graph has for a key of a workflow; empty if it has none there."""
    text = value_at(graph, slots_of(workflow, key)[0])
    return text if isinstance(text, str) else ""


def _missing(old: str, new: str, tools: PromptTools) -> tuple[str, ...]:
    """Return the names of wildcards that a new text has where the old one had what they stood for."""
    return tuple(name for name in unknown_wildcards(new, tools.wildcards.__contains__) if f"__{name}__" not in old)
