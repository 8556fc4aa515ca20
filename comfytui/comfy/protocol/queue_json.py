"""Read the queue and the history into typed values, in pieces as they arrive (shapes of ComfyUI 0.33.0).

A few malformed prompts are left out. A body of another shape altogether raises ValueError, so that the response of some
other service is not taken for an empty queue.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Generic, TypeVar

from msgspec import Raw
from msgspec.json import Decoder

from comfytui.comfy.limits import (
    HISTORY_MEMBERS,
    MALFORMED_MEMBERS,
    MEMBER_LIMIT,
    OUTPUTS_LIMIT,
    PIECE,
    QUEUE_MEMBERS,
    LimitExceeded,
)
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.json_stream import PieceReader
from comfytui.comfy.protocol.models import HistoryEntry, Json, Queue, QueueItem
from comfytui.comfy.protocol.queue_items import entry_of, item_of

T = TypeVar("T")

RUNNING, PENDING = "queue_running", "queue_pending"
OUTPUTS_IN_ALL = 2 * OUTPUTS_LIMIT
"""Files kept of all entries of one response, besides the first ones of each entry."""
OUTPUTS_EACH = 16
"""Files kept of each entry in any case."""

_decode_lists = Decoder(dict[str, list[Raw]]).decode
_decode_entries = Decoder(dict[str, Raw]).decode


class QueueReader(PieceReader, Generic[T]):
    """Reads a queue.

    Args:
        keep: Called with each prompt; only what it returns is held in memory.
        piece: As for `PieceReader`.
    """

    # The end of a prompt (a list or an object, then its own bracket), a comma, and the number of the next prompt.
    boundary = re.compile(rb"[\]}]\s{0,99}\](\s{0,99},\s{0,99})\[\s{0,99}-?\d")
    closing = b"]}"
    outer = 2

    def __init__(self, keep: Callable[[QueueItem], T], piece: int = PIECE) -> None:
        super().__init__(piece)
        self._keep = keep
        self._lists: dict[str, list[tuple[float, T]]] = {}
        self._kept = 0
        self._malformed = 0

    def read_document(self, document: bytes) -> None:
        """Read prompts of one list or both.

        Raises:
            ValueError: If it is not a part of a queue; then nothing is read of it.
            LimitExceeded: If the queue has too many prompts, or too many malformed ones.
        """
        lists: Mapping[str, Iterable[Raw | Json]]
        try:
            lists = _decode_lists(document)
        except (ValueError, RecursionError):  # NaN or lone surrogates in a graph, which ComfyUI writes, or no queue
            parsed = json_readers.loads(document)
            if not isinstance(parsed, dict):
                raise ValueError("no queue") from None
            lists = {name: json_readers.items(value) for name, value in parsed.items()}
        for name in lists.keys() & {RUNNING, PENDING}:
            self._add(self._lists.setdefault(name, []), lists[name])
        if lists:
            # The next piece continues the list that this one ends in.
            self.opening = f'{{"{PENDING if next(reversed(lists)) == PENDING else RUNNING}": ['.encode()

    def queue(self) -> Queue[T]:
        """Return the queue that was read; the body has the pending prompts in heap order, the queue sorted.

        Raises:
            ValueError: If the body was not a queue.
        """
        if len(self._lists) < 2:
            raise ValueError("no queue")
        pending = sorted(self._lists[PENDING], key=itemgetter(0))
        return Queue(tuple(kept for _, kept in self._lists[RUNNING]), tuple(kept for _, kept in pending))

    def _add(self, found: list[tuple[float, T]], items: Iterable[Raw | Json]) -> None:
        for value in items:
            item = item_of(value)
            if item is None:
                self._malformed = _incremented(self._malformed, MALFORMED_MEMBERS, "malformed prompts")
                continue
            self._kept = _incremented(self._kept, QUEUE_MEMBERS, "prompts")
            found.append((item.number, self._keep(replace(item, graph={}) if self.shortened else item)))


class HistoryReader(PieceReader, Generic[T]):
    """Reads a history.

    Args:
        keep: Called with each entry; only what it returns is held in memory, and nothing if it returns None.
        max_items: How many entries are kept, the newest.
        max_outputs: How many files are kept of all entries, besides the first ones of each.
        piece: As for `PieceReader`, like the next one.
        member_limit: Bytes of an entry from which on it is shortened.
    """

    boundary = re.compile(rb'\}(\s{0,99},\s{0,99})"[^"\\]{1,256}"\s{0,99}:\s{0,99}\{\s{0,99}"prompt"\s{0,99}:')
    closing = b"}"

    def __init__(
        self,
        keep: Callable[[HistoryEntry], T | None],
        max_items: int = HISTORY_MEMBERS,
        *,
        max_outputs: int = OUTPUTS_IN_ALL,
        piece: int = PIECE,
        member_limit: int = MEMBER_LIMIT,
    ) -> None:
        super().__init__(piece, member_limit)
        self._keep = keep
        self._entries: deque[T] = deque(maxlen=max_items)
        self._outputs_left = max_outputs
        self._kept = 0
        self._malformed = 0

    def read_document(self, document: bytes) -> None:
        """Read some entries.

        Raises:
            ValueError: If it is not a part of a history; then nothing is read of it.
            LimitExceeded: If the history has too many entries, or too many malformed ones.
        """
        entries: Mapping[str, Raw | Json]
        try:
            entries = _decode_entries(document)
        except (ValueError, RecursionError):
            entries = json_readers.loads(document)
            if not isinstance(entries, dict):
                raise ValueError("no history") from None
        for key, value in entries.items():
            self._add(key, value)
        self.opening = b"{"

    def history(self) -> tuple[T, ...]:
        """Return what was kept, in the server's order: the newest last."""
        return tuple(self._entries)

    def _add(self, key: str, value: Raw | Json) -> None:
        max_weight = max(min(self._outputs_left, OUTPUTS_LIMIT), OUTPUTS_EACH)
        prompt_id = json_readers.identifier(key)
        if (entry := entry_of(prompt_id, value, max_weight) if prompt_id else None) is None:
            self._malformed = _incremented(self._malformed, MALFORMED_MEMBERS, "malformed entries")
            return
        self._kept = _incremented(self._kept, HISTORY_MEMBERS, "entries")
        self._outputs_left -= sum(map(json_readers.output_weight, entry.outputs))
        if self.shortened:
            # A graph of which parts were left out cannot be submitted again.
            entry = replace(entry, item=replace(entry.item, graph={}))
        if (kept := self._keep(entry)) is not None:
            self._entries.append(kept)


def _incremented(count: int, limit: int, what: str) -> int:
    if count >= limit:
        raise LimitExceeded(f"more than {limit:,} {what}")
    return count + 1
