"""The samplers of a graph, and the inputs that each of them depends on, found by following links upstream."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from comfytui.workflow.field_keys import Field
from comfytui.workflow.nodes import (
    Node,
    Nodes,
    Slot,
    follow_inputs,
    is_integer,
    is_number,
    is_text,
    topological_order,
    walk_upstream,
)
from comfytui.workflow.value_slots import TypeCheck, own_names, slot_of

SlotGroup: TypeAlias = tuple[Slot, ...]
"""Slots that are always set together: the text inputs of one encoder, or one other input."""

_SEED_INPUTS: Final = ("seed", "noise_seed", "Seed", "image_seed", "model_seed", "texture_seed")
TEXT_INPUTS = (
    "text",
    "text_prompt",
    "t5xxl",
    "clip_l",
    "text_g",
    "text_l",
    "clip_g",
    "llama",
    "prompt",
    "tags",
    "prompt_text",
    "caption",
)
"""The names of the texts of an encoder."""
_is_numbered_text = re.compile(r"(?:.*[._])?(?:text|prompt)_?\d{1,2}|(?:.*\.)?storyboard_\d{1,2}_prompt").fullmatch
_SIDES = frozenset({"positive", "negative"})
_ENCODER_INPUTS = frozenset({*TEXT_INPUTS, "positive_prompt", "negative_prompt"})
_LATENT_INPUTS = (
    "latent_image",
    "latent",
    "samples",
    "samples_to",
    "video_latent",
    "pixels",
    "image",
    "images",
    "input",
)
_OTHER_INPUTS = frozenset(
    {*_LATENT_INPUTS, "clip", "clip_vision_output", "control_net", "mask", "model", "style_model", "vae"}
)
"""Inputs that carry no conditioning."""
_TEXT_DISCARDING_CLASSES = frozenset({"ConditioningZeroOut"})
"""Nodes whose output does not depend on the text of their conditioning."""

_FIELD_INPUTS: Mapping[Field, tuple[tuple[str, ...], TypeCheck]] = {
    Field.MODEL: (("ckpt_name", "unet_name", "model_name", "model_path"), is_text),
    Field.LYRICS: (("lyrics",), is_text),
    Field.WIDTH: (("width", "empty_latent_width"), is_integer),
    Field.HEIGHT: (("height", "empty_latent_height"), is_integer),
    Field.LENGTH: (("length", "num_frames", "video_frames", "frames_number"), is_integer),
    Field.DURATION: (("seconds", "duration"), is_number),
    Field.STEPS: (("steps",), is_integer),
    Field.CFG: (("cfg", "cfg_conds"), is_number),
    Field.GUIDANCE: (("guidance", "guidance_scale"), is_number),
    Field.SAMPLER: (("sampler_name",), is_text),
    Field.SCHEDULER: (("scheduler",), is_text),
    Field.DENOISE: (("denoise",), is_number),
    Field.SEED: (_SEED_INPUTS, is_integer),
}
"""The input names of each field but the prompts, the preferred one first, and the type of its value."""


def samplers_of(nodes: Nodes) -> list[Node]:
    """Return the samplers, the first pass first, then unused ones, then nodes that make images of a prompt themselves.

    Without samplers, the nodes with a seed count as samplers, and without these, those with a prompt or encoded text.
    """
    samplers = {node.id for node in nodes.values() if _is_sampler(node)}
    others = {node.id for node in nodes.values() if _has_seed(node) and (not samplers or _has_own_prompt(node))}
    chosen = samplers | others
    chosen = chosen or {node.id for node in nodes.values() if "prompt" in node.inputs}
    chosen = chosen or {node.id for node in nodes.values() if "clip" in node.links and "text" in node.inputs}
    used = {source for node in nodes.values() for source in node.links.values()}
    chosen = chosen or {node.id for node in nodes.values() if "text" in node.inputs and node.id in used}
    if len(chosen) < 2:
        return [nodes[node_id] for node_id in chosen]
    ordered = [node for node in topological_order(nodes) if node.id in chosen]
    return sorted(ordered, key=lambda node: (bool(samplers) and node.id not in samplers, node.id not in used))


def seeds_of(nodes: Nodes, node: Node) -> list[Slot]:
    """Return the slots of a node's seeds."""
    return [slot for name in _seed_names(node) if (slot := slot_of(nodes, node, (name,), is_integer))]


def _is_sampler(node: Node) -> bool:
    if "positive" in node.links:
        return _has_seed(node)
    return "guider" in node.links and "sigmas" in node.links


def _has_seed(node: Node) -> bool:
    return bool(_seed_names(node))


def _seed_names(node: Node) -> list[str]:
    # Asked of every node of a graph, of which few have any.
    if not node.branch_inputs and node.inputs.keys().isdisjoint(_SEED_INPUTS):
        return []
    return [name for name in own_names(node, _SEED_INPUTS) if name in node.inputs]


def _has_own_prompt(node: Node) -> bool:
    return any(is_text(node.inputs.get(name)) for name in own_names(node, ("prompt",)))


def pass_fields(nodes: Nodes, sampler: Node, wanted: Iterable[Field]) -> Mapping[Field, list[SlotGroup]]:
    """Return the slots of the wanted fields in one pass, the nearest to the sampler first."""
    settings = list(walk_upstream(nodes, sampler, follow_inputs("noise", "guider", "sampler", "sigmas")))
    model = list(walk_upstream(nodes, sampler, follow_inputs("guider", "model", "model1", "sigmas")))
    latent = list(walk_upstream(nodes, sampler, partial(_latent_inputs, nodes)))
    positive = list(walk_upstream(nodes, sampler, partial(_conditioning, "positive")))
    negative = list(walk_upstream(nodes, sampler, partial(_conditioning, "negative")))
    prompt, negative_texts = _prompts(nodes, positive, negative)
    prompt_nodes = [nodes[slot.node_id] for group in prompt for slot in group]
    # Models and schedules that depend on the size (Flux) have inputs for it as well.
    sized = [*latent, *model] if any(_slots(nodes, Field.WIDTH, latent)) else []
    sources = {
        Field.MODEL: model,
        Field.WIDTH: sized,
        Field.HEIGHT: sized,
        Field.LENGTH: latent,
        Field.DURATION: latent,
        Field.LYRICS: positive,
        Field.GUIDANCE: positive,
        Field.SEED: [*settings, *prompt_nodes],
    }
    texts = {
        Field.PROMPT: prompt,
        Field.NEGATIVE: negative_texts,
    }
    return {
        field: texts[field] if field in texts else list(_slots(nodes, field, sources.get(field, settings)))
        for field in wanted
    }


def _prompts(nodes: Nodes, positive: list[Node], negative: list[Node]) -> tuple[list[SlotGroup], list[SlotGroup]]:
    """Return the prompts and the negative prompts of the nodes on each side.

    A text on both sides is negative if the other side has texts of its own, as a guider with two prompts and images
    takes the negative one twice.
    """
    prompts = [group for node in positive for group in _texts(nodes, node, "positive")]
    negatives = [group for node in negative for group in _texts(nodes, node, "negative")]
    own = [group for group in prompts if group and group not in negatives]
    return (own, negatives) if own else (prompts, [group for group in negatives if group not in prompts])


def _latent_inputs(nodes: Nodes, node: Node) -> Iterable[str]:
    """Return the inputs from which a node takes its latent or image, or only its size."""
    measured = nodes.get(node.links.get("width", ""))
    size = ("width",) if measured and "imagesize" in measured.class_type.lower() else ()
    return follow_inputs(*_LATENT_INPUTS, *size)(node)


def _slots(nodes: Nodes, field: Field, sources: Iterable[Node]) -> Iterator[SlotGroup]:
    names, has_type = _FIELD_INPUTS[field]
    for node in sources:
        if field is Field.SEED:
            yield from ((slot,) for slot in seeds_of(nodes, node))
            continue
        slot = slot_of(nodes, node, _names_of(nodes, field, node, names), has_type)
        if slot is None and field is Field.DURATION:
            slot = _computed_length(nodes, node)
        if slot:
            yield (slot,)


def _names_of(nodes: Nodes, field: Field, node: Node, names: Sequence[str]) -> Sequence[str]:
    """Return the names of a field's inputs in a node; a length that is computed is a duration."""
    names = own_names(node, names)
    return names if field is not Field.LENGTH else [name for name in names if not _operands(nodes, node, name)]


def _computed_length(nodes: Nodes, node: Node) -> Slot | None:
    """Return the first number that a length is computed from: the duration, before the frame rate."""
    for name in own_names(node, _FIELD_INPUTS[Field.LENGTH][0]):
        for operand in _operands(nodes, node, name):
            if slot := slot_of(nodes, nodes[node.links[name]], (operand,), is_number):
                return slot
    return None


def _operands(nodes: Nodes, node: Node, name: str) -> tuple[str, ...]:
    """Return the values of the expression that a linked input is computed with; of other inputs nothing."""
    source = nodes.get(node.links.get(name, ""))
    return source.operands if source else ()


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
    is_encoder = any(name.rpartition(".")[2] in _ENCODER_INPUTS or _is_numbered_text(name) for name in node.inputs)
    return [] if is_encoder else [name for name in node.links if name not in _OTHER_INPUTS]


def _texts(nodes: Nodes, node: Node, side: str) -> list[SlotGroup]:
    """Return the text inputs of an encoder, that is a node that takes no conditioning; of other nodes nothing.

    The texts of an encoder are set together, but those that are numbered are each for something else.
    """
    if _conditioning(side, node):
        return []
    sided = own_names(node, (side, f"{side}_prompt"))
    own = [name for name in sided if is_text(node.inputs.get(name))]
    slots = (slot_of(nodes, node, (name,), is_text) for name in own or own_names(node, TEXT_INPUTS))
    numbered = (
        () if own else (slot_of(nodes, node, (name,), is_text) for name in filter(_is_numbered_text, node.inputs))
    )
    return [tuple(slot for slot in slots if slot), *((slot,) for slot in numbered if slot)]
