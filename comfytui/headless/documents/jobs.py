"""What the JSON documents have in common: the status of jobs, how they ended, their files and errors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from comfytui.comfy.protocol.media_types import media_of
from comfytui.session.model import Failure, Job, JobStatus

VERSION = 1
"""The version of the documents: within one, fields and events are added, never renamed or removed."""

Status = Literal["sending", "queued", "running", "done", "failed", "cancelled", "lost"]
"""Where a job or a batch stands."""
End = Literal["done", "failed", "cancelled", "lost"]
"""How a job or a batch ended."""
Outcome = Literal["succeeded", "cached", "failed", "rejected", "interrupted", "cancelled", "dismissed", "lost"]
"""How a job ended, in detail: `rejected` by the server before it ran, `dismissed` by the user after it was lost."""
ENDS: Sequence[End] = ("failed", "lost", "cancelled", "done")
"""The ends of jobs; a batch ends as the first of these that one of its jobs has."""
MAX_TEXT = 2_000
"""Characters of a text that are kept where it is cut."""


class Document(Struct, rename="camel", frozen=True, kw_only=True):
    """A JSON object; its fields are in camel case there."""


class OutputFile(Document, frozen=True, kw_only=True):
    """A file that a job made."""

    filename: str
    media: str
    """`image`, `video`, `audio`, `3D model`, `text` or `file`."""
    url: str | None = None
    """Where the relay has it, as a path; null where there is no relay."""
    path: str | None = None
    """Where it was saved; null if it was not."""


class JobError(Document, frozen=True, kw_only=True):
    """Why a job failed: the server's message, and the node that it names."""

    message: str
    node: str | None = None
    """The class of the node."""
    node_id: str | None = None
    inputs: tuple[str, ...] = ()
    """The errors of single inputs, of a prompt that the server rejected."""


class CellValue(Document, frozen=True, kw_only=True):
    """One of the values that distinguish an image from the others of its batch."""

    label: str
    """The name of the field."""
    value: int | float | str


_STATUSES: Mapping[JobStatus, Status] = {
    JobStatus.SUBMITTING: "sending",
    JobStatus.QUEUED: "queued",
    JobStatus.RUNNING: "running",
    JobStatus.SUCCEEDED: "done",
    JobStatus.CACHED: "done",
    JobStatus.FAILED: "failed",
    JobStatus.REJECTED: "failed",
    JobStatus.INTERRUPTED: "cancelled",
    JobStatus.CANCELLED: "cancelled",
    JobStatus.LOST: "lost",
}


def status_of(job: Job) -> Status:
    """Return the status of a job."""
    return _STATUSES[job.status]


def outcome_of(job: Job) -> Outcome | None:
    """Return how a job ended; None if it has not."""
    if not job.status.ended:
        return None
    return "dismissed" if job.dismissed else job.status.value  # type: ignore[return-value]


def end_of(jobs: Iterable[Job]) -> End:
    """Return how a batch ended, by the jobs of it, all of which have ended."""
    statuses = {status_of(job) for job in jobs}
    return next((end for end in ENDS if end in statuses), "done")


def seeds_of(job: Job) -> tuple[int, ...]:
    """Return all seeds of a job."""
    seeds = (job.parameters.seed, *job.parameters.more_seeds)
    return tuple(seed for seed in seeds if seed is not None)


def cell_values(job: Job) -> tuple[CellValue, ...]:
    """Return the values of a job that distinguish its image from the others of its batch."""
    return tuple(CellValue(label=limited(label), value=_safe(value)) for label, value in job.parameters.cell)


def _safe(value: str | float) -> str | int | float:
    return limited(value) if isinstance(value, str) else value


def files_of(job: Job, *, urls: bool) -> tuple[OutputFile, ...]:
    """Return the files that a job made, with their paths on the relay if `urls` is set."""
    return tuple(
        OutputFile(
            filename=output.filename,
            media=media_of(output).value,
            url=view_path(job.prompt_id, index) if urls else None,
        )
        for index, output in enumerate(job.outputs)
    )


def view_path(prompt_id: str, index: int) -> str:
    """Return the relay's path of a job's file, by its index from 0."""
    return f"/api/view/{quote(prompt_id, safe='')}/{index}"


def error_of(failure: Failure | None) -> JobError | None:
    """Return why a job failed; None if it did not."""
    if failure is None:
        return None
    return JobError(
        message=failure.message,
        node=failure.node_type or None,
        node_id=failure.node_id or None,
        inputs=tuple(
            ": ".join(filter(None, (error.input_name, error.message, error.details))) for error in failure.node_errors
        ),
    )


def limited(text: str) -> str:
    """Return as much of a text as is kept; lone surrogates, which UTF-8 cannot hold, become question marks."""
    kept = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return kept.encode("utf-8", "replace").decode()
