"""Parse JSON responses of the HTTP API into typed values (shapes of ComfyUI 0.33.0).

Missing and malformed parts are left out. A body of another shape altogether raises ValueError, so that the response of
some other service is not taken for an empty one.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from comfytui.comfy.limits import BODY_LIMIT
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.models import AcceptedPrompt, Device, JobInfo, Json, NodeError, SystemStats

DEVICES_LIMIT = 64
"""GPUs that are kept of one machine."""
ERRORS_LIMIT = 1_000
"""Node errors that are kept of one rejected prompt."""
JOBS_KEPT = 10_000
"""Jobs that are kept of the jobs list."""
NAMES_LIMIT = 100_000
"""Names that are kept of one folder."""
LOG_LIMIT = 1_000
"""Lines that are read of the log; ComfyUI keeps 300."""

Data = Mapping[str, Any]


def parse_accepted(body: Json, prompt_id: str) -> AcceptedPrompt:
    """Parse the response to a prompt that was queued; `prompt_id` is the id that was sent."""
    data = json_readers.mapping(body)
    return AcceptedPrompt(
        json_readers.identifier(data.get("prompt_id")) or prompt_id,
        json_readers.number(data.get("number")) or 0.0,
        _node_errors(data),
    )


def parse_rejection(body: Json) -> tuple[str, tuple[NodeError, ...]]:
    """Parse the response to a rejected prompt (a 400) into its message and the errors of its nodes.

    Raises:
        ValueError: It is not a rejection by ComfyUI.
    """
    data = parse_object(body)
    if not data.keys() & {"error", "node_errors"}:
        raise ValueError("no rejection")
    error = data.get("error")  # an object; a string on old servers
    fields = json_readers.mapping(error)
    message = json_readers.text(fields.get("message")) or json_readers.text(error) or "no reason was given"
    details = json_readers.text(fields.get("details"))
    full = f"{message} ({details})" if details and details != message else message
    return full, _node_errors(data)


def _node_errors(data: Data) -> tuple[NodeError, ...]:
    return tuple(islice(_iter_node_errors(data), ERRORS_LIMIT))


def _iter_node_errors(data: Data) -> Iterator[NodeError]:
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
    """Parse the response to `GET /prompt` into the number of prompts running and pending.

    Raises:
        ValueError: It has no such number.
    """
    count = json_readers.integer(
        json_readers.mapping(json_readers.mapping(body).get("exec_info")).get("queue_remaining")
    )
    if count is None:
        raise ValueError("no count of the queue")
    return count


def parse_jobs(body: Json) -> tuple[JobInfo, ...]:
    """Parse the response to `GET /api/jobs`; entries without an id are left out.

    Raises:
        ValueError: It is not an object.
    """
    jobs = (_job(value) for value in json_readers.items(parse_object(body).get("jobs"))[:JOBS_KEPT])
    return tuple(job for job in jobs if job)


def _job(body: Json) -> JobInfo | None:
    data = json_readers.mapping(body)
    job_id = json_readers.identifier(data.get("id"))
    if job_id is None:
        return None
    times = (
        json_readers.integer(data.get(name)) for name in ("create_time", "execution_start_time", "execution_end_time")
    )
    return JobInfo(job_id, json_readers.text(data.get("status")), *times)


def parse_log_timestamps(body: Json) -> tuple[str, ...]:
    """Parse the server's log into the timestamps of its lines, the oldest first.

    Raises:
        ValueError: It is not an object.
    """
    timestamps = (
        json_readers.mapping(line).get("t")
        for line in json_readers.items(parse_object(body).get("entries"))[-LOG_LIMIT:]
    )
    return json_readers.identifiers(list(timestamps))


def parse_job_graph(body: Json, prompt_id: str) -> Json:
    """Parse the response to `GET /api/jobs/<id>` into the job's graph; None if it has none, or is another job."""
    data = json_readers.mapping(body)
    return json_readers.mapping(data.get("workflow")).get("prompt") if data.get("id") == prompt_id else None


def parse_names(body: Json) -> tuple[str, ...]:
    """Parse a list of file names.

    Raises:
        ValueError: It is not a list.
    """
    if not isinstance(body, list):
        raise ValueError("no list")
    return json_readers.texts(body, NAMES_LIMIT, BODY_LIMIT)


def parse_object(body: Json) -> Data:
    """Return a JSON object as it is.

    Raises:
        ValueError: It is anything else.
    """
    if not isinstance(body, dict):
        raise ValueError("no object")
    return body


def parse_cancelled(body: Json) -> bool:
    """Parse the response to a cancel request: whether the job was still pending or running.

    Raises:
        ValueError: It does not say.
    """
    cancelled = parse_object(body).get("cancelled")
    if not isinstance(cancelled, bool):
        raise ValueError("no boolean in cancelled")
    return cancelled


def parse_stats(body: Json) -> SystemStats:
    """Parse the response to `GET /system_stats`.

    Raises:
        ValueError: It does not describe a system.
    """
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
