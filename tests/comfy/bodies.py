"""Parse queues and histories from complete bodies."""

from collections.abc import Callable
from typing import TypeVar

from comfytui.comfy.limits import PIECE
from comfytui.comfy.protocol.models import HistoryEntry, Queue, QueueItem
from comfytui.comfy.protocol.queue_json import OUTPUTS_IN_ALL, HistoryReader, QueueReader

T = TypeVar("T")


def parse_queue(raw: bytes, keep: Callable[[QueueItem], T], piece: int = PIECE) -> Queue[T]:
    """Return the queue of a complete body, of whose prompts only what `keep` returns is kept."""
    reader = QueueReader(keep, piece)
    reader.feed(raw)
    reader.read_rest()
    return reader.queue()


def parse_history(raw: bytes, max_outputs: int = OUTPUTS_IN_ALL) -> tuple[HistoryEntry, ...]:
    """Return the entries of a complete body."""
    reader: HistoryReader[HistoryEntry] = HistoryReader(lambda entry: entry, max_outputs=max_outputs)
    reader.feed(raw)
    reader.read_rest()
    return reader.history()
