"""Find the inputs of a graph that a form can show and set, by following links upstream from its samplers.

Each sampler is one pass, and the first pass decides what the form shows. A later pass is set together with it where
both have the same value, and else has fields of its own (`steps-2` of a hires pass, `prompt-2` of a face detailer).
Seeds are the exception: every sampler's seed is a field of its own, as is the seed of a node that randomises the
prompt; samplers that share a seed node share a field. LoRAs, ControlNets and input files have a row each.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, field_key, field_of, seed_key, seed_keys
from comfytui.workflow.lora_fields import LORA_FIELDS, lora_rows
from comfytui.workflow.node_fields import CONTROLNET_FIELDS, controlnet_rows, file_slots, loader_slots
from comfytui.workflow.nodes import Nodes, Slot, nodes_of
from comfytui.workflow.passes import SlotGroup, pass_fields, samplers_of, seeds_of
from comfytui.workflow.value_slots import resolve_switches

__all__ = ["Field", "FieldKey", "FieldValue", "field_of", "find_fields", "first_slots", "seed_key", "seed_keys"]

MAX_PASSES: Final = 16
"""Samplers of one graph that are searched for fields."""

MAX_SEEDS: Final = 16
"""Seeds of one graph that can be set; the others keep their values."""

MAX_DISPLAYED_PASSES: Final = 4
"""Samplers of one graph that are searched for seeds only to display them."""


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

_MORE_PASS_FIELDS: Final = (Field.LYRICS, Field.LENGTH, Field.DURATION, Field.DENOISE)
_PASS_FIELDS: Final = tuple(field for field in Field if field in {*DISPLAYED_FIELDS, *_MORE_PASS_FIELDS})

_TEXT_FIELDS: Final = frozenset({Field.PROMPT, Field.NEGATIVE, Field.LYRICS})

MAX_FIELDS: Final = 16
"""Fields of one kind that passes and loaders have; the other values stay as they are."""


class _Found:
    """The fields of a graph as they are found; no slot belongs to two of them."""

    def __init__(self) -> None:
        self.fields: dict[FieldKey, SlotGroup] = {}
        self._taken: set[Slot] = set()

    def free(self, groups: Iterable[SlotGroup]) -> list[SlotGroup]:
        """Return the groups without any slot of a field."""
        return [group for group in groups if group and self._taken.isdisjoint(group)]

    def add(self, field: Field, groups: Iterable[SlotGroup]) -> None:
        """Add fields of one kind, each with its index among the groups."""
        for index, group in enumerate(groups):
            if slots := tuple(slot for slot in group if slot not in self._taken):
                self.fields[field_key(field, index)] = slots
                self._taken.update(slots)


def find_fields(graph: object) -> Mapping[FieldKey, tuple[Slot, ...]]:
    """Find the fields of a graph, which may be any JSON value.

    Returns:
        The slots to set for each field, first the one whose value to show; no slot belongs to two fields.
    """
    nodes = resolve_switches(nodes_of(graph))
    found = _Found()
    passes = [pass_fields(nodes, sampler, _PASS_FIELDS) for sampler in samplers_of(nodes)[:MAX_PASSES]]
    for field in _PASS_FIELDS:
        by_pass = [found.free(each[field]) for each in passes]
        if field is Field.SEED:
            found.add(field, [(slot,) for slot in _seed_slots(nodes, (group for each in by_pass for group in each))])
        else:
            found.add(field, _groups_by_value(nodes, field, by_pass))
    for field, slots in file_slots(nodes).items():
        found.add(field, [(slot,) for slot in slots[:MAX_FIELDS]])
    for field, slots in loader_slots(nodes).items():
        found.add(field, _groups_by_value(nodes, field, [found.free([(slot,)]) for slot in slots]))
    for rows, fields in ((lora_rows(nodes), LORA_FIELDS), (controlnet_rows(nodes), CONTROLNET_FIELDS)):
        for field in fields:
            found.add(field, [(row[field],) if field in row else () for row in rows])
    order = {field: index for index, field in enumerate(Field)}
    return MappingProxyType(dict(sorted(found.fields.items(), key=lambda item: order[field_of(item[0])])))


def first_slots(nodes: Nodes) -> Mapping[FieldKey, Slot]:
    """Return the slot of each displayed field in the first pass, and of the seeds in the first few passes.

    They depend on links, types and switches only, so that graphs of the same shape have the same slots.
    """
    nodes = resolve_switches(nodes)
    samplers = samplers_of(nodes)[:MAX_DISPLAYED_PASSES]
    passes = [pass_fields(nodes, each, (Field.SEED,) if at else DISPLAYED_FIELDS) for at, each in enumerate(samplers)]
    found: dict[FieldKey, Slot] = {}
    taken: set[Slot] = set()
    for field in DISPLAYED_FIELDS:
        searched = passes if field is Field.SEED else passes[:1]
        groups = [group for each in searched for group in each.get(field, ()) if group and taken.isdisjoint(group)]
        if field is Field.SEED:
            found.update((seed_key(index), slot) for index, slot in enumerate(_seed_slots(nodes, groups)))
        elif groups:
            found[field] = groups[0][0]
            taken.update(groups[0])
    return MappingProxyType(found)


def _seed_slots(nodes: Nodes, groups: Iterable[SlotGroup]) -> list[Slot]:
    """Return the seeds of passes, then those of other nodes; a seed node that feeds several samplers counts once."""
    slots = dict.fromkeys(slot for group in groups for slot in group)
    slots.update(dict.fromkeys(slot for node in nodes.values() for slot in seeds_of(nodes, node)))
    return list(slots)[:MAX_SEEDS]


def _groups_by_value(nodes: Nodes, field: Field, by_pass: Sequence[Sequence[SlotGroup]]) -> list[SlotGroup]:
    """Return the slots that are set together, by equal values.

    The first value takes every slot that has it. Of the others, each pass has the one that is nearest to its sampler,
    and of prompts all.
    """
    every = [group for groups in by_pass for group in groups]
    if not every:
        return []
    first = _value(nodes, every[0])
    together: dict[FieldValue, list[SlotGroup]] = {first: [group for group in every if _value(nodes, group) == first]}
    for groups in by_pass:
        for group in groups if field in _TEXT_FIELDS else groups[:1]:
            same = together.setdefault(_value(nodes, group), [])
            if group not in same:
                same.append(group)
    merged = (tuple(dict.fromkeys(slot for group in groups for slot in group)) for groups in together.values())
    return list(merged)[:MAX_FIELDS]


def _value(nodes: Nodes, group: SlotGroup) -> FieldValue:
    value: FieldValue = nodes[group[0].node_id].inputs[group[0].input_name]
    return value
