"""Which seeds each image of a batch gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

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
