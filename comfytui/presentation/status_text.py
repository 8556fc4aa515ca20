"""Describe the state of the link and of jobs."""

from comfytui.presentation.formatting import duration
from comfytui.sanitize import sanitize
from comfytui.session.model import Failure, Job, Link, LinkKind
from comfytui.session.state import Run

FAILURE_LIMIT = 300
"""Characters of a failure's message that are shown in one line."""
UP = frozenset({LinkKind.LIVE, LinkKind.POLLING})
"""States of the link in which the server answers requests."""
AS_LAST_SEEN = "as last seen"
"""Marks data that is out of date because the server cannot be reached."""


def link_label(link: Link, now: float, *, ascii_only: bool = False) -> str:
    """Return the state of the link as a glyph and a few words; `now` in monotonic seconds."""
    up, down = ("*", "!") if ascii_only else ("●", "○")
    return f"{up if link.kind in UP else down} {_link_text(link, now)}"


def _link_text(link: Link, now: float) -> str:
    match link.kind:
        case LinkKind.LIVE:
            return f"live, {link.lag_seconds} s behind" if link.lag_seconds else "live"
        case LinkKind.POLLING:
            return f"polling every {link.poll_interval or 0:.0f} s (no websocket)"
        case LinkKind.BUSY:
            return "busy (loading?)"
        case LinkKind.ORPHANED:
            return "no messages, reconnecting"
        case LinkKind.OFFLINE:
            since = "" if link.since is None else f" {now - link.since:.0f} s"
            return f"offline{since}{_next_retry(link.retry_at, now)}"
        case kind:
            return str(kind)


def _next_retry(at: float | None, now: float) -> str:
    if at is None:
        return ""
    return f", retry in {at - now:.0f} s" if round(at - now) > 0 else ", trying now"


def link_description(link: Link, now: float) -> str:
    """Return a sentence or two about the link: its state, since when, and why; `now` in monotonic seconds."""
    if link.lag_seconds:
        return (
            f"Live, but messages arrive {link.lag_seconds} s late: the connection is too slow for them. "
            "Ended jobs are read over HTTP; new prompts ask for no previews until it keeps up."
        )
    # The text of an offline link has its own.
    since = "" if link.since is None or link.kind is LinkKind.OFFLINE else f" for {duration(now - link.since)}"
    state = f"{_link_text(link, now).capitalize()}{since}."
    return f"{state} {link.reason or _default_reason(link)}".rstrip()


def _default_reason(link: Link) -> str:
    match link.kind:
        case LinkKind.LIVE:
            return "Messages arrive over the websocket."
        case LinkKind.CONNECTING if link.socket_open:
            return "The websocket is open; the server has not said yet which one it is."
    return ""


def status_label(job: Job) -> str:
    """Return one word for the status of a job: `queued`, `done`, or `dismissed` for a lost job that was dismissed."""
    return "dismissed" if job.dismissed else job.status.label


def job_status_text(job: Job, run: Run | None) -> str:
    """Return the status of a job with the progress of its run: `running   Step 12/20 (60%)`, `queued`, `done`."""
    if run is None:
        return f"{status_label(job)}   {job.note}".rstrip()
    if not run.step:
        return f"{job.status.label}   {run.phase}"
    return f"{job.status.label}   Step {run.step}/{run.steps} ({run.percentage}%)"


def failure_text(label: str, failure: Failure) -> str:
    """Return `failed in KSampler: CUDA out of memory`, where `label` is `failed`."""
    where = f" in {sanitize(failure.node_type, 60)}" if failure.node_type else ""
    message = sanitize(failure.message, FAILURE_LIMIT)
    return f"{label}{where}: {message}" if message else label + where


def node_label(class_type: str, node_id: str) -> str:
    """Return `KSampler, node 3`, or as much of it as is known."""
    return ", ".join(filter(None, (class_type, f"node {node_id}" if node_id else "")))
