"""The results of the commands of `ServiceThread`, each for the caller that gave the command."""

from dataclasses import dataclass
from enum import Enum, auto

from comfytui.comfy.errors import ComfyError
from comfytui.session.model import Failure, JobStatus


@dataclass(frozen=True, slots=True)
class Submitted:
    """The server has a batch, except for prompts that were cancelled or lost on the way."""

    prompt_ids: tuple[str, ...]
    """What it accepted; an old server assigns ids of its own."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server rejected a prompt of a batch, so that the unsent prompts of the batch are not sent."""

    failure: Failure
    prompt_ids: tuple[str, ...]
    """What it had accepted before."""
    unsent: tuple[str, ...]
    """The prompt that was rejected, and those that are not sent."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The server accepted nothing of a batch: each prompt was cancelled before it was sent, or lost on the way."""


SubmitResult = Submitted | Rejected | Withdrawn
"""What became of a batch, once nothing of it is left to send."""


class CancelOutcome(Enum):
    """What became of a job that was to be cancelled."""

    DROPPED = auto()
    """It was not sent, and will not be."""
    DISMISSED = auto()
    """It was lost, and will not be resent."""
    ON_ARRIVAL = auto()
    """It is being sent, and is cancelled as soon as the server has it; then comes a `CancelledOnArrival`."""
    UNCONFIRMED = auto()
    """The answer to its submission was lost: if the server turns out to have it, it is cancelled as `ON_ARRIVAL`."""
    REMOVED = auto()
    """It left the queue before it ran."""
    INTERRUPT_SENT = auto()
    """It runs, and stops at its next step."""
    INTERRUPTED = auto()
    """It ran, and was interrupted."""
    ALREADY_ENDED = auto()
    """It had ended before, with the status of the result."""
    TOO_LATE = auto()
    """It ended by itself meanwhile, with the status of the result."""
    STILL_QUEUED = auto()
    """The server keeps it in its queue."""
    NOT_FOUND = auto()
    """The server does not have it, in neither queue nor history."""
    UNKNOWN_JOB = auto()
    """The session has no such job."""
    UNKNOWN_VERSION = auto()
    """It is not known yet what the server can do."""
    UNSUPPORTED = auto()
    """The server has it, and cannot cancel jobs."""
    NOT_TARGETED = auto()
    """It runs on a server that can only interrupt whatever runs, which takes `force`."""
    OTHERS_RUNNING = auto()
    """It runs beside other jobs on such a server."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The result of cancelling one job."""

    outcome: CancelOutcome
    status: JobStatus | None = None
    """How the job had ended, for `ALREADY_ENDED` and `TOO_LATE`."""


@dataclass(frozen=True, slots=True)
class BatchCancelled:
    """The result of cancelling a batch: how many of its jobs had which outcome."""

    dismissed: int = 0
    dropped: int = 0
    on_arrival: int = 0
    removed: int = 0
    interrupted: int = 0
    being_sent: int = 0
    """Those that another comfytui is still sending, and that were not cancelled."""
    others: CancelOutcome | None = None
    """The outcome of those that were not cancelled, if any."""
    error: ComfyError | None = None
    """Why the server could not be asked to cancel others."""


@dataclass(frozen=True, slots=True)
class Resent:
    """The result of resending lost jobs: how many are sent once more."""

    count: int
    missing: int = 0
    """How many are not, since their graphs were not kept."""
