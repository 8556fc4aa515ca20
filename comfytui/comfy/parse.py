"""HTTP bodies as typed replies (shapes: ComfyUI 0.33.0).

Missing and hostile parts are left out; a body that is another thing altogether is a ValueError, since something else
must not be read as an empty queue.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from comfytui.comfy import fields
from comfytui.comfy.limits import BODY_LIMIT
from comfytui.comfy.replies import Device, JobInfo, Json, NodeError, Queued, SystemStats

DEVICES_LIMIT = 64
"""GPUs of one machine that are read."""
ERRORS_LIMIT = 1_000
"""Errors of one refusal that are kept."""
JOBS_KEPT = 10_000
"""Lines of the jobs list that are kept."""
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
        _node_errors(data),
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
    return full, _node_errors(data)


def _node_errors(data: Data) -> tuple[NodeError, ...]:
    return tuple(islice(_each_node_error(data), ERRORS_LIMIT))


def _each_node_error(data: Data) -> Iterator[NodeError]:
    for node_id, node in fields.mapping(data.get("node_errors")).items():
        class_type = fields.text(fields.mapping(node).get("class_type"), fields.CLASS_LIMIT)
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


def parse_jobs(body: Json) -> tuple[JobInfo, ...]:
    """The lines of `/api/jobs`."""
    jobs = (parse_job(value) for value in fields.items(parse_object(body).get("jobs"))[:JOBS_KEPT])
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


def parse_job_graph(body: Json, prompt_id: str) -> Json:
    """The graph that `/api/jobs/<id>` has of a job; None where it has none, or answers with another job."""
    data = fields.mapping(body)
    return fields.mapping(data.get("workflow")).get("prompt") if data.get("id") == prompt_id else None


def parse_names(body: Json) -> tuple[str, ...]:
    """The names of models; a box has thousands."""
    if not isinstance(body, list):
        raise ValueError("no list")
    return fields.texts(body, NAMES_LIMIT, BODY_LIMIT)


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
        for device in map(fields.mapping, fields.items(data.get("devices"))[:DEVICES_LIMIT])
    )
    return SystemStats(
        fields.text(system.get("comfyui_version")),
        fields.integer(system.get("ram_total")) or 0,
        fields.integer(system.get("ram_free")) or 0,
        tuple(devices),
        fields.texts(system.get("argv")),
        fields.text(system.get("os")),
    )
