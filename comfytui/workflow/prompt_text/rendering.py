"""From the values of a form to the graph of one image: variations are expanded, and LoRA tags become nodes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from comfytui.workflow.annotations import CELL, TEMPLATES, annotated
from comfytui.workflow.field_keys import FieldKey, FieldValue, key_label, node_key, split_node_key
from comfytui.workflow.graph import Graph, Workflow, apply_values
from comfytui.workflow.node_inputs import NO_DEFINITIONS, set_value
from comfytui.workflow.nodes import Slot, value_at
from comfytui.workflow.prompt_text.lora_nodes import insert_loras
from comfytui.workflow.prompt_text.lora_tags import (
    LoraTag,
    LoraTagError,
    has_lora_tags,
    match_lora,
    take_lora_tags,
    unescape_lora_tags,
)
from comfytui.workflow.prompt_text.template_keys import is_text_key, reads_tags, slots_of, template_keys
from comfytui.workflow.prompt_text.variations import VariationError, expand, literal_template, varies
from comfytui.workflow.prompt_text.wildcards import NO_WILDCARDS, Wildcards

MAX_CHOICES: Final = 300_000
"""Choices in the variations of one batch, which take about 15 s."""


class PromptTextError(ValueError):
    """A text cannot be used; `message` is one sentence, and `key` the field."""

    def __init__(self, key: FieldKey, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


@dataclass(frozen=True, slots=True)
class PromptTools:
    """What the texts of a form may use."""

    wildcards: Wildcards = NO_WILDCARDS
    loras: Sequence[str] | None = None
    """The server's LoRAs; None if they are not known."""
    active: bool = True
    """Whether variations are expanded and LoRA tags are taken; else texts are sent as they are."""


NO_TOOLS: Final = PromptTools(active=False)


def check_choices(workflow: Workflow, values: Mapping[FieldKey, FieldValue], images: int, tools: PromptTools) -> None:
    """Check that the variations of a batch can be expanded in a reasonable time.

    Args:
        workflow: The workflow.
        values: The values of the first image.
        images: The number of images.
        tools: What the texts may use.

    Raises:
        PromptTextError: They have too many choices.
    """
    for key in template_keys(workflow, values) if tools.active else ():
        text = str(values[key])
        most = text.count("{") + text.count("__") // 2
        if most * images > MAX_CHOICES and varies(text, tools.wildcards):
            raise PromptTextError(key, f"{key_label(key)} has too many variations for so many images: ask for fewer.")


def render(
    workflow: Workflow,
    values: Mapping[FieldKey, FieldValue],
    seed: int,
    tools: PromptTools,
    cell: Mapping[FieldKey, FieldValue],
    object_info: Mapping[str, Any] = NO_DEFINITIONS,
) -> Graph:
    """Return the graph of one image.

    Args:
        workflow: The workflow.
        values: The value of each field, with templates as texts.
        seed: What the choice of variations depends on: the first seed of the image.
        tools: What the texts may use; templates of the workflow itself are expanded in any case.
        cell: Those of the values that distinguish the image in its batch.
        object_info: The definitions of nodes, see `apply_values`.

    Raises:
        PromptTextError: A text cannot be used.
    """
    texts: dict[FieldKey, str] = {}
    loras: dict[FieldKey, Sequence[LoraTag]] = {}
    for key in template_keys(workflow, values) if tools.active else ():
        texts[key], loras[key] = render_text(workflow, key, str(values[key]), seed, tools)
    graph = apply_values(workflow, {**values, **texts}, object_info)
    graph = _with_notes(workflow, graph, {key: str(values[key]) for key in texts if texts[key] != values[key]}, cell)
    graph = _with_own_texts(workflow, graph, seed, tools, texts)
    for key, tags in loras.items():
        try:
            graph = insert_loras(graph, slots_of(workflow, key), tags)
        except LoraTagError as error:
            raise PromptTextError(key, str(error)) from None
    return graph


def render_text(
    workflow: Workflow, key: FieldKey, template: str, seed: int, tools: PromptTools
) -> tuple[str, Sequence[LoraTag]]:
    """Return the text of a prompt as it is sent, and the LoRAs that its tags load, by the server's names.

    Raises:
        PromptTextError: The text cannot be used.
    """
    text = _expanded(key, template, seed, tools.wildcards)
    if reads_tags(workflow, key):
        return text, ()
    rest, loras = _take_tags(key, text, tools) if has_lora_tags(text) else (text, ())
    return unescape_lora_tags(rest), loras


def with_literal_prompts(workflow: Workflow) -> Workflow:
    """Return a workflow in whose prompts all that is no choice stays as it is when they are expanded."""
    graph, templates = workflow.graph, [*workflow.templates]
    for slot in _prompt_slots(workflow):
        text = value_at(graph, slot)
        if slot not in workflow.templates and isinstance(text, str) and (template := literal_template(text)) != text:
            graph = set_value(graph, NO_DEFINITIONS, slot, template)
            templates.append(slot)
    return replace(workflow, graph=graph, templates=tuple(templates))


def _prompt_slots(workflow: Workflow) -> dict[Slot, FieldKey]:
    """Return the slots of the fields whose texts may have variations, with the keys of these."""
    return {slot: key for key, slots in workflow.fields.items() if is_text_key(key) for slot in slots}


def _with_own_texts(
    workflow: Workflow, graph: Graph, seed: int, tools: PromptTools, expanded: Collection[FieldKey]
) -> Graph:
    """Return a graph with the workflow's own templates expanded, of keys that are not yet.

    Another text that was set in place of a template is one only if the tools are active.
    """
    changed: dict[str, Any] = dict(graph)
    keys = _prompt_slots(workflow)
    for slot in workflow.templates:
        key, own_key = keys.get(slot), node_key(slot.node_id, slot.input_name)
        template = _text_at(graph, slot)
        if (
            template is None
            or key in expanded
            or own_key in expanded
            or not (tools.active or template == _text_at(workflow.graph, slot))
        ):
            continue
        wildcards = tools.wildcards if key else NO_WILDCARDS
        text = _expanded(key or own_key, template, seed, wildcards)
        if text != template:
            changed = {**set_value(changed, NO_DEFINITIONS, slot, text)}
            changed[slot.node_id] = annotated(changed[slot.node_id], TEMPLATES, {slot.input_name: template})
    return changed


def _text_at(graph: Graph, slot: Slot) -> str | None:
    """Return the text at a slot; None if the node is bypassed, or the value is no text."""
    try:
        value = value_at(graph, slot)
    except (KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


def _expanded(key: FieldKey, template: str, seed: int, wildcards: Wildcards) -> str:
    try:
        return expand(template, f"{seed}/{key}", wildcards)
    except VariationError as error:
        raise PromptTextError(key, str(error)) from None


def _take_tags(key: FieldKey, text: str, tools: PromptTools) -> tuple[str, Sequence[LoraTag]]:
    try:
        rest, tags = take_lora_tags(text)
        if tools.loras is None:
            raise LoraTagError("The server's LoRAs are not known yet, so the tag cannot be matched: try again.")
        return rest, [tag._replace(name=match_lora(tag.name, tools.loras)) for tag in tags]
    except LoraTagError as error:
        raise PromptTextError(key, str(error)) from None


def _with_notes(
    workflow: Workflow, graph: Graph, templates: Mapping[FieldKey, str], cell: Mapping[FieldKey, FieldValue]
) -> Graph:
    changed: dict[str, Any] = dict(graph)
    for key, template in templates.items():
        for slot in slots_of(workflow, key):
            changed[slot.node_id] = annotated(changed[slot.node_id], TEMPLATES, {slot.input_name: template})
    for key, value in cell.items():
        slots = workflow.fields.get(key, ())
        node_id = slots[0].node_id if slots else split_node_key(key)[0]
        if node_id in changed:
            changed[node_id] = annotated(changed[node_id], CELL, {key_label(key): value})
    return changed
