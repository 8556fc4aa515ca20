"""HTTP bodies as typed replies (shapes: ComfyUI 0.33.0).

Missing and hostile parts are left out; a body that is another thing altogether is a ValueError, since something else
must not be read as an empty queue.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Literal, TypeVar

from msgspec import Raw

from comfytui.comfy import fields
from comfytui.comfy.decode import event_of
from comfytui.comfy.events import Event, ExecutionError, ExecutionInterrupted
from comfytui.comfy.lists import read_lists
from comfytui.comfy.replies import (
    Device,
    HistoryEntry,
    JobInfo,
    Json,
    NodeError,
    Queue,
    Queued,
    QueueItem,
    SystemStats,
)
from comfytui.comfy.slices import body_of, slice_of

T = TypeVar("T")

NAMES_LIMIT = 100_000
"""Names of models kept of one folder."""

LOG_LIMIT = 1_000
"""Lines of the log that are read; ComfyUI keeps 300."""

Data = Mapping[str, Any]


def parse_queued(body: Json, prompt_id: str) -> Queued:
    """The answer to an accepted prompt; `prompt_id` is the one that was sent."""
    data = fields.mapping(body)
    return Queued(
        fields.ident(data.get("prompt_id")) or prompt_id,
        fields.number(data.get("number")) or 0.0,
        tuple(_node_errors(data)),
    )


def parse_rejection(body: Json) -> tuple[str, tuple[NodeError, ...]]:
    """The sentence of a 400 and the errors by node; an old server's error is a plain string."""
    data = parse_object(body)
    if not data.keys() & {"error", "node_errors"}:
        raise ValueError("no rejection")
    error = data.get("error")
    said = fields.mapping(error)
    message = fields.text(said.get("message")) or fields.text(error) or "no reason was given"
    details = fields.text(said.get("details"))
    full = f"{message} ({details})" if details and details != message else message
    return full, tuple(_node_errors(data))


def _node_errors(data: Data) -> Iterator[NodeError]:
    for node_id, node in fields.mapping(data.get("node_errors")).items():
        class_type = fields.text(fields.mapping(node).get("class_type"))
        for error in map(fields.mapping, fields.items(fields.mapping(node).get("errors"))):
            input_name = fields.text(fields.mapping(error.get("extra_info")).get("input_name"))
            yield NodeError(
                fields.text(node_id),
                class_type,
                fields.text(error.get("message")),
                fields.text(error.get("details")),
                input_name,
            )


def parse_count(body: Json) -> int:
    """How many prompts run or wait, out of the answer to `GET /prompt`."""
    count = fields.integer(fields.mapping(fields.mapping(body).get("exec_info")).get("queue_remaining"))
    if count is None:
        raise ValueError("no count of the queue")
    return count


def parse_queue(raw: bytes, keep: Callable[[QueueItem], T]) -> Queue[T]:
    """What is to be kept of running and pending, the latter in the order in which they will run (heap order in `raw`).

    Items are read one after another, so that never more than one graph of a long queue stands in memory.
    """

    def numbered(item: QueueItem | None) -> tuple[float, T] | None:
        return (item.number, keep(item)) if item else None

    try:
        body = body_of(raw)
    except (ValueError, RecursionError):  # NaN and lone surrogates in a graph, which ComfyUI writes, or no queue
        lists = read_lists(raw, lambda value: numbered(parse_item(value)))
        if not {"queue_running", "queue_pending"} <= lists.keys():
            raise ValueError("no queue") from None
        running, waiting = lists["queue_running"], lists["queue_pending"]
    else:
        running, waiting = (
            [kept for each in items if (kept := numbered(_item_of(each)))]
            for items in (body.queue_running, body.queue_pending)
        )
    pending = sorted(waiting, key=itemgetter(0))
    return Queue(tuple(kept for _, kept in running), tuple(kept for _, kept in pending))


def _item_of(text: Raw) -> QueueItem | None:
    try:
        part = slice_of(text)
    except (ValueError, RecursionError):  # not as ComfyUI has them
        return parse_item(fields.loads(bytes(text)))
    extra = part.extra
    return _item(part.number, part.prompt_id, bytes(part.graph), extra.client_id, extra.create_time, extra.comfytui)


def parse_item(value: Json) -> QueueItem | None:
    """`[number, prompt_id, graph, extra_data, outputs]`; None without an id."""
    number, prompt_id, graph, extra = [*fields.items(value)[:4], None, None, None, None][:4]
    extra = fields.mapping(extra)
    marks = (extra.get(name) for name in ("client_id", "create_time", "comfytui"))
    return _item(number, prompt_id, fields.mapping(graph), *marks)


def _item(
    number: Json, prompt_id: Json, graph: Data | bytes, client_id: Json, create_time: Json, marks: Json
) -> QueueItem | None:
    known = fields.ident(prompt_id)
    if known is None:
        return None
    return QueueItem(
        known,
        fields.number(number) or 0.0,
        graph,
        fields.ident(client_id),
        fields.integer(create_time),
        fields.mapping(marks),
    )


def parse_history(body: Json) -> tuple[HistoryEntry, ...]:
    """Every entry that has an id, in the server's order."""
    return tuple(
        _history_entry(prompt_id, value)
        for key, value in parse_object(body).items()
        if (prompt_id := fields.ident(key)) and isinstance(value, dict)
    )


def _history_entry(prompt_id: str, data: Data) -> HistoryEntry:
    item = parse_item(data.get("prompt")) or QueueItem(prompt_id, 0.0)
    status = fields.mapping(data.get("status"))
    messages = dict(_messages(status.get("messages")))
    error = event_of("execution_error", messages.get("execution_error"))
    interrupted = event_of("execution_interrupted", messages.get("execution_interrupted"))
    ends = ("execution_success", "execution_error", "execution_interrupted")
    outputs = fields.mapping(data.get("outputs"))
    return HistoryEntry(
        item,
        _outcome(status, error, interrupted),
        tuple(file for node, output in outputs.items() for file in fields.outputs(output, node)),
        fields.idents(messages.get("execution_cached", {}).get("nodes")),
        error if isinstance(error, ExecutionError) else None,
        interrupted if isinstance(interrupted, ExecutionInterrupted) else None,
        fields.integer(messages.get("execution_start", {}).get("timestamp")),
        next((fields.integer(messages[end].get("timestamp")) for end in ends if end in messages), None),
        tuple(line for output in outputs.values() for line in fields.texts(fields.mapping(output).get("text"))),
    )


def _messages(value: Json) -> Iterator[tuple[str, Data]]:
    for message in map(fields.items, fields.items(value)):
        if len(message) == 2:
            yield fields.text(message[0]), fields.mapping(message[1])


def _outcome(status: Data, error: Event, interrupted: Event) -> Literal["success", "error", "interrupted"] | None:
    if isinstance(interrupted, ExecutionInterrupted):
        return "interrupted"
    match status.get("status_str"):
        case "success":
            return "success"
        case "error":
            return "error"
    return "error" if isinstance(error, ExecutionError) else None


def parse_jobs(body: Json) -> tuple[JobInfo, ...]:
    """The lines of `/api/jobs`."""
    jobs = (parse_job(value) for value in fields.items(parse_object(body).get("jobs")))
    return tuple(job for job in jobs if job)


def parse_job(body: Json) -> JobInfo | None:
    """One line of `/api/jobs`; None without an id."""
    data = fields.mapping(body)
    job_id = fields.ident(data.get("id"))
    if job_id is None:
        return None
    times = (fields.integer(data.get(name)) for name in ("create_time", "execution_start_time", "execution_end_time"))
    return JobInfo(job_id, fields.text(data.get("status")), *times)


def parse_log_times(body: Json) -> tuple[str, ...]:
    """The times of the lines of the log, oldest first."""
    times = (fields.mapping(line).get("t") for line in fields.items(parse_object(body).get("entries"))[-LOG_LIMIT:])
    return fields.idents(list(times))


def parse_names(body: Json) -> tuple[str, ...]:
    """The names of models; a box has thousands."""
    if not isinstance(body, list):
        raise ValueError("no list")
    return fields.texts(body, NAMES_LIMIT)


def parse_object(body: Json) -> Data:
    """Any object, as it is."""
    if not isinstance(body, dict):
        raise ValueError("no object")
    return body


def parse_cancelled(body: Json) -> bool:
    """Whether there was something to cancel."""
    cancelled = parse_object(body).get("cancelled")
    if not isinstance(cancelled, bool):
        raise ValueError("no word on what was cancelled")
    return cancelled


def parse_stats(body: Json) -> SystemStats:
    """The box's figures."""
    data = parse_object(body)
    system = fields.mapping(data.get("system"))
    if not system:
        raise ValueError("no system")
    devices = (
        Device(
            fields.text(device.get("name")),
            fields.text(device.get("type")),
            fields.integer(device.get("vram_total")) or 0,
            fields.integer(device.get("vram_free")) or 0,
        )
        for device in map(fields.mapping, fields.items(data.get("devices")))
    )
    return SystemStats(
        fields.text(system.get("comfyui_version")),
        fields.integer(system.get("ram_total")) or 0,
        fields.integer(system.get("ram_free")) or 0,
        tuple(devices),
        fields.texts(system.get("argv")),
        fields.text(system.get("os")),
    )
