"""Seeds: those of each image of a batch, and new ones for a graph that is queued again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from comfytui.workflow.graph import Graph
from comfytui.workflow.nodes import Slot, is_integer, nodes_of
from comfytui.workflow.passes import seeds_of
from comfytui.workflow.value_slots import resolve_switches

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
        rng: The source of random seeds. Those of one image differ, so that no two nodes make the same noise.
        allowed: The seeds to choose from, for each key of `bases`.
    """
    series = {key: seeds_for(mode, base, count, rng, allowed[key]) for key, base in bases.items()}
    images: list[Mapping[str, int]] = [{key: seeds[index] for key, seeds in series.items()} for index in range(count)]
    return [_distinct(seeds, allowed) for seeds in images] if mode is SeedMode.RANDOM else images


def _distinct(seeds: Mapping[str, int], allowed: Mapping[str, SeedRange]) -> Mapping[str, int]:
    """Return seeds none of which equals another, as far as there are enough of them."""
    distinct: dict[str, int] = {}
    for key, seed in seeds.items():
        others = set(distinct.values())
        candidates = (allowed[key].advance(seed, steps) for steps in range(len(seeds)))
        distinct[key] = next((each for each in candidates if each not in others), seed)
    return distinct


def reseed(graph: Graph, rng: Random) -> Graph | None:
    """Return a copy of a graph with new seeds, or None if it has no seed.

    No two seeds get the same number, also where they were equal. The graph is not modified; the copy shares its
    unchanged nodes.
    """
    changed: dict[str, Any] = dict(graph)
    given: set[int] = set()
    for slot in dict.fromkeys(_seed_slots(graph)):
        seed = rng.randint(0, MAX_NEW_SEED)
        while seed in given:
            seed = rng.randint(0, MAX_NEW_SEED)
        given.add(seed)
        node = changed[slot.node_id]
        changed[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: seed}}
    return changed if given else None


def _seed_slots(graph: Graph) -> Iterator[Slot]:
    """Yield every slot of a seed: those that nodes take from others, and all inputs with the name of a seed."""
    nodes = resolve_switches(nodes_of(graph))
    for node in nodes.values():
        yield from seeds_of(nodes, node)
        for name, value in node.inputs.items():
            if name.endswith("seed") and is_integer(value):
                yield Slot(node.id, name, node.class_type)
