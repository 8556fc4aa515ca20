"""Where a graph keeps what a person wants to change, found by following links upstream from its samplers.

The first pass decides what the form shows. A later pass goes along where it has the same value now, and keeps what is
its own (the steps of a hires pass, the prompt of a face detailer). Seeds are the exception: every sampler's seed is a
field of its own, as is that of a node that rolls dice for the prompt; samplers that share a seed node share a field.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from comfytui.workflow.nodes import (
    Fits,
    Node,
    Nodes,
    Slot,
    along,
    is_number,
    is_text,
    is_whole,
    nodes_of,
    slot_of,
    upstream_first,
    walk,
)

__all__ = ["Field", "Key", "Slot", "Value", "field_of", "find_fields", "first_slots", "seed_key", "seed_keys"]

MAX_PASSES: Final = 16
"""Samplers looked at in one graph."""

MAX_SEEDS: Final = 16
"""Seeds of one graph that can be set; any others keep their values."""

MAX_SHOWN_PASSES: Final = 4
"""Samplers whose seeds are looked for where a graph is only shown."""


class Field(StrEnum):
    """A thing of a graph that a form can show and set."""

    MODEL = "model"
    PROMPT = "prompt"
    NEGATIVE = "negative"
    WIDTH = "width"
    HEIGHT = "height"
    STEPS = "steps"
    CFG = "cfg"
    GUIDANCE = "guidance"
    SAMPLER = "sampler"
    SCHEDULER = "scheduler"
    SEED = "seed"

    @property
    def label(self) -> str:
        """The name on the screen and in sentences."""
        return "CFG" if self is Field.CFG else self.value.capitalize()


Key: TypeAlias = str
"""What names one field of a graph: a `Field`, or, for its seeds but the first, what `seed_key` returns."""

Value: TypeAlias = str | int | float
"""What a field holds."""

Place: TypeAlias = tuple[Slot, ...]
"""Slots that only ever change together: the text inputs of one encoder."""

_SEED = ("seed", "noise_seed")
_TEXT = ("text", "t5xxl", "clip_l", "text_g", "text_l", "clip_g", "llama", "prompt")
_SIDES = frozenset({"positive", "negative"})
_SPEAKS = frozenset({*_TEXT, "positive_prompt", "negative_prompt"})
_LATENT = ("latent_image", "latent", "samples", "samples_to", "pixels", "image", "images")
_NO_CONDITIONING = frozenset(
    {*_LATENT, "clip", "clip_vision_output", "control_net", "mask", "model", "style_model", "vae"}
)
_DEAD_ENDS = frozenset({"ConditioningZeroOut"})
"""Nodes that throw the text of their conditioning away."""

_VALUES: Mapping[Field, tuple[tuple[str, ...], Fits]] = {
    Field.MODEL: (("ckpt_name", "unet_name", "model_name", "model_path"), is_text),
    Field.WIDTH: (("width", "empty_latent_width"), is_whole),
    Field.HEIGHT: (("height", "empty_latent_height"), is_whole),
    Field.STEPS: (("steps",), is_whole),
    Field.CFG: (("cfg", "cfg_conds"), is_number),
    Field.GUIDANCE: (("guidance",), is_number),
    Field.SAMPLER: (("sampler_name",), is_text),
    Field.SCHEDULER: (("scheduler",), is_text),
    Field.SEED: (_SEED, is_whole),
}


def seed_key(index: int) -> Key:
    """Name a graph's seed by its index, from 0: `seed`, `seed-2`, `seed-3`."""
    return f"{Field.SEED}-{index + 1}" if index else Field.SEED


def seed_keys(keys: Iterable[Key]) -> list[Key]:
    """Return those of the keys that name seeds."""
    return [key for key in keys if field_of(key) is Field.SEED]


def field_of(key: Key) -> Field:
    """Return what kind of field a key names."""
    return Field(key.partition("-")[0])


def find_fields(graph: object) -> Mapping[Key, tuple[Slot, ...]]:
    """Return the slots of each field that any JSON value has, the one to show first; no slot serves two fields."""
    nodes = nodes_of(graph)
    looks = [_look(nodes, sampler) for sampler in _samplers(nodes)[:MAX_PASSES]]
    found: dict[Key, tuple[Slot, ...]] = {}
    taken: set[Slot] = set()
    for field in Field:
        places = [place for look in looks for place in look.get(field, ()) if place and taken.isdisjoint(place)]
        if field is Field.SEED:
            found.update((key, (slot,)) for key, slot in _seeds(places).items())
        elif places:
            found[field] = tuple(dict.fromkeys(slot for place in _alike(nodes, places) for slot in place))
            taken.update(found[field])
    return MappingProxyType(found)


def first_slots(nodes: Nodes) -> Mapping[Key, Slot]:
    """Return where the first pass has each field, and the seeds of the first few passes.

    Links and types decide, so that graphs of one shape have them in the same places.
    """
    looks = [_look(nodes, sampler) for sampler in _samplers(nodes)[:MAX_SHOWN_PASSES]]
    found: dict[Key, Slot] = {}
    taken: set[Slot] = set()
    for field in Field:
        passes = looks if field is Field.SEED else looks[:1]
        places = [place for look in passes for place in look.get(field, ()) if place and taken.isdisjoint(place)]
        if field is Field.SEED:
            found.update(_seeds(places))
        elif places:
            found[field] = places[0][0]
            taken.update(places[0])
    return MappingProxyType(found)


def _seeds(places: Iterable[Place]) -> Mapping[Key, Slot]:
    """Return the seeds by their keys; a seed node that feeds several samplers is one."""
    slots = dict.fromkeys(slot for place in places for slot in place)
    return {seed_key(index): slot for index, slot in enumerate(slots) if index < MAX_SEEDS}


def _samplers(nodes: Nodes) -> list[Node]:
    """Return the samplers, first pass first and idle ones last; without any, the nodes that have a seed."""
    chosen = {node.id for node in nodes.values() if _samples(node)}
    chosen = chosen or {node.id for node in nodes.values() if any(name in node.inputs for name in _SEED)}
    if len(chosen) < 2:
        return [nodes[node_id] for node_id in chosen]
    used = {source for node in nodes.values() for source in node.links.values()}
    return sorted((node for node in upstream_first(nodes) if node.id in chosen), key=lambda node: node.id not in used)


def _samples(node: Node) -> bool:
    if "positive" in node.links:
        return any(name in node.inputs for name in _SEED)
    return "guider" in node.links and "sigmas" in node.links


def _look(nodes: Nodes, sampler: Node) -> Mapping[Field, list[Place]]:
    """Return every place of each field in one pass, the nearest to the sampler first."""
    settings = list(walk(nodes, sampler, along("noise", "guider", "sampler", "sigmas")))
    model = list(walk(nodes, sampler, along("guider", "model", "model1", "sigmas")))
    latent = list(walk(nodes, sampler, along(*_LATENT)))
    positive = list(walk(nodes, sampler, partial(_conditioning, "positive")))
    negative = list(walk(nodes, sampler, partial(_conditioning, "negative")))
    prompt = [_texts(nodes, node, "positive") for node in positive]
    dice = [nodes[slot.node_id] for place in prompt for slot in place]
    # A model or a schedule that depends on the size (Flux) names it again.
    sized = [*latent, *model] if any(_places(nodes, Field.WIDTH, latent)) else []
    sources = {
        Field.MODEL: model,
        Field.WIDTH: sized,
        Field.HEIGHT: sized,
        Field.GUIDANCE: positive,
        Field.SEED: [*settings, *dice],
    }
    return {
        **{field: list(_places(nodes, field, sources.get(field, settings))) for field in _VALUES},
        Field.PROMPT: prompt,
        Field.NEGATIVE: [place for node in negative if (place := _texts(nodes, node, "negative")) not in prompt],
    }


def _places(nodes: Nodes, field: Field, sources: Iterable[Node]) -> Iterator[Place]:
    names, fits = _VALUES[field]
    for node in sources:
        if slot := slot_of(nodes, node, names, fits):
            yield (slot,)


def _conditioning(side: str, node: Node) -> list[str]:
    """Return the inputs through which a conditioning came, on the positive or the negative side."""
    if side in node.links:
        return [side]
    if node.class_type in _DEAD_ENDS:
        return []
    conditionings = [name for name in node.links if name.startswith("cond")]
    # A guider of two prompts names only its negative by the side.
    if not _SIDES.isdisjoint(node.inputs):
        return conditionings if side == "positive" else []
    if "guider" in node.links:
        return ["guider"]
    if conditionings:
        return conditionings
    return [name for name in node.links if name not in _NO_CONDITIONING] if _SPEAKS.isdisjoint(node.inputs) else []


def _texts(nodes: Nodes, node: Node, side: str) -> Place:
    """Return the text inputs of the node if it is where a conditioning begins."""
    if _conditioning(side, node):
        return ()
    own = [name for name in (side, f"{side}_prompt") if is_text(node.inputs.get(name))]
    slots = (slot_of(nodes, node, (name,), is_text) for name in own or _TEXT)
    return tuple(slot for slot in slots if slot)


def _alike(nodes: Nodes, places: list[Place]) -> list[Place]:
    """Return the first place and those that say the same."""
    first = _value(nodes, places[0])
    return [place for place in places if _value(nodes, place) == first]


def _value(nodes: Nodes, place: Place) -> object:
    return nodes[place[0].node_id].inputs[place[0].input_name]
