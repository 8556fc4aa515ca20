"""Which seed each image of a batch gets."""

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


def seeds_for(mode: SeedMode, base: int, count: int, rng: Random) -> tuple[int, ...]:
    """Return a seed for each of `count` images; increments wrap around after `MAX_SEED`, random ones all differ."""
    match mode:
        case SeedMode.FIXED:
            return (base,) * count
        case SeedMode.INCREMENT:
            return tuple((base + index) % (MAX_SEED + 1) for index in range(count))
        case SeedMode.RANDOM:
            return tuple(rng.sample(range(MAX_RANDOM_SEED), count))
