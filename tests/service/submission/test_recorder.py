"""The recorder writes each step of a prompt once, and only if no other process holds its client id."""

import asyncio
from asyncio import Future
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import Endpoint
from comfytui.service.submission.batch import GraphStore, Submission, plan
from comfytui.service.submission.recorder import Recorder
from comfytui.session.delivery import (
    NO_EVIDENCE,
    CancelRequested,
    CancelSent,
    Evidence,
    PromptNotAccepted,
    PromptSending,
    PromptUnconfirmed,
)
from comfytui.session.events import (
    BatchPlanned,
    ClientIdsAcquired,
    JobCancelled,
    JobsResent,
    PromptAccepted,
    PromptLost,
    QueueSnapshot,
    SessionEvent,
)
from comfytui.session.model import Batch, JobStatus
from tests.session.builders import ME, Session, planned_batch, queued_prompt
from tests.watcher import small_batch

SERVER = Endpoint("f00d", "name", "address")


class RecordingJournal(AsyncJournal):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.written: list[tuple[Any, ...]] = []

    def _note(self, *call: Any) -> Future[bool]:
        self.written.append(call)
        return asyncio.get_running_loop().create_future()

    def record_batch(
        self, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]
    ) -> Future[bool]:
        return self._note("batch", endpoint, client_id, batch, tuple(submissions))

    def record_sending(
        self, prompt_id: str, wall: float, client_id: str, evidence: Evidence = NO_EVIDENCE
    ) -> Future[bool]:
        return self._note("sending", prompt_id, wall, client_id, evidence)

    def record_accepted(self, prompt_id: str, accepted_id: str, number: float) -> Future[bool]:
        return self._note("accepted", prompt_id, accepted_id, number)

    def record_not_accepted(self, prompt_id: str) -> Future[bool]:
        return self._note("not accepted", prompt_id)

    def record_cancel_request(self, prompt_id: str) -> Future[bool]:
        return self._note("to cancel", prompt_id)

    def record_end(self, prompt_id: str, status: JobStatus, **_: Any) -> Future[bool]:
        return self._note("end", prompt_id, status)

    def record_reopened(self, prompt_id: str, status: JobStatus = JobStatus.QUEUED) -> Future[bool]:
        return self._note("reopened", prompt_id, status)

    def record_resent(self, prompt_ids: Collection[str]) -> Future[bool]:
        return self._note("resent", tuple(prompt_ids))


class Recorded:
    """A session whose changes are recorded."""

    def __init__(self) -> None:
        self.session = Session()
        self.journal = RecordingJournal()
        self.graphs = GraphStore()
        self.recorder = Recorder(self.journal, lambda: SERVER, self.graphs)

    def do(self, *events: SessionEvent) -> list[tuple[Any, ...]]:
        """Apply events, and return what was recorded for them."""
        self.journal.written.clear()
        for event in events:
            before = self.session.state
            self.recorder.record(before, self.session.do(event))
        return self.journal.written


async def test_a_new_batch_is_recorded_with_its_graphs_and_a_resumed_one_is_not() -> None:
    it = Recorded()
    batch, jobs, submissions = plan(small_batch(2), ME, 1.0)
    it.graphs.add(submissions)
    assert it.do(BatchPlanned(batch, jobs)) == [("batch", SERVER, ME, batch, submissions)]
    again = planned_batch("a", 1)
    assert it.do(BatchPlanned(Batch("a", 1, "", ("a1",), 1.0, resumed=True), again.jobs)) == []
    assert it.do(QueueSnapshot((), (queued_prompt("of an earlier start"),), 0.0)) == []


async def test_each_step_is_recorded_once() -> None:
    it = Recorded()
    it.do(planned_batch("a", 1))
    evidence = Evidence(("x",))
    assert it.do(PromptSending("a1", "other", evidence)) == [("sending", "a1", 1_002.0, "other", evidence)]
    assert it.do(PromptUnconfirmed("a1")) == []
    assert it.do(PromptNotAccepted("a1")) == [("not accepted", "a1")]
    it.do(PromptSending("a1", ME))
    assert it.do(PromptAccepted("a1", "a1", 7)) == [("accepted", "a1", "a1", 7)]
    assert it.do(PromptAccepted("a1", "a1", 7), QueueSnapshot((), (queued_prompt("a1", 7),), 0.0)) == []


@pytest.mark.parametrize("found_first", [True, False])
async def test_an_id_of_the_server_is_recorded_once(found_first: bool) -> None:
    it = Recorded()
    planned = planned_batch("a", 1)
    it.do(planned, PromptSending("a1", ME))
    found = QueueSnapshot((), (queued_prompt("theirs", 3, batch_tag=planned.jobs[0].batch_tag),), 0.0)
    answer = PromptAccepted("a1", "theirs", 3)
    events = (found, answer) if found_first else (answer, found)
    assert it.do(*events) == [("accepted", "a1", "theirs", 3)]


async def test_a_requested_cancellation_is_recorded() -> None:
    it = Recorded()
    it.do(planned_batch("a", 2), PromptSending("a1", ME))
    assert it.do(CancelRequested("a1")) == [("to cancel", "a1")]
    assert it.do(CancelRequested("a2")) == [("end", "a2", JobStatus.CANCELLED)]
    assert it.do(PromptAccepted("a1", "a1", 1)) == [("accepted", "a1", "a1", 1)]
    assert it.do(CancelSent("a1")) == []


async def test_a_resent_prompt_is_recorded_as_planned_and_as_no_evidence() -> None:
    it = Recorded()
    it.do(planned_batch("a", 1), PromptSending("a1", ME))
    assert it.do(PromptLost("a1")) == [("end", "a1", JobStatus.LOST)]
    assert it.do(JobsResent(("a1",))) == [("reopened", "a1", JobStatus.SUBMITTING), ("resent", ("a1",))]


async def test_an_end_is_recorded_by_the_process_that_holds_the_client_id() -> None:
    it = Recorded()
    first, second = it.session.plan("batch", 2)
    held_elsewhere = ClientIdsAcquired(frozenset({ME}), frozenset({ME}))
    assert it.do(held_elsewhere, JobCancelled(first)) == []
    assert it.do(ClientIdsAcquired(frozenset({ME}))) == []
    assert it.do(JobCancelled(second)) == [("end", second, JobStatus.CANCELLED)]
