"""A client with rejected credentials says so and sends no more requests, even while an earlier socket is open."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from comfytui.service.connection import manager
from comfytui.session.model import JobStatus, LinkKind
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.faults.test_polling import polling
from tests.timings import FAST, timings
from tests.waiting import eventually


async def test_an_expired_login_stops_the_sending_until_the_user_tries_again() -> None:
    async with fault_case() as case:
        refused = case.sim.faults.fail(401)
        batch = await case.watcher.submit(2, model=MODEL)
        await eventually(lambda: case.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        assert "log in when comfytui asks" in case.state.link.reason
        await eventually(lambda: case.watcher.jobs(batch)[0].note, "a note about the delay")
        asked, over = refused.hits, time.monotonic() + 1.5
        await case.watcher.submit(1, model=MODEL)
        await eventually(lambda: time.monotonic() > over, "time for fifteen tries")
        assert refused.hits <= asked + 2  # the poll that the batch causes, and one in transit
        refused.end()
        case.watcher.service.reconnect()
        jobs = await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert all(job.outputs for job in jobs)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record each time that a prompt is checked for sending: a clock that ticks while a prompt waits."""
    tries: list[str] = []
    sendable = manager.ConnectionManager.sendable

    async def counted(self: manager.ConnectionManager, prompt_id: str) -> bool:
        tries.append(prompt_id)
        return await sendable(self, prompt_id)

    monkeypatch.setattr(manager.ConnectionManager, "sendable", counted)
    return tries


async def ticks(tries: list[str], count: int) -> None:
    until = len(tries) + count
    await eventually(lambda: len(tries) >= until, "some time")


@pytest.mark.parametrize(("reached", "status"), [(fault_case, 401), (polling, 403)], ids=["with sockets", "without"])
async def test_a_server_that_rejects_the_credentials_gets_no_requests_until_the_user_tries_again(
    reached: Callable[..., AbstractAsyncContextManager[FaultCase]], status: int, tries: list[str]
) -> None:
    async with reached(timings=timings(FAST, connection={"given_up_pause": 0.2})) as case:
        refused = case.sim.faults.fail(status)
        case.proxy.reset_connections()
        batch = await case.watcher.submit(1, model=MODEL)
        await eventually(lambda: case.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        await ticks(tries, 5)
        asked = refused.hits
        await ticks(tries, 10)
        assert refused.hits == asked
        assert not case.sim.submitted
        refused.end()
        case.watcher.service.reconnect()
        await case.watcher.until(batch, JobStatus.SUCCEEDED)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_refuses_only_the_prompt_gets_it_again_when_the_user_tries_again(
    status: int, tries: list[str]
) -> None:
    async with fault_case() as case:
        refused = case.sim.faults.fail(status, "/prompt", method="POST")
        batch = await case.watcher.submit(1, model=MODEL)
        await eventually(lambda: case.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        await ticks(tries, 5)
        asked = refused.hits
        since = len(case.watcher.states)
        await ticks(tries, 10)
        assert refused.hits == asked
        assert case.watcher.kinds(since) <= {LinkKind.UNAUTHORISED}
        refused.end()
        case.watcher.service.reconnect()
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
