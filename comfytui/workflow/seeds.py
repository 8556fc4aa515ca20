"""Seeds: those of each image of a batch, and new ones for a graph that is queued again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from comfytui.workflow.fields import find_fields, seed_keys
from comfytui.workflow.graph import Graph
from comfytui.workflow.nodes import Slot, is_integer, nodes_of

MAX_SEED: Final = 2**64 - 1
"""The largest seed that ComfyUI's samplers accept."""

MAX_RANDOM_SEED: Final = 2**53
"""Random seeds are below it, so that ComfyUI's editor, written in JavaScript, reads them back exactly."""

MAX_NEW_SEED: Final = 2**32 - 1
"""The largest seed of `reseed`: many nodes accept no more, and it does not know which ones."""


class SeedMode(StrEnum):
    """How the seeds of a batch differ."""

    FIXED = "fixed"
    INCREMENT = "increment"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class SeedRange:
    """The seeds that an input accepts, both ends included."""

    low: int = 0
    high: int = MAX_SEED

    def advance(self, seed: int, steps: int = 1) -> int:
        """Return the seed a number of steps further on; the first one follows the last."""
        return self.low + (seed - self.low + steps) % (self.high - self.low + 1)


ALL_SEEDS = SeedRange()
"""What ComfyUI's own samplers accept."""


def seeds_for(mode: SeedMode, base: int, count: int, rng: Random, allowed: SeedRange = ALL_SEEDS) -> tuple[int, ...]:
    """Return one seed for each of `count` images.

    Args:
        mode: How the seeds differ.
        base: The first seed, unless the mode is random.
        count: The number of images.
        rng: The source of random seeds. They all differ, if there are enough of them.
        allowed: The seeds to choose from.
    """
    match mode:
        case SeedMode.FIXED:
            return (base,) * count
        case SeedMode.INCREMENT:
            return tuple(allowed.advance(base, index) for index in range(count))
        case SeedMode.RANDOM:
            candidates = range(allowed.low, min(allowed.high + 1, MAX_RANDOM_SEED))
            distinct = count <= len(candidates)
            return tuple(rng.sample(candidates, count) if distinct else rng.choices(candidates, k=count))


def seeds_by_image(
    mode: SeedMode, bases: Mapping[str, int], count: int, rng: Random, allowed: Mapping[str, SeedRange]
) -> list[Mapping[str, int]]:
    """Return, for each of `count` images, its seeds by their keys; each key counts on by itself.

    Args:
        mode: How the seeds differ.
        bases: The first seed of each key, unless the mode is random.
        count: The number of images.
        rng: The source of random seeds.
        allowed: The seeds to choose from, for each key of `bases`.
    """
    series = {key: seeds_for(mode, base, count, rng, allowed[key]) for key, base in bases.items()}
    return [{key: seeds[index] for key, seeds in series.items()} for index in range(count)]


def reseed(graph: Graph, rng: Random) -> Graph | None:
    """Return a copy of a graph with new seeds, or None if it has no seed.

    Equal seeds get equal new ones. The graph is not modified; the copy shares its unchanged nodes.
    """
    changed: dict[str, Any] = dict(graph)
    new_seeds: dict[int, int] = {}
    for slot in dict.fromkeys(_seed_slots(graph)):
        node = changed[slot.node_id]
        old = node["inputs"][slot.input_name]
        if old not in new_seeds:
            new_seeds[old] = rng.randint(0, MAX_NEW_SEED)
        changed[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: new_seeds[old]}}
    return changed if new_seeds else None


def _seed_slots(graph: Graph) -> Iterator[Slot]:
    """Yield every slot of a seed: the fields of samplers, and all inputs with the name of a seed."""
    fields = find_fields(graph)
    for key in seed_keys(fields):
        yield from fields[key]
    for node in nodes_of(graph).values():
        for name, value in node.inputs.items():
            if name.endswith("seed") and is_integer(value):
                yield Slot(node.id, name, node.class_type)
