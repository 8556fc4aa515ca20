"""What became of a job or a batch that was to be cancelled."""

from typing import Literal

from comfytui.headless.documents.jobs import VERSION, Document


class CancelDocument(Document, frozen=True, kw_only=True):
    """The result of cancelling one job, or the jobs of a batch that had not ended."""

    version: int = VERSION
    event: Literal["cancel"] = "cancel"
    prompt_id: str | None
    """Null for a batch."""
    batch_id: str | None
    """Null for a single job."""
    cancelled: bool
    """Whether nothing of it goes on: it was cancelled, or had ended before."""
    outcome: str | None
    """What happened to the job, such as `removed`, `interrupt_sent`, `already_ended`, `not_targeted`.

    Of a batch: why some of its jobs were not cancelled; null if all were, or if the server could not be asked.
    """
    message: str
    """The same as a sentence."""
