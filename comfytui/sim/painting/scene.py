"""A picture before it is painted: what the words of a prompt and a seed make of it."""

import random
import re
from dataclasses import dataclass
from functools import cached_property

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """What a sampler is about to paint: the same text and seed always give the same picture."""

    text: str
    seed: int
    index: int = 0
    """Place in the latent batch."""

    @cached_property
    def words(self) -> frozenset[str]:
        """The prompt's words, lower case."""
        return frozenset(re.findall(r"[a-z]+", self.text.lower()))

    def rng(self, layer: str) -> random.Random:
        """Return the randomness of one layer of the picture."""
        return random.Random(f"{self.seed}/{self.index}/{' '.join(sorted(self.words))}/{layer}")

    def has(self, *words: str) -> bool:
        """Return whether the prompt has one of these words."""
        return not self.words.isdisjoint(words)
