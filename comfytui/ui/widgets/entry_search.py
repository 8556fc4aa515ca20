"""Entries of a list by groups, and a search in them, a little at a time, that gives its best matches first."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Generic, TypeVar

T = TypeVar("T")

CHUNK: Final = 2_048
"""Entries whose texts are searched at once."""

DETAIL, END = "\x1f", "\n"
"""What separates an entry's title from its detail, and an entry from the next one, in a text that is searched."""
_SEPARATORS = str.maketrans({DETAIL: " ", END: " "})


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One entry of a list."""

    title: str
    value: T
    """What the list is for: it is returned when the entry is chosen."""
    detail: str = ""
    """A short remark beside the title, which is searched too."""


class EntryGroup(Generic[T]):
    """Entries of one kind.

    Args:
        name: The name of the group, which is shown where there are several.
        entries: The entries; a sequence may make each one when it is asked for.
        note: Why there are none, or not all: they are still being read, or could not be.
        loading: Whether they are being read.
    """

    def __init__(
        self, name: str = "", entries: Sequence[Entry[T]] = (), *, note: str = "", loading: bool = False
    ) -> None:
        self.name = name
        self.entries = entries
        self.note = note
        self.loading = loading
        self._texts: list[str | None] = [None] * -(-len(entries) // CHUNK)

    def text(self, chunk: int) -> str:
        """Return the texts of a chunk's entries in lower case, one in a line, to be searched."""
        if (text := self._texts[chunk]) is None:
            entries = self.entries[chunk * CHUNK : (chunk + 1) * CHUNK]
            text = END.join(
                f"{entry.title}{DETAIL}{entry.detail}" if entry.detail else entry.title for entry in entries
            )
            if text.count(END) >= len(entries) or text.count(DETAIL) > sum(bool(each.detail) for each in entries):
                text = END.join(_clean_text(entry) for entry in entries)
            # Not casefold, which is three times as slow, and differs in few letters.
            self._texts[chunk] = text = text.lower()
        return text

    @property
    def chunks(self) -> range:
        """The indices of the chunks."""
        return range(len(self._texts))


def _clean_text(entry: Entry[T]) -> str:
    title, detail = (text.translate(_SEPARATORS) for text in (entry.title, entry.detail))
    return f"{title}{DETAIL}{detail}"


class Search(Generic[T]):
    """The entries that contain every word of a query, in any order of the words.

    Those whose title begins with the query come first, then those with the first word at the beginning of a word, then
    the other titles, and last those with a word only in their detail; each in the order of the entries.

    Args:
        groups: The entries.
        query: The words. Without words, all entries match at once.
        earlier: A search in the same groups, whose matches are searched instead of all entries if that is enough.
    """

    def __init__(self, groups: Sequence[EntryGroup[T]], query: str, earlier: "Search[T] | None" = None) -> None:
        self._groups = tuple(groups)
        self._offsets = [0, *accumulate(len(group.entries) for group in groups)]
        self.words = query.lower().split()
        self._query = " ".join(self.words)
        self._ranks: tuple[list[int], ...] = ([], [], [], [])
        """The matches of each rank, as positions in all groups."""
        narrowed = earlier if earlier and self._narrows(earlier) else None
        self._pending: Iterator[tuple[int, int, Sequence[int] | None]] = (
            narrowed._hits() if narrowed else self._all_chunks()
        )
        self.done = not self.words
        """Whether all matches are found."""

    def _narrows(self, earlier: "Search[T]") -> bool:
        """Whether all matches are among the few of an earlier search that is complete."""
        return (
            earlier.done
            and len(earlier.found) <= self.total // 8
            and earlier._groups == self._groups
            and all(any(old in new for new in self.words) for old in earlier.words)
        )

    def _all_chunks(self) -> Iterator[tuple[int, int, None]]:
        return ((number, chunk, None) for number, group in enumerate(self._groups) for chunk in group.chunks)

    def _hits(self) -> Iterator[tuple[int, int, Sequence[int]]]:
        """Yield the matches by their chunks: the group, the chunk, and the lines of the chunk."""
        positions = sorted(position for rank in self._ranks for position in rank)
        at = 0
        while at < len(positions):
            number, index = _locate(self._offsets, positions[at])
            chunk = index // CHUNK
            start = self._offsets[number] + chunk * CHUNK
            end = min(start + CHUNK, self._offsets[number + 1])
            lines: list[int] = []
            while at < len(positions) and positions[at] < end:
                lines.append(positions[at] - start)
                at += 1
            yield number, chunk, lines

    def step(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """Search on for a little while.

        Args:
            seconds: The time after which it stops, up to that for one chunk later.
            clock: The clock.
        """
        until = clock() + seconds
        while not self.done:
            found = next(self._pending, None)
            if found is None:
                self.done = True
                return
            self._search_chunk(*found)
            if clock() >= until:
                return

    def _search_chunk(self, number: int, chunk: int, lines: Sequence[int] | None) -> None:
        text = self._groups[number].text(chunk)
        if not all(word in text for word in self.words):
            return
        texts = text.split(END)
        start = self._offsets[number] + chunk * CHUNK
        first, *others = self.words
        for line in range(len(texts)) if lines is None else lines:
            text = texts[line]
            if first in text and all(word in text for word in others):
                self._ranks[self._rank(text)].append(start + line)

    def _rank(self, text: str) -> int:
        if text.startswith(self._query):
            return 0
        title = text.partition(DETAIL)[0]
        if not all(word in title for word in self.words):
            return 3
        at = title.find(self.words[0])
        while at > 0 and title[at - 1].isalnum():
            at = title.find(self.words[0], at + 1)
        return 1 if at >= 0 else 2

    def marks(self, title: str) -> frozenset[int]:
        """Return the places of the letters of a title that are to be marked as those that match: none."""
        return frozenset()

    @property
    def found(self) -> "Matches[T]":
        """What is found by now."""
        return Matches(self._groups, self._offsets, None if not self.words else self._ranks)

    @property
    def total(self) -> int:
        """The number of entries that are searched."""
        return self._offsets[-1]


class Matches(Generic[T]):
    """What a search has found at one time, the best first; what it finds later is not in it.

    A *position* is the index of an entry in all groups together.

    Args:
        groups: The entries.
        offsets: The position of the first entry of each group, and the number of all entries.
        ranks: The positions of the matches, in lists that may become longer; None if all entries match.
    """

    def __init__(
        self, groups: Sequence[EntryGroup[T]], offsets: Sequence[int], ranks: Sequence[list[int]] | None
    ) -> None:
        self._groups = groups
        self._offsets = offsets
        self._ranks = None if ranks is None else [(rank, len(rank)) for rank in ranks]
        self._count = offsets[-1] if self._ranks is None else sum(length for _, length in self._ranks)

    def __len__(self) -> int:
        return self._count

    def position(self, index: int) -> int:
        """Return the position of a match."""
        if self._ranks is None:
            return index
        for rank, length in self._ranks:
            if index < length:
                return rank[index]
            index -= length
        raise IndexError(index)

    def index(self, position: int) -> int | None:
        """Return which match is at a position; None if none is."""
        if self._ranks is None:
            return position if 0 <= position < self._count else None
        before = 0
        for rank, length in self._ranks:
            if (found := bisect_right(rank, position, hi=length) - 1) >= 0 and rank[found] == position:
                return before + found
            before += length
        return None

    def entry(self, index: int) -> Entry[T]:
        """Return the entry of a match."""
        number, at = _locate(self._offsets, self.position(index))
        return self._groups[number].entries[at]


def _locate(offsets: Sequence[int], position: int) -> tuple[int, int]:
    """Return the group of a position, and the index in it."""
    number = bisect_right(offsets, position) - 1
    return number, position - offsets[number]
