"""The recorder records the ends of jobs whose client id no other process holds."""

import asyncio
from asyncio import Future
from typing import Any

from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.recorder import record
from comfytui.session.events import ClientIdsAcquired, JobCancelled
from comfytui.session.model import JobStatus
from tests.session.builders import ME, Session


class RecordingJournal(AsyncJournal):
    """Keeps the ends that are recorded."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.ends: list[tuple[str, JobStatus]] = []

    def record_end(self, prompt_id: str, status: JobStatus, **_: Any) -> Future[bool]:
        self.ends.append((prompt_id, status))
        return asyncio.get_running_loop().create_future()


async def test_an_end_is_recorded_by_the_process_that_holds_the_client_id() -> None:
    session, journal = Session(), RecordingJournal()
    prompts = session.plan("batch", 2)
    before = session.state
    session.do(ClientIdsAcquired(frozenset({ME}), frozenset({ME})), JobCancelled(prompts[0]))
    record(journal, before, session.state)
    assert journal.ends == []
    before = session.do(ClientIdsAcquired(frozenset({ME})))
    record(journal, before, session.do(JobCancelled(prompts[1])))
    assert journal.ends == [(prompts[1], JobStatus.CANCELLED)]
