"""The events that are not of how far my jobs are: a batch was submitted, the connection or another's job changed."""

from typing import Literal

from comfytui.headless.documents.events import link_name
from comfytui.headless.documents.jobs import VERSION, Document, Outcome, Status, limited, outcome_of, status_of
from comfytui.presentation.queue_rows import OWNER_CHARACTERS
from comfytui.session.model import Job
from comfytui.session.state import SessionState


class LinkEvent(Document, frozen=True, kw_only=True):
    """The connection to ComfyUI has another state than before."""

    version: int = VERSION
    event: Literal["link"] = "link"
    link: str
    """`live`, `polling` (no steps are known), `offline`, ..."""
    reason: str
    """Why it is in this state; empty if there is nothing to say."""


class PreviewEvent(Document, frozen=True, kw_only=True):
    """The newest preview of the image that runs, for a client that asks for previews."""

    version: int = VERSION
    event: Literal["preview"] = "preview"
    prompt_id: str
    media_type: str
    """`image/jpeg`, `image/png` or `image/webp`."""
    data: bytes
    """In base64."""


class SubmittedEvent(Document, frozen=True, kw_only=True):
    """The server has accepted a batch: the first event that `comfytui run` writes."""

    version: int = VERSION
    event: Literal["submitted"] = "submitted"
    batch_id: str
    prompt_ids: tuple[str, ...]
    """The jobs, in image order; those that the server rejected are among them."""
    seeds: tuple[int | None, ...]
    """The seed of each image."""
    warnings: tuple[str, ...] = ()
    """What was found in a workflow of the editor that does not keep it from being queued, in a sentence each."""


class OtherJobEvent(Document, frozen=True, kw_only=True):
    """A job of another user has started or ended."""

    version: int = VERSION
    event: Literal["otherJob"] = "otherJob"
    prompt_id: str
    owner: str | None
    """The beginning of the client id that asked for it; null if the server does not tell."""
    status: Status
    """`running`, or how it ended: `lost` if it is gone from the queue."""
    outcome: Outcome | None
    """How it ended, in detail; null while it runs."""
    prompt: str
    seconds: float | None
    """How long it ran; null while it runs, or if that is unknown."""


def other_job_event(job: Job) -> OtherJobEvent:
    """Return the event about a job of another user as it is now."""
    return OtherJobEvent(
        prompt_id=job.prompt_id,
        owner=limited(job.owner[:OWNER_CHARACTERS]) if job.owner else None,
        status=status_of(job),
        outcome=outcome_of(job),
        prompt=limited(job.parameters.prompt),
        seconds=None if job.seconds is None else round(job.seconds, 2),
    )


def link_event(state: SessionState) -> LinkEvent:
    """Return the event about the present state of the connection."""
    return LinkEvent(link=link_name(state), reason=limited(state.link.reason))
