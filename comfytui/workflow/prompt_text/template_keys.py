"""Which texts of a workflow are prompts that may have variations and LoRA tags, and which inputs they set."""

from collections.abc import Mapping
from typing import Final

from comfytui.workflow.field_keys import FieldKey, FieldValue, is_node_key
from comfytui.workflow.graph import Workflow, slot_of_key
from comfytui.workflow.nodes import Slot
from comfytui.workflow.prompt_text.prompt_inputs import NO_INPUTS, is_prompt, prompt_inputs
from comfytui.workflow.prompt_text.template import may_vary

OWN_LORA_TAGS: Final = frozenset(
    {
        "ImpactWildcardEncode",
        "LoraTagLoader",
        "PCLazyLoraLoader",
        "PCLazyTextEncode",
        "PCLoraHooksFromText",
        "PCTextEncode",
        "Power Prompt (rgthree)",
        "WeiLinPromptUI",
        "easy positive",
    }
)
"""Classes that read LoRA tags themselves."""


def text_keys(values: Mapping[FieldKey, FieldValue]) -> list[FieldKey]:
    """Return the fields whose texts may have variations and LoRA tags."""
    return [key for key, value in values.items() if isinstance(value, str) and is_text_key(key)]


def is_text_key(key: FieldKey) -> bool:
    """Return whether a key names a field whose text may have variations and LoRA tags."""
    return is_prompt(key, NO_INPUTS)


def uses_tools(workflow: Workflow, values: Mapping[FieldKey, FieldValue]) -> bool:
    """Return whether a text may have variations or LoRA tags."""
    return bool(workflow.templates or template_keys(workflow, values))


def template_keys(workflow: Workflow, values: Mapping[FieldKey, FieldValue]) -> list[FieldKey]:
    """Return the keys of the prompts that may have variations or LoRA tags, which is found out without reading them."""
    keys = [key for key, value in values.items() if isinstance(value, str) and (may_vary(value) or _may_tag(value))]
    # Only inputs of nodes are looked for in the graph.
    inputs = prompt_inputs(workflow.graph) if any(map(is_node_key, keys)) else NO_INPUTS
    return [key for key in keys if is_prompt(key, inputs)]


def _may_tag(value: FieldValue) -> bool:
    return "<lora:" in str(value).lower()


def slots_of(workflow: Workflow, key: FieldKey) -> tuple[Slot, ...]:
    """Return the inputs that a key sets; none if the graph does not have it."""
    if not is_node_key(key):
        return workflow.fields.get(key, ())
    slot = slot_of_key(workflow.graph, key)
    return (slot,) if slot else ()


def needs_loras(workflow: Workflow, values: Mapping[FieldKey, FieldValue]) -> bool:
    """Return whether a text may name a LoRA, so that the server's names have to be known."""
    keys = template_keys(workflow, values)
    return any(_may_tag(values[key]) and not reads_tags(workflow, key) for key in keys)


def reads_tags(workflow: Workflow, key: FieldKey) -> bool:
    """Return whether a field's node reads LoRA tags itself, so that they stay in its text."""
    return any(slot.class_type in OWN_LORA_TAGS for slot in slots_of(workflow, key))
