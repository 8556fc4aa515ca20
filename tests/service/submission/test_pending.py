"""What became of a batch on the way to the server, as its jobs show it."""

import pytest

from comfytui.service.results import Rejected, SubmitResult, Submitted, Withdrawn
from comfytui.service.submission.pending import result_of
from comfytui.session.events import JobCancelled, PromptAccepted, PromptLost, PromptRejected, SessionEvent
from comfytui.session.jobs.submissions import DUPLICATE_ID
from comfytui.session.model import Failure
from tests.session.builders import Session, planned_batch, run_frames

FAILURE = Failure("Value not in list")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([PromptAccepted("a1", "a1", 0)], None),
        ([PromptAccepted("a1", "a1", 0), PromptAccepted("a2", "a2", 1)], Submitted(("a1", "a2"))),
        ([PromptAccepted("a1", "x", 0), PromptAccepted("a2", "y", 1)], Submitted(("x", "y"))),
        ([PromptAccepted("a1", "a1", 0), *run_frames("a1"), PromptAccepted("a2", "a2", 1)], Submitted(("a1", "a2"))),
        ([PromptAccepted("a1", "a1", 0), JobCancelled("a1"), JobCancelled("a2")], Submitted(("a1",))),
        ([JobCancelled("a1"), PromptAccepted("a2", "a2", 0)], Submitted(("a2",))),
        ([PromptLost("a1"), PromptAccepted("a2", "a2", 0)], Submitted(("a2",))),
        ([JobCancelled("a1"), PromptLost("a2")], Withdrawn()),
        ([PromptRejected("a1", FAILURE)], None),
        ([PromptRejected("a1", FAILURE), PromptRejected("a2", FAILURE)], Rejected(FAILURE, (), ("a1", "a2"))),
        ([PromptAccepted("a1", "a1", 0), PromptRejected("a2", FAILURE)], Rejected(FAILURE, ("a1",), ("a2",))),
        (
            [PromptAccepted("a1", "a1", 0), PromptAccepted("a2", "a1", 1)],
            Rejected(Failure(DUPLICATE_ID), ("a1",), ("a2",)),
        ),
    ],
)
def test_a_batch_has_a_result_once_nothing_of_it_is_left_to_send(
    events: list[SessionEvent], expected: SubmitResult | None
) -> None:
    session = Session()
    session.do(planned_batch("a", 2), *events)
    assert result_of(session.state, "a") == expected
    assert result_of(session.state, "b") is None
