"""A search that also finds words of which letters were left out: `rdfx` in `red fox`."""

from collections.abc import Sequence
from typing import Final, TypeVar

from comfytui.ui.widgets.entry_search import CHUNK, END, EntryGroup, Search

T = TypeVar("T")

SPREAD: Final = 4
"""The letters of a word are within this many times as many characters."""
TIGHT_SPREAD: Final = 2
"""The same for a good match."""
MIN_LETTERS: Final = 2
"""Letters of the shortest word that is found with others in between."""
_BEFORE_WORDS: Final = "\x1f\t()[]{}<>|,.:;-_/\\\"'"
"""What may stand before the first letter of a word, besides a space."""


class FuzzySearch(Search[T]):
    """The entries that contain every word of a query, or its letters in their order from the beginning of a word.

    Those that contain the words come first, as `Search` has them, then those with the letters close together, and last
    those with more between them; each in the order of the entries.

    Args:
        groups: The entries.
        query: The words.
        earlier: A search in the same groups, whose lines are used again.
    """

    def __init__(self, groups: Sequence[EntryGroup[T]], query: str, earlier: Search[T] | None = None) -> None:
        super().__init__(groups, query)
        self._ranks = (*self._ranks, [], [])
        self._spaced_lines: dict[tuple[int, int], list[str]] = {}
        """The lines of each chunk with a space before each word."""
        if isinstance(earlier, FuzzySearch) and earlier._groups == self._groups:
            self._spaced_lines = earlier._spaced_lines

    def _search_chunk(self, number: int, chunk: int, _: Sequence[int] | None) -> None:
        lines = self._groups[number].text(chunk)
        if (spaced_lines := self._spaced_lines.get((number, chunk))) is None:
            self._spaced_lines[number, chunk] = spaced_lines = _spaced(lines).split(END)
        start = self._offsets[number] + chunk * CHUNK
        exact = len(self._ranks) - 2
        for line, (text, spaced) in enumerate(zip(lines.split(END), spaced_lines, strict=True)):
            if all(word in text for word in self.words):
                self._ranks[self._rank(text)].append(start + line)
            elif (is_loose := self._is_loose(text, spaced)) is not None:
                self._ranks[exact + is_loose].append(start + line)

    def _is_loose(self, text: str, spaced: str) -> bool | None:
        """Return whether a word has its letters far from each other; None if one is not in the text."""
        is_loose = False
        for word in self.words:
            if word in text:
                continue
            found = _letters(spaced, word)
            if not found:
                return None
            is_loose |= found[-1] - found[0] >= TIGHT_SPREAD * len(word)
        return is_loose

    def marks(self, title: str) -> frozenset[int]:
        """Return the places of the letters that match."""
        text = title.lower().replace(END, " ")
        if len(text) != len(title):
            return frozenset()  # Some letters become two.
        return frozenset(place for word in self.words for place in _places(text, word))


def _places(text: str, word: str) -> Sequence[int]:
    """Return where a word is, at the beginning of a word of the text if it is there."""
    spaced = _spaced(text)
    at = spaced.find(f" {word}")
    if at < 0:
        at = text.find(word)
    return range(at, at + len(word)) if at >= 0 else [place - 1 for place in _letters(spaced, word)]


def _spaced(text: str) -> str:
    """Return lines with a space before each word and each line, so that characters are one place further."""
    for mark in _BEFORE_WORDS:
        text = text.replace(mark, " ")
    return f" {text}".replace(END, f"{END} ")


def _letters(text: str, word: str) -> list[int]:
    """Return where the letters of a word are closest together; empty if they are too far from each other."""
    if len(word) < MIN_LETTERS:
        return []
    best: list[int] = []
    # Chinese and Japanese have no spaces between words.
    lead = " " if word[0].isascii() else ""
    first, others, room, tight = lead + word[0], word[1:], SPREAD * len(word), TIGHT_SPREAD * len(word)
    start = text.find(first)
    while start >= 0:
        at = begin = start + len(lead)
        end, found = begin + room, [begin]
        for letter in others:
            at = text.find(letter, at + 1, end)
            if at < 0:
                break
            found.append(at)
        else:
            if at - begin < tight:
                return found
            if not best or at - begin < best[-1] - best[0]:
                best = found
        start = text.find(first, start + 1)
    return best
