"""The messages about what became of a command."""

import pytest

from comfytui.comfy.errors import ComfyError, TimedOut
from comfytui.presentation.command_text import OUTCOMES, cancellation_message, missing_message
from comfytui.presentation.notification_text import message_for
from comfytui.service.notifications import CancelledOnArrival
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.session.model import JobStatus

ERROR = TimedOut("The server did not answer in time.")
NOT_TARGETED = "Not interrupted: this server is too old to interrupt a single job. Press x again to be asked."


def test_every_outcome_of_a_cancellation_has_a_message() -> None:
    assert set(OUTCOMES) == set(CancelOutcome)


@pytest.mark.parametrize(
    ("result", "text", "severity"),
    [
        (Cancelled(CancelOutcome.REMOVED), "Removed from the queue before it ran.", "information"),
        (
            Cancelled(CancelOutcome.ALREADY_ENDED, JobStatus.SUCCEEDED),
            "Nothing to cancel: it had already ended (done).",
            "information",
        ),
        (
            Cancelled(CancelOutcome.TOO_LATE, JobStatus.SUCCEEDED),
            "Too late: it had already finished.",
            "warning",
        ),
        (Cancelled(CancelOutcome.TOO_LATE, JobStatus.FAILED), "Too late: it had already failed.", "warning"),
        (Cancelled(CancelOutcome.NOT_TARGETED), NOT_TARGETED, "warning"),
        (ERROR, "Not cancelled: The server did not answer in time.", "error"),
        (BatchCancelled(), "Nothing was left to cancel.", "information"),
        (BatchCancelled(removed=1, interrupted=1), "1 removed, 1 interrupted.", "information"),
        (
            BatchCancelled(dismissed=2, dropped=3, on_arrival=1),
            "2 lost dismissed, 3 dropped before they were sent, 1 cancelled when they arrive.",
            "information",
        ),
        (BatchCancelled(removed=1, others=CancelOutcome.NOT_TARGETED), f"1 removed. {NOT_TARGETED}", "warning"),
        (BatchCancelled(others=CancelOutcome.NOT_TARGETED), NOT_TARGETED, "warning"),
        (
            BatchCancelled(dropped=1, error=ERROR),
            "1 dropped before they were sent. Not cancelled: The server did not answer in time.",
            "error",
        ),
        (BatchCancelled(error=ERROR), "Not cancelled: The server did not answer in time.", "error"),
    ],
)
def test_the_message_says_what_became_of_a_cancellation(
    result: Cancelled | BatchCancelled | ComfyError, text: str, severity: str
) -> None:
    assert cancellation_message(result) == (text, severity)


def test_a_job_that_is_cancelled_on_arrival_has_the_same_message() -> None:
    for result in (Cancelled(CancelOutcome.REMOVED), ERROR):
        assert message_for(CancelledOnArrival("server", "a", result)) == cancellation_message(result)


def test_jobs_that_cannot_be_resent_are_counted() -> None:
    assert missing_message(2) == ("2 of them cannot be resent: their workflows were not kept.", "warning")
