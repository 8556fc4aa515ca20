"""HTTP bodies as typed replies (shapes: ComfyUI 0.33.0).

Missing and hostile parts are left out; a body that is another thing altogether is a ValueError, since something else
must not be read as an empty queue.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from comfytui.comfy.limits import BODY_LIMIT
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.models import Device, JobInfo, Json, NodeError, Queued, SystemStats

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
    data = json_readers.mapping(body)
    return Queued(
        json_readers.ident(data.get("prompt_id")) or prompt_id,
        json_readers.number(data.get("number")) or 0.0,
        _node_errors(data),
    )


def parse_rejection(body: Json) -> tuple[str, tuple[NodeError, ...]]:
    """The sentence of a 400 and the errors by node; an old server's error is a plain string."""
    data = parse_object(body)
    if not data.keys() & {"error", "node_errors"}:
        raise ValueError("no rejection")
    error = data.get("error")
    said = json_readers.mapping(error)
    message = json_readers.text(said.get("message")) or json_readers.text(error) or "no reason was given"
    details = json_readers.text(said.get("details"))
    full = f"{message} ({details})" if details and details != message else message
    return full, _node_errors(data)


def _node_errors(data: Data) -> tuple[NodeError, ...]:
    return tuple(islice(_each_node_error(data), ERRORS_LIMIT))


def _each_node_error(data: Data) -> Iterator[NodeError]:
    for node_id, node in json_readers.mapping(data.get("node_errors")).items():
        class_type = json_readers.text(json_readers.mapping(node).get("class_type"), json_readers.CLASS_LIMIT)
        for error in map(json_readers.mapping, json_readers.items(json_readers.mapping(node).get("errors"))):
            input_name = json_readers.text(json_readers.mapping(error.get("extra_info")).get("input_name"))
            yield NodeError(
                json_readers.text(node_id),
                class_type,
                json_readers.text(error.get("message")),
                json_readers.text(error.get("details")),
                input_name,
            )


def parse_count(body: Json) -> int:
    """How many prompts run or wait, out of the answer to `GET /prompt`."""
    count = json_readers.integer(
        json_readers.mapping(json_readers.mapping(body).get("exec_info")).get("queue_remaining")
    )
    if count is None:
        raise ValueError("no count of the queue")
    return count


def parse_jobs(body: Json) -> tuple[JobInfo, ...]:
    """The lines of `/api/jobs`."""
    jobs = (parse_job(value) for value in json_readers.items(parse_object(body).get("jobs"))[:JOBS_KEPT])
    return tuple(job for job in jobs if job)


def parse_job(body: Json) -> JobInfo | None:
    """One line of `/api/jobs`; None without an id."""
    data = json_readers.mapping(body)
    job_id = json_readers.ident(data.get("id"))
    if job_id is None:
        return None
    times = (
        json_readers.integer(data.get(name)) for name in ("create_time", "execution_start_time", "execution_end_time")
    )
    return JobInfo(job_id, json_readers.text(data.get("status")), *times)


def parse_log_times(body: Json) -> tuple[str, ...]:
    """The times of the lines of the log, oldest first."""
    times = (
        json_readers.mapping(line).get("t")
        for line in json_readers.items(parse_object(body).get("entries"))[-LOG_LIMIT:]
    )
    return json_readers.idents(list(times))


def parse_job_graph(body: Json, prompt_id: str) -> Json:
    """The graph that `/api/jobs/<id>` has of a job; None where it has none, or answers with another job."""
    data = json_readers.mapping(body)
    return json_readers.mapping(data.get("workflow")).get("prompt") if data.get("id") == prompt_id else None


def parse_names(body: Json) -> tuple[str, ...]:
    """The names of models; a box has thousands."""
    if not isinstance(body, list):
        raise ValueError("no list")
    return json_readers.texts(body, NAMES_LIMIT, BODY_LIMIT)


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
    system = json_readers.mapping(data.get("system"))
    if not system:
        raise ValueError("no system")
    devices = (
        Device(
            json_readers.text(device.get("name")),
            json_readers.text(device.get("type")),
            json_readers.integer(device.get("vram_total")) or 0,
            json_readers.integer(device.get("vram_free")) or 0,
        )
        for device in map(json_readers.mapping, json_readers.items(data.get("devices"))[:DEVICES_LIMIT])
    )
    return SystemStats(
        json_readers.text(system.get("comfyui_version")),
        json_readers.integer(system.get("ram_total")) or 0,
        json_readers.integer(system.get("ram_free")) or 0,
        tuple(devices),
        json_readers.texts(system.get("argv")),
        json_readers.text(system.get("os")),
    )
