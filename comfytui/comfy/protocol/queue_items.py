"""Parse one prompt of the queue, or one entry of the history, leaving its graph unparsed if possible.

Graphs, and the workflows embedded beside them, are nearly all of a body of megabytes. Finding where they end takes a
tenth of the time of parsing them, and blocks other threads for as much less.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

from msgspec import Raw, Struct
from msgspec.json import Decoder

from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.events import Event, ExecutionError, ExecutionInterrupted
from comfytui.comfy.protocol.messages import event_of
from comfytui.comfy.protocol.models import HistoryEntry, Json, QueueItem

Data = Mapping[str, Any]


class ExtraStruct(Struct):
    """The parts of a prompt's `extra_data` that are read."""

    client_id: Any = None
    create_time: Any = None
    comfytui: Any = None


class ItemStruct(Struct, array_like=True):
    """One prompt of the queue: `[number, prompt_id, graph, extra_data, outputs]`."""

    number: Any
    prompt_id: Any
    graph: Raw
    extra: ExtraStruct


class EntryStruct(Struct):
    """One entry of the history."""

    prompt: Raw = Raw(b"null")
    outputs: Raw = Raw(b"null")
    status: Raw = Raw(b"null")


_decode_item = Decoder(ItemStruct).decode
_decode_entry = Decoder(EntryStruct).decode
_decode_value = Decoder().decode


def item_of(value: Raw | Json) -> QueueItem | None:
    """Parse one prompt of the queue, from JSON or from its parsed value; None if it has no id."""
    if not isinstance(value, Raw):
        return _parsed_item(value)
    try:
        part = _decode_item(value)
    except (ValueError, RecursionError):  # not as ComfyUI has them
        return _parsed_item(_loads(value))
    extra = part.extra
    return _item(part.number, part.prompt_id, bytes(part.graph), extra.client_id, extra.create_time, extra.comfytui)


def entry_of(prompt_id: str, value: Raw | Json, max_weight: int) -> HistoryEntry | None:
    """Parse one entry of the history, from JSON or from its parsed value; None if it is not an object.

    Args:
        prompt_id: The key of the entry.
        value: The entry.
        max_weight: How many files are kept, by their `output_weight`.
    """
    if isinstance(value, Raw):
        try:
            part = _decode_entry(value)
        except (ValueError, RecursionError):
            value = _loads(value)
        else:
            return _entry(prompt_id, item_of(part.prompt), _loads(part.outputs), _loads(part.status), max_weight)
    if not isinstance(value, dict):
        return None
    item = _parsed_item(value.get("prompt"))
    return _entry(prompt_id, item, value.get("outputs"), value.get("status"), max_weight)


def _parsed_item(value: Json) -> QueueItem | None:
    number, prompt_id, graph, extra = [*json_readers.items(value)[:4], None, None, None, None][:4]
    extra = json_readers.mapping(extra)
    client_id, create_time, tag = (extra.get(name) for name in ("client_id", "create_time", "comfytui"))
    return _item(number, prompt_id, json_readers.mapping(graph), client_id, create_time, tag)


def _item(
    number: Json, prompt_id: Json, graph: Data | bytes, client_id: Json, create_time: Json, tag: Json
) -> QueueItem | None:
    known_id = json_readers.identifier(prompt_id)
    if known_id is None:
        return None
    return QueueItem(
        known_id,
        json_readers.number(number) or 0.0,
        graph,
        json_readers.identifier(client_id),
        json_readers.integer(create_time),
        json_readers.mapping(tag),
    )


def _loads(raw: Raw) -> Json:
    """Parse a part of an entry; None if it is malformed or too large."""
    with suppress(ValueError):
        json_readers.check_values(document := bytes(raw))
        try:
            return _decode_value(document)  # Unlike `json.loads`, it makes no str of it, at up to 4 bytes a character.
        except (ValueError, RecursionError):  # NaN or lone surrogates, which ComfyUI writes
            return json_readers.loads(document)
    return None


def _entry(prompt_id: str, item: QueueItem | None, outputs: Json, status: Json, max_weight: int) -> HistoryEntry:
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
        json_readers.prompt_outputs(outputs, max_weight),
        json_readers.identifiers(messages.get("execution_cached", {}).get("nodes")),
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
