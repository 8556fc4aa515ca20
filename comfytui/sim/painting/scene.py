"""The description of an image: a prompt's words, a seed, and the random choices that follow from them."""

import random
import re
from dataclasses import dataclass
from functools import cached_property

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """The content of an image; the same text, seed and index always give the same image."""

    text: str
    seed: int
    index: int = 0
    """Position in the latent batch."""

    @cached_property
    def words(self) -> frozenset[str]:
        """The prompt's words in lower case."""
        return frozenset(re.findall(r"[a-z]+", self.text.lower()))

    def rng(self, layer: str) -> random.Random:
        """Return the random generator for one layer of the image."""
        return random.Random(f"{self.seed}/{self.index}/{' '.join(sorted(self.words))}/{layer}")

    def has(self, *words: str) -> bool:
        """Return whether the prompt contains one of these words."""
        return not self.words.isdisjoint(words)
