"""Compose the messages that tell the user what became of a command."""

from collections.abc import Mapping

from comfytui.comfy.errors import ComfyError
from comfytui.presentation.questions import lost_jobs_text
from comfytui.service.notifications import Severity
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.session.model import JobStatus

NotificationText = tuple[str, Severity]
"""The text of a notification and its severity."""
OUTCOMES: Mapping[CancelOutcome, NotificationText] = {
    CancelOutcome.DROPPED: ("Dropped before it was sent.", "information"),
    CancelOutcome.DISMISSED: ("Dismissed: it was lost, and will not be resent.", "information"),
    CancelOutcome.ON_ARRIVAL: (
        "The job is being sent, and will be cancelled as soon as the server has it.",
        "information",
    ),
    CancelOutcome.UNCONFIRMED: (
        "The server's answer was lost: if it has the job, the job will be cancelled.",
        "information",
    ),
    CancelOutcome.REMOVED: ("Removed from the queue before it ran.", "information"),
    CancelOutcome.INTERRUPT_SENT: ("Interrupt sent: the job stops at its next step.", "information"),
    CancelOutcome.INTERRUPTED: ("Interrupted.", "information"),
    CancelOutcome.ALREADY_ENDED: ("Nothing to cancel: it had already ended.", "information"),
    CancelOutcome.TOO_LATE: ("Too late: it had already finished.", "warning"),
    CancelOutcome.STILL_QUEUED: ("The server still has the job in its queue: press x again.", "warning"),
    CancelOutcome.NOT_FOUND: ("The server no longer knows this job: it may have been restarted.", "warning"),
    CancelOutcome.UNKNOWN_JOB: ("That job is no longer known.", "warning"),
    CancelOutcome.UNKNOWN_VERSION: (
        "The version of this server is not known yet: try again in a moment.",
        "warning",
    ),
    CancelOutcome.UNSUPPORTED: ("Not cancelled: this server cannot cancel jobs.", "warning"),
    CancelOutcome.NOT_TARGETED: (
        "Not interrupted: this server is too old to interrupt a single job. Press x again to be asked.",
        "warning",
    ),
    CancelOutcome.OTHERS_RUNNING: (
        "Not interrupted: this old server would stop the other running jobs too.",
        "warning",
    ),
}

COMMAND_LINE_OUTCOMES: Mapping[CancelOutcome, NotificationText] = {
    **OUTCOMES,
    CancelOutcome.STILL_QUEUED: ("The server still has the job in its queue: cancel it once more.", "warning"),
    CancelOutcome.NOT_TARGETED: (
        "Not interrupted: this server is too old to interrupt a single job; --force stops whatever runs.",
        "warning",
    ),
}
"""The same where there are no keys to press."""


def cancellation_message(
    result: Cancelled | BatchCancelled | ComfyError, outcomes: Mapping[CancelOutcome, NotificationText] = OUTCOMES
) -> NotificationText:
    """Return the message about a job or a batch that was to be cancelled.

    Args:
        result: What became of it; the error if the server cannot be asked.
        outcomes: The messages about single jobs.
    """
    match result:
        case Cancelled(CancelOutcome.ALREADY_ENDED, JobStatus() as status):
            return f"Nothing to cancel: it had already ended ({status.label}).", "information"
        case Cancelled(CancelOutcome.TOO_LATE, JobStatus.FAILED):
            return "Too late: it had already failed.", "warning"
        case Cancelled(outcome):
            return outcomes[outcome]
        case BatchCancelled():
            return _batch_message(result, outcomes)
        case error:
            return f"Not cancelled: {error}", "error"


def _batch_message(result: BatchCancelled, outcomes: Mapping[CancelOutcome, NotificationText]) -> NotificationText:
    """Return the counts that are not 0, such as "2 removed, 1 interrupted.", and why others were not cancelled."""
    parts = {
        "lost dismissed": result.dismissed,
        "dropped before they were sent": result.dropped,
        "cancelled when they arrive": result.on_arrival,
        "removed": result.removed,
        "interrupted": result.interrupted,
    }

    counts = ", ".join(f"{count} {label}" for label, count in parts.items() if count)
    summary = f"{counts}." if counts else ""
    if (error := result.error) is not None:
        why, severity = cancellation_message(error)
    elif (others := result.others) is not None:
        why, severity = outcomes[others]
    elif result.being_sent:
        verb, them = ("is", "it") if result.being_sent == 1 else ("are", "them")
        why = f"{result.being_sent} {verb} being sent by another comfytui: cancel {them} once more."
        severity = "warning"
    else:
        return summary or "Nothing was left to cancel.", "information"
    return f"{summary} {why}".strip(), severity


def missing_message(missing: int) -> NotificationText:
    """Return the message about lost jobs that cannot be resent."""
    return f"{missing} of them cannot be resent: their workflows were not kept.", "warning"


def recovery_message(lost: int, batches: int, found: int) -> str:
    """Return the result of a search for the outputs of `lost` jobs of some batches, of which `found` were found."""
    where = f"Searched the server's history and output folder for {lost_jobs_text(lost, batches)}"
    rest = lost - found
    left = f"{rest} can be resent" if rest else "none is left to resend"
    return f"{where}: {found or 'none'} found, {left}."
