"""The job list of `/api/jobs`, which unites queue and history."""

from collections.abc import Mapping
from typing import Any

from comfytui.sim.queue import PromptQueue

STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")
SORT_KEYS = ("created_at", "execution_duration")
ORDERS = ("asc", "desc")
END_EVENTS = ("execution_success", "execution_error", "execution_interrupted")
PREVIEWABLE = frozenset({"images", "video", "audio", "3d", "text"})


class BadQueryError(ValueError):
    """A query that gets a 400; the message is the error in the response."""


def list_jobs(queue: PromptQueue, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of jobs, as the body of `/api/jobs`.

    Raises:
        BadQueryError: If a parameter of the query is invalid.
    """
    wanted = [status.strip().lower() for status in query.get("status", "").split(",") if status.strip()] or list(
        STATUSES
    )
    if wrong := [status for status in wanted if status not in STATUSES]:
        valid = ", ".join(STATUSES)
        raise BadQueryError(f"Invalid status value(s): {', '.join(wrong)}. Valid values: {valid}")
    sort_by, order = query.get("sort_by", SORT_KEYS[0]).lower(), query.get("sort_order", "desc").lower()
    if sort_by not in SORT_KEYS:
        raise BadQueryError("sort_by must be 'created_at' or 'execution_duration'")
    if order not in ORDERS:
        raise BadQueryError("sort_order must be 'asc' or 'desc'")
    limit, offset = _integer(query, "limit"), max(0, _integer(query, "offset") or 0)
    if limit is not None and limit <= 0:
        raise BadQueryError("limit must be a positive integer")
    jobs = [job for job in _all_jobs(queue) if job["status"] in wanted]
    if workflow_id := query.get("workflow_id"):
        jobs = [job for job in jobs if job.get("workflow_id") == workflow_id]
    jobs.sort(key=_duration if sort_by == "execution_duration" else _created, reverse=order == "desc")
    page = jobs[offset:] if limit is None else jobs[offset : offset + limit]
    has_more = offset + len(page) < len(jobs)
    return {
        "jobs": page,
        "pagination": {"offset": offset, "limit": limit, "total": len(jobs), "has_more": has_more},
    }


def one_job(queue: PromptQueue, prompt_id: str, *, queued_graphs: bool) -> dict[str, Any] | None:
    """Return one job; None if it is unknown.

    Args:
        queue: The queue and the history.
        prompt_id: The job. If it has ended, it is returned with its graph and its outputs.
        queued_graphs: Whether the others are returned with their graphs as well.
    """
    if (entry := queue.history.get(prompt_id)) is not None:
        job = _ended(prompt_id, entry)
        job |= {"outputs": entry["outputs"], "execution_status": entry["status"]}
        return job | _workflow(entry["prompt"])
    running, pending = queue.snapshot()
    for items, status in ((running, "in_progress"), (pending, "pending")):
        for item in items:
            if item[1] == prompt_id:
                return _queued(item, status) | (_workflow(item) if queued_graphs else {})
    return None


def _workflow(item: Any) -> dict[str, Any]:
    return {"workflow": {"prompt": item[2], "extra_data": item[3]}}


def _all_jobs(queue: PromptQueue) -> list[dict[str, Any]]:
    running, pending = queue.snapshot()
    jobs = [_queued(item, "in_progress") for item in running] + [_queued(item, "pending") for item in pending]
    return jobs + [_ended(prompt_id, entry) for prompt_id, entry in queue.history.items()]


def _queued(item: Any, status: str) -> dict[str, Any]:
    number, prompt_id, _, extra_data, _ = item
    head = {"id": prompt_id, "status": status, "priority": number, "create_time": extra_data.get("create_time")}
    return _without_none(
        {**head, "outputs_count": 0, "previewable_outputs_count": 0, "workflow_id": _workflow_id(extra_data)}
    )


def _ended(prompt_id: str, entry: dict[str, Any]) -> dict[str, Any]:
    number, _, _, extra_data, _ = entry["prompt"]
    messages = dict(entry["status"]["messages"])
    end: dict[str, Any] = next((messages[name] for name in END_EVENTS if name in messages), {})
    success = entry["status"]["status_str"] == "success"
    status = "completed" if success else "cancelled" if "execution_interrupted" in messages else "failed"
    items = [
        {**item, "nodeId": node_id, "mediaType": media}
        for node_id, output in entry["outputs"].items()
        for media, media_items in output.items()
        for item in media_items
    ]
    viewable = [item for item in items if item["mediaType"] in PREVIEWABLE]
    saved = [item for item in viewable if item.get("type") == "output"]
    return _without_none(
        {
            "id": prompt_id,
            "status": status,
            "priority": number,
            "create_time": extra_data.get("create_time"),
            "execution_start_time": messages.get("execution_start", {}).get("timestamp"),
            "execution_end_time": end.get("timestamp"),
            "execution_error": messages.get("execution_error"),
            "outputs_count": len(items),
            "previewable_outputs_count": len(viewable),
            "preview_output": next(iter(saved or viewable), None),
            "workflow_id": _workflow_id(extra_data),
        }
    )


def _workflow_id(extra_data: dict[str, Any]) -> Any:
    return extra_data.get("extra_pnginfo", {}).get("workflow", {}).get("id")


def _without_none(job: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in job.items() if value is not None}


def _created(job: dict[str, Any]) -> float:
    return float(job.get("create_time", 0))


def _duration(job: dict[str, Any]) -> float:
    start, end = job.get("execution_start_time", 0), job.get("execution_end_time", 0)
    return float(end - start) if start and end else 0.0


def _integer(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return int(query[name])
    except ValueError:
        raise BadQueryError(f"{name} must be an integer") from None
