"""Which seeds each image of a batch gets."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from comfytui.workflow.fields import Slot, find_fields, seed_keys
from comfytui.workflow.nodes import Graph, is_whole, nodes_of

MAX_SEED: Final = 2**64 - 1
"""The largest seed that ComfyUI's samplers take."""

MAX_RANDOM_SEED: Final = 2**53
"""Random seeds stay below it, so that they survive JavaScript: the editor reads them back exactly."""


class SeedMode(StrEnum):
    """How seeds differ within a batch."""

    FIXED = "fixed"
    INCREMENT = "increment"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class SeedRange:
    """The seeds that a graph takes, both ends included."""

    low: int = 0
    high: int = MAX_SEED

    def next(self, seed: int, steps: int = 1) -> int:
        """The seed so many steps further on; after the last comes the first."""
        return self.low + (seed - self.low + steps) % (self.high - self.low + 1)


ALL_SEEDS = SeedRange()
"""What ComfyUI's own samplers take."""


def seeds_for(mode: SeedMode, base: int, count: int, rng: Random, taken: SeedRange = ALL_SEEDS) -> tuple[int, ...]:
    """Return a seed that is `taken` for each of `count` images; random ones all differ where there are enough."""
    match mode:
        case SeedMode.FIXED:
            return (base,) * count
        case SeedMode.INCREMENT:
            return tuple(taken.next(base, index) for index in range(count))
        case SeedMode.RANDOM:
            choice = range(taken.low, min(taken.high + 1, MAX_RANDOM_SEED))
            return tuple(rng.sample(choice, count) if count <= len(choice) else rng.choices(choice, k=count))


def seeds_by_image(
    mode: SeedMode, bases: Mapping[str, int], count: int, rng: Random, taken: Mapping[str, SeedRange]
) -> list[Mapping[str, int]]:
    """Return the seeds of each of `count` images by their keys: every seed goes on from its own base, by itself."""
    series = {key: seeds_for(mode, base, count, rng, taken[key]) for key, base in bases.items()}
    return [{key: seeds[index] for key, seeds in series.items()} for index in range(count)]


MAX_NEW_SEED: Final = 2**32 - 1
"""The largest seed that is drawn: many nodes take no more, and which ones is not known here."""
_SENT: Final = ("class_type", "inputs", "_meta")
"""What a node is sent with; a server adds what it computed, such as `is_changed`."""


def sendable(graph: object) -> Graph | None:
    """Return a graph that a server gave as a client sends it, or None where it is not one, or JSON cannot carry it."""
    nodes = nodes_of(graph)
    if not isinstance(graph, dict) or not nodes or len(nodes) != len(graph):
        return None
    sent = {node_id: {key: graph[node_id][key] for key in _SENT if key in graph[node_id]} for node_id in nodes}
    try:
        # NaN, infinity and half surrogates can be read, but not be sent.
        json.dumps(sent, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return sent


def reseeded(graph: Graph, rng: Random) -> Graph | None:
    """Return the graph with new seeds, or None where it has no seed; seeds that are equal stay equal.

    The graph itself stays as it is; nodes that do not change are shared with it.
    """
    changed: dict[str, Any] = dict(graph)
    new: dict[int, int] = {}
    for slot in dict.fromkeys(_seeds(graph)):
        node = changed[slot.node_id]
        old = node["inputs"][slot.input_name]
        if old not in new:
            new[old] = rng.randint(0, MAX_NEW_SEED)
        changed[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: new[old]}}
    return changed if new else None


def _seeds(graph: Graph) -> Iterator[Slot]:
    """Every place of a seed: those that samplers draw on, and all that are called so."""
    fields = find_fields(graph)
    for key in seed_keys(fields):
        yield from fields[key]
    for node in nodes_of(graph).values():
        for name, value in node.inputs.items():
            if name.endswith("seed") and is_whole(value):
                yield Slot(node.id, name, node.class_type)
