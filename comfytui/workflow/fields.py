"""Find the inputs of a graph that a form can show and set, by following links upstream from its samplers.

Each sampler is one pass, and the first pass decides what the form shows. A later pass is set together with it where
both have the same value, and else keeps its own (the steps of a hires pass, the prompt of a face detailer). Seeds are
the exception: every sampler's seed is a field of its own, as is the seed of a node that randomises the prompt;
samplers that share a seed node share a field.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, field_of, seed_key, seed_keys
from comfytui.workflow.nodes import (
    Node,
    Nodes,
    Slot,
    TypeCheck,
    follow_inputs,
    is_integer,
    is_number,
    is_text,
    nodes_of,
    slot_of,
    topological_order,
    walk_upstream,
)

__all__ = ["Field", "FieldKey", "FieldValue", "field_of", "find_fields", "first_slots", "seed_key", "seed_keys"]

MAX_PASSES: Final = 16
"""Samplers of one graph that are searched for fields."""

MAX_SEEDS: Final = 16
"""Seeds of one graph that can be set; the others keep their values."""

MAX_DISPLAYED_PASSES: Final = 4
"""Samplers of one graph that are searched for seeds only to display them."""


SlotGroup: TypeAlias = tuple[Slot, ...]
"""Slots that are always set together: the text inputs of one encoder, or one other input."""

DISPLAYED_FIELDS: Final = (
    Field.MODEL,
    Field.PROMPT,
    Field.NEGATIVE,
    Field.WIDTH,
    Field.HEIGHT,
    Field.STEPS,
    Field.CFG,
    Field.GUIDANCE,
    Field.SAMPLER,
    Field.SCHEDULER,
    Field.SEED,
)
"""What is displayed of a graph that is not open."""

_SEED_INPUTS = ("seed", "noise_seed")
_TEXT_INPUTS = ("text", "t5xxl", "clip_l", "text_g", "text_l", "clip_g", "llama", "prompt")
_SIDES = frozenset({"positive", "negative"})
_ENCODER_INPUTS = frozenset({*_TEXT_INPUTS, "positive_prompt", "negative_prompt"})
_LATENT_INPUTS = ("latent_image", "latent", "samples", "samples_to", "pixels", "image", "images")
_OTHER_INPUTS = frozenset(
    {*_LATENT_INPUTS, "clip", "clip_vision_output", "control_net", "mask", "model", "style_model", "vae"}
)
"""Inputs that carry no conditioning."""
_TEXT_DISCARDING_CLASSES = frozenset({"ConditioningZeroOut"})
"""Nodes whose output does not depend on the text of their conditioning."""

_FIELD_INPUTS: Mapping[Field, tuple[tuple[str, ...], TypeCheck]] = {
    Field.MODEL: (("ckpt_name", "unet_name", "model_name", "model_path"), is_text),
    Field.WIDTH: (("width", "empty_latent_width"), is_integer),
    Field.HEIGHT: (("height", "empty_latent_height"), is_integer),
    Field.STEPS: (("steps",), is_integer),
    Field.CFG: (("cfg", "cfg_conds"), is_number),
    Field.GUIDANCE: (("guidance",), is_number),
    Field.SAMPLER: (("sampler_name",), is_text),
    Field.SCHEDULER: (("scheduler",), is_text),
    Field.SEED: (_SEED_INPUTS, is_integer),
}
"""The input names of each field but the prompts, the preferred one first, and the type of its value."""


def find_fields(graph: object) -> Mapping[FieldKey, tuple[Slot, ...]]:
    """Find the fields of a graph, which may be any JSON value.

    Returns:
        The slots to set for each field, first the one whose value to show; no slot belongs to two fields.
    """
    nodes = nodes_of(graph)
    passes = [_pass_fields(nodes, sampler) for sampler in _samplers(nodes)[:MAX_PASSES]]
    found: dict[FieldKey, tuple[Slot, ...]] = {}
    taken: set[Slot] = set()
    for field in DISPLAYED_FIELDS:
        groups = [group for each in passes for group in each.get(field, ()) if group and taken.isdisjoint(group)]
        if field is Field.SEED:
            found.update((key, (slot,)) for key, slot in _seeds(groups).items())
        elif groups:
            same = _groups_with_first_value(nodes, groups)
            found[field] = tuple(dict.fromkeys(slot for group in same for slot in group))
            taken.update(found[field])
    return MappingProxyType(found)


def first_slots(nodes: Nodes) -> Mapping[FieldKey, Slot]:
    """Return the slot of each field in the first pass, and of the seeds in the first few passes.

    They depend on links and types only, so that graphs of the same shape have the same slots.
    """
    passes = [_pass_fields(nodes, sampler) for sampler in _samplers(nodes)[:MAX_DISPLAYED_PASSES]]
    found: dict[FieldKey, Slot] = {}
    taken: set[Slot] = set()
    for field in DISPLAYED_FIELDS:
        searched = passes if field is Field.SEED else passes[:1]
        groups = [group for each in searched for group in each.get(field, ()) if group and taken.isdisjoint(group)]
        if field is Field.SEED:
            found.update(_seeds(groups))
        elif groups:
            found[field] = groups[0][0]
            taken.update(groups[0])
    return MappingProxyType(found)


def _seeds(groups: Iterable[SlotGroup]) -> Mapping[FieldKey, Slot]:
    """Return the seeds by their keys; a seed node that feeds several samplers counts once."""
    slots = dict.fromkeys(slot for group in groups for slot in group)
    return {seed_key(index): slot for index, slot in enumerate(slots) if index < MAX_SEEDS}


def _samplers(nodes: Nodes) -> list[Node]:
    """Return the samplers, the first pass first and unused ones last; without samplers, the nodes with a seed."""
    chosen = {node.id for node in nodes.values() if _is_sampler(node)}
    chosen = chosen or {node.id for node in nodes.values() if any(name in node.inputs for name in _SEED_INPUTS)}
    if len(chosen) < 2:
        return [nodes[node_id] for node_id in chosen]
    used = {source for node in nodes.values() for source in node.links.values()}
    ordered = [node for node in topological_order(nodes) if node.id in chosen]
    return sorted(ordered, key=lambda node: node.id not in used)


def _is_sampler(node: Node) -> bool:
    if "positive" in node.links:
        return any(name in node.inputs for name in _SEED_INPUTS)
    return "guider" in node.links and "sigmas" in node.links


def _pass_fields(nodes: Nodes, sampler: Node) -> Mapping[Field, list[SlotGroup]]:
    """Return the slots of each field in one pass, the nearest to the sampler first."""
    settings = list(walk_upstream(nodes, sampler, follow_inputs("noise", "guider", "sampler", "sigmas")))
    model = list(walk_upstream(nodes, sampler, follow_inputs("guider", "model", "model1", "sigmas")))
    latent = list(walk_upstream(nodes, sampler, follow_inputs(*_LATENT_INPUTS)))
    positive = list(walk_upstream(nodes, sampler, partial(_conditioning, "positive")))
    negative = list(walk_upstream(nodes, sampler, partial(_conditioning, "negative")))
    prompt = [_texts(nodes, node, "positive") for node in positive]
    prompt_nodes = [nodes[slot.node_id] for group in prompt for slot in group]
    # Models and schedules that depend on the size (Flux) have inputs for it as well.
    sized = [*latent, *model] if any(_slots(nodes, Field.WIDTH, latent)) else []
    sources = {
        Field.MODEL: model,
        Field.WIDTH: sized,
        Field.HEIGHT: sized,
        Field.GUIDANCE: positive,
        Field.SEED: [*settings, *prompt_nodes],
    }
    return {
        **{field: list(_slots(nodes, field, sources.get(field, settings))) for field in _FIELD_INPUTS},
        Field.PROMPT: prompt,
        Field.NEGATIVE: [group for node in negative if (group := _texts(nodes, node, "negative")) not in prompt],
    }


def _slots(nodes: Nodes, field: Field, sources: Iterable[Node]) -> Iterator[SlotGroup]:
    names, has_type = _FIELD_INPUTS[field]
    for node in sources:
        if slot := slot_of(nodes, node, names, has_type):
            yield (slot,)


def _conditioning(side: str, node: Node) -> list[str]:
    """Return the inputs from which a node takes its conditioning; `side` is "positive" or "negative"."""
    if side in node.links:
        return [side]
    if node.class_type in _TEXT_DISCARDING_CLASSES:
        return []
    conditionings = [name for name in node.links if name.startswith("cond")]
    # A guider with two prompts has an input named after its side for the negative one only.
    if not _SIDES.isdisjoint(node.inputs):
        return conditionings if side == "positive" else []
    if "guider" in node.links:
        return ["guider"]
    if conditionings:
        return conditionings
    return [name for name in node.links if name not in _OTHER_INPUTS] if _ENCODER_INPUTS.isdisjoint(node.inputs) else []


def _texts(nodes: Nodes, node: Node, side: str) -> SlotGroup:
    """Return the text inputs of an encoder, that is a node that takes no conditioning; of other nodes nothing."""
    if _conditioning(side, node):
        return ()
    own = [name for name in (side, f"{side}_prompt") if is_text(node.inputs.get(name))]
    slots = (slot_of(nodes, node, (name,), is_text) for name in own or _TEXT_INPUTS)
    return tuple(slot for slot in slots if slot)


def _groups_with_first_value(nodes: Nodes, groups: list[SlotGroup]) -> list[SlotGroup]:
    """Return the first group, and the others with the same value."""
    first = _value(nodes, groups[0])
    return [group for group in groups if _value(nodes, group) == first]


def _value(nodes: Nodes, group: SlotGroup) -> object:
    return nodes[group[0].node_id].inputs[group[0].input_name]
