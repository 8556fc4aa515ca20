"""The queue and the history as typed replies, read in pieces (shapes: ComfyUI 0.33.0).

Malformed prompts are left out, a few of them; a body that is another thing altogether is a ValueError, since something
else must not be read as an empty queue.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from typing import Any, Generic, Literal, TypeVar

from msgspec import Raw

from comfytui.comfy.limits import HISTORY_MEMBERS, MALFORMED_MEMBERS, OUTPUTS_LIMIT, QUEUE_MEMBERS, TooMuch
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.decode import event_of
from comfytui.comfy.protocol.events import Event, ExecutionError, ExecutionInterrupted
from comfytui.comfy.protocol.json_stream import PieceReader
from comfytui.comfy.protocol.models import HistoryEntry, Json, Queue, QueueItem
from comfytui.comfy.protocol.queue_items import decode_entries, decode_entry, decode_item, decode_lists, decode_value

T = TypeVar("T")

RUNNING, PENDING = "queue_running", "queue_pending"
OUTPUTS_IN_ALL = 2 * OUTPUTS_LIMIT
"""Files kept of all entries of one answer, but for the first of each entry."""
OUTPUTS_EACH = 16
"""Files of an entry that are kept in any case."""

Data = Mapping[str, Any]


class QueueReader(PieceReader, Generic[T]):
    """Reads a queue of which only what `keep` makes of each prompt stays."""

    # What a prompt ends with, a list or an object, its own end, and the next one's number.
    boundary = re.compile(rb"[\]}]\s{0,99}\](\s{0,99},\s{0,99})\[\s{0,99}-?\d")
    closing = b"]}"
    outer = 2

    def __init__(self, keep: Callable[[QueueItem], T]) -> None:
        super().__init__()
        self._keep = keep
        self._lists: dict[str, list[tuple[float, T]]] = {}
        self._kept = 0
        self._malformed = 0

    def read_document(self, document: bytes) -> None:
        """Read some prompts of one list or more."""
        lists: Mapping[str, Iterable[Raw | Json]]
        try:
            lists = decode_lists(document)
        except (ValueError, RecursionError):  # NaN and lone surrogates in a graph, which ComfyUI writes, or no queue
            read = json_readers.loads(document)
            if not isinstance(read, dict):
                raise ValueError("no queue") from None
            lists = {name: json_readers.items(value) for name, value in read.items()}
        for name in lists.keys() & {RUNNING, PENDING}:
            self._add(self._lists.setdefault(name, []), lists[name])
        if lists:
            # The next piece goes on in the list that this one ends in.
            self.opening = f'{{"{PENDING if next(reversed(lists)) == PENDING else RUNNING}": ['.encode()

    def queue(self) -> Queue[T]:
        """What was read: running and pending, the latter in the order in which they will run (heap order in the body).

        Raises ValueError if it is no queue.
        """
        if len(self._lists) < 2:
            raise ValueError("no queue")
        pending = sorted(self._lists[PENDING], key=itemgetter(0))
        return Queue(tuple(kept for _, kept in self._lists[RUNNING]), tuple(kept for _, kept in pending))

    def _add(self, found: list[tuple[float, T]], items: Iterable[Raw | Json]) -> None:
        for each in items:
            item = _item_of(each)
            if item is None:
                self._malformed = _counted(self._malformed, MALFORMED_MEMBERS, "malformed prompts")
                continue
            self._kept = _counted(self._kept, QUEUE_MEMBERS, "prompts")
            found.append((item.number, self._keep(replace(item, graph={}) if self.shortened else item)))


class HistoryReader(PieceReader, Generic[T]):
    """Reads the newest `most` entries of a history, of which only what `keep` makes of each stays, but for None."""

    boundary = re.compile(rb'\}(\s{0,99},\s{0,99})"[^"\\]{1,256}"\s{0,99}:\s{0,99}\{\s{0,99}"prompt"\s{0,99}:')
    closing = b"}"

    def __init__(self, keep: Callable[[HistoryEntry], T | None], most: int = HISTORY_MEMBERS) -> None:
        super().__init__()
        self._keep = keep
        self._entries: deque[T] = deque(maxlen=most)
        self._outputs_left = OUTPUTS_IN_ALL
        self._kept = 0
        self._malformed = 0

    def read_document(self, document: bytes) -> None:
        """Read some entries."""
        entries: Mapping[str, Raw | Json]
        try:
            entries = decode_entries(document)
        except (ValueError, RecursionError):
            entries = json_readers.loads(document)
            if not isinstance(entries, dict):
                raise ValueError("no history") from None
        for key, value in entries.items():
            self._add(key, value)
        self.opening = b"{"

    def history(self) -> tuple[T, ...]:
        """What was read, in the server's order: the newest last."""
        return tuple(self._entries)

    def _add(self, key: str, value: Raw | Json) -> None:
        most = max(min(self._outputs_left, OUTPUTS_LIMIT), OUTPUTS_EACH)
        prompt_id = json_readers.ident(key)
        if (entry := _entry_of(prompt_id, value, most) if prompt_id else None) is None:
            self._malformed = _counted(self._malformed, MALFORMED_MEMBERS, "malformed entries")
            return
        self._kept = _counted(self._kept, HISTORY_MEMBERS, "entries")
        self._outputs_left -= sum(map(json_readers.weight, entry.outputs))
        if self.shortened:
            entry = replace(entry, item=replace(entry.item, graph={}))  # What is left of it could not be made again.
        if (kept := self._keep(entry)) is not None:
            self._entries.append(kept)


def parse_queue(raw: bytes, keep: Callable[[QueueItem], T]) -> Queue[T]:
    """A queue whose body is here whole."""
    reader = QueueReader(keep)
    reader.feed(raw)
    reader.read_rest()
    return reader.queue()


def parse_history(raw: bytes) -> tuple[HistoryEntry, ...]:
    """A history whose body is here whole."""
    reader: HistoryReader[HistoryEntry] = HistoryReader(lambda entry: entry)
    reader.feed(raw)
    reader.read_rest()
    return reader.history()


def _counted(count: int, most: int, what: str) -> int:
    if count >= most:
        raise TooMuch(f"more than {most:,} {what}")
    return count + 1


def _item_of(value: Raw | Json) -> QueueItem | None:
    """One prompt, from its text or from its value."""
    if not isinstance(value, Raw):
        return parse_item(value)
    try:
        part = decode_item(value)
    except (ValueError, RecursionError):  # not as ComfyUI has them
        return parse_item(_loads(value))
    extra = part.extra
    return _item(part.number, part.prompt_id, bytes(part.graph), extra.client_id, extra.create_time, extra.comfytui)


def parse_item(value: Json) -> QueueItem | None:
    """`[number, prompt_id, graph, extra_data, outputs]`; None without an id."""
    number, prompt_id, graph, extra = [*json_readers.items(value)[:4], None, None, None, None][:4]
    extra = json_readers.mapping(extra)
    marks = (extra.get(name) for name in ("client_id", "create_time", "comfytui"))
    return _item(number, prompt_id, json_readers.mapping(graph), *marks)


def _item(
    number: Json, prompt_id: Json, graph: Data | bytes, client_id: Json, create_time: Json, marks: Json
) -> QueueItem | None:
    known = json_readers.ident(prompt_id)
    if known is None:
        return None
    return QueueItem(
        known,
        json_readers.number(number) or 0.0,
        graph,
        json_readers.ident(client_id),
        json_readers.integer(create_time),
        json_readers.mapping(marks),
    )


def _entry_of(prompt_id: str, value: Raw | Json, most_outputs: int) -> HistoryEntry | None:
    """One entry, from its text or from its value; None for what is no object."""
    if isinstance(value, Raw):
        try:
            part = decode_entry(value)
        except (ValueError, RecursionError):
            value = _loads(value)
        else:
            return _entry(prompt_id, _item_of(part.prompt), _loads(part.outputs), _loads(part.status), most_outputs)
    if not isinstance(value, dict):
        return None
    item = parse_item(value.get("prompt"))
    return _entry(prompt_id, item, value.get("outputs"), value.get("status"), most_outputs)


def _loads(text: Raw) -> Json:
    """A value out of its text; None for one that is too much."""
    with suppress(ValueError):
        json_readers.check_values(document := bytes(text))
        try:
            return decode_value(document)  # which makes no text of the whole, at four bytes a character
        except (ValueError, RecursionError):  # NaN and lone surrogates, which ComfyUI writes
            return json_readers.loads(document)
    return None


def _entry(prompt_id: str, item: QueueItem | None, outputs: Json, status: Json, most_outputs: int) -> HistoryEntry:
    status = json_readers.mapping(status)
    messages = dict(_messages(status.get("messages")))
    error = event_of("execution_error", messages.get("execution_error"))
    interrupted = event_of("execution_interrupted", messages.get("execution_interrupted"))
    ends = ("execution_success", "execution_error", "execution_interrupted")
    texts = (
        json_readers.texts(json_readers.mapping(output).get("text"))
        for output in json_readers.mapping(outputs).values()
    )
    return HistoryEntry(
        item or QueueItem(prompt_id, 0.0),
        _outcome(status, error, interrupted),
        json_readers.outputs_of_all(outputs, most_outputs),
        json_readers.idents(messages.get("execution_cached", {}).get("nodes")),
        error if isinstance(error, ExecutionError) else None,
        interrupted if isinstance(interrupted, ExecutionInterrupted) else None,
        json_readers.integer(messages.get("execution_start", {}).get("timestamp")),
        next((json_readers.integer(messages[end].get("timestamp")) for end in ends if end in messages), None),
        json_readers.texts([line for lines in texts for line in lines]),
    )


def _messages(value: Json) -> Iterator[tuple[str, Data]]:
    for message in map(json_readers.items, json_readers.items(value)):
        if len(message) == 2:
            yield json_readers.text(message[0]), json_readers.mapping(message[1])


def _outcome(status: Data, error: Event, interrupted: Event) -> Literal["success", "error", "interrupted"] | None:
    if isinstance(interrupted, ExecutionInterrupted):
        return "interrupted"
    match status.get("status_str"):
        case "success":
            return "success"
        case "error":
            return "error"
    return "error" if isinstance(error, ExecutionError) else None
