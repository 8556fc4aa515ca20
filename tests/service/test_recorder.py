"""Which ends are written down: those of jobs whose client id this process holds, or nobody else."""

import asyncio
from asyncio import Future
from typing import Any

from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.recorder import record
from comfytui.session.events import ClientIdsAcquired, JobCancelled
from comfytui.session.model import JobStatus
from tests.session.builders import ME, Session


class Pen(AsyncJournal):
    """Keeps which ends it is told."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.ends: list[tuple[str, JobStatus]] = []

    def ended(self, prompt_id: str, status: JobStatus, **_: Any) -> Future[bool]:
        self.ends.append((prompt_id, status))
        return asyncio.get_running_loop().create_future()


async def test_an_end_is_left_to_the_comfytui_that_holds_the_job() -> None:
    session, pen = Session(), Pen()
    prompts = session.plan("batch", 2)
    before = session.state
    session.do(ClientIdsAcquired(frozenset({ME}), frozenset({ME})), JobCancelled(prompts[0]))
    record(pen, before, session.state)
    assert pen.ends == []
    before = session.do(ClientIdsAcquired(frozenset({ME})))
    record(pen, before, session.do(JobCancelled(prompts[1])))
    assert pen.ends == [(prompts[1], JobStatus.CANCELLED)]
