"""Who is no longer let in says so and knocks no more, also while a socket of before still stands."""

import time

import pytest

from comfytui.session.model import JobStatus, LinkKind
from tests.faults.cell import MODEL, cell_of
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("scaled")


async def test_a_login_that_ran_out_ends_the_sending_until_the_user_tries_again() -> None:
    async with cell_of() as cell:
        refused = cell.sim.faults.fail(401)
        batch = await cell.watcher.order(2, model=MODEL)
        await eventually(lambda: cell.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        assert "user:password@" in cell.state.link.reason
        await eventually(lambda: cell.watcher.jobs(batch)[0].note, "the delay to be told")
        asked, over = refused.hits, time.monotonic() + 1.5
        await cell.watcher.order(1, model=MODEL)
        await eventually(lambda: time.monotonic() > over, "time for fifteen tries")
        assert refused.hits <= asked + 2  # the look that the order asks for, and what was under way
        refused.end()
        cell.watcher.service.reconnect()
        jobs = await cell.watcher.until(batch, JobStatus.SUCCEEDED, patience=20)
        assert all(job.outputs for job in jobs)
