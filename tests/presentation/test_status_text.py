"""The state of the link and of jobs as text."""

import pytest

from comfytui.presentation.status_text import job_status_text, link_description, link_label, node_label
from comfytui.session.model import Job, JobStatus, Link, LinkKind


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (Job("a", JobStatus.SUCCEEDED), "done"),
        (Job("a", JobStatus.SUBMITTING, delay_reason="no answer"), "sending   no answer"),
        (Job("a", JobStatus.LOST, may_have_finished=True), "lost   may have finished"),
        (Job("a", JobStatus.CANCELLED, dismissed=True), "dismissed"),
    ],
)
def test_a_job_has_the_same_status_label_as_in_the_list(job: Job, shown: str) -> None:
    assert job_status_text(job, None) == shown


def test_a_node_id_is_not_mistaken_for_a_count() -> None:
    assert node_label("KSampler", "3") == "KSampler, node 3"
    assert node_label("", "3") == "node 3"
    assert node_label("KSampler", "") == "KSampler"


def test_the_link_label_says_since_when_and_when_it_retries() -> None:
    assert link_label(Link(LinkKind.LIVE), 100.0) == "● live"
    assert link_label(Link(LinkKind.LIVE, lag_seconds=12), 100.0) == "● live, 12 s behind"
    assert link_label(Link(LinkKind.OFFLINE, since=86.0, retry_at=108.0), 100.0) == "○ offline 14 s, retry in 8 s"
    assert link_label(Link(LinkKind.UNAUTHORISED), 100.0) == "○ unauthorised"


def test_a_description_of_the_link_says_once_since_when() -> None:
    assert link_description(Link(LinkKind.OFFLINE, since=86.0), 100.0) == "Offline 14 s."
    assert link_description(Link(LinkKind.BUSY, since=86.0), 100.0) == "Busy (loading?) for 0:14."
    assert link_description(Link(LinkKind.LIVE), 100.0) == "Live. Messages arrive over the websocket."
