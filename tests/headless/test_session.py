"""Code in an event loop of its own follows a session without missing a change."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from comfytui.comfy.server import Server
from comfytui.headless.session import HeadlessSession, is_current
from comfytui.service.mailbox import Mailbox
from comfytui.service.notifications import SessionChanged
from comfytui.service.thread import ServiceThread
from comfytui.session.state import SessionState
from comfytui.sim.server import SimServer
from tests.timings import FAST
from tests.waiting import TIMEOUT


def service_of(sim: SimServer) -> ServiceThread:
    return ServiceThread(Server.from_url(sim.url), timings=FAST)


async def test_a_condition_is_waited_for() -> None:
    async with SimServer() as sim, HeadlessSession(service_of(sim)) as session, asyncio.timeout(TIMEOUT):
        assert await session.until(is_current)


async def test_a_change_while_nobody_waits_is_not_missed() -> None:
    async with SimServer() as sim, HeadlessSession(service_of(sim)) as session, asyncio.timeout(TIMEOUT):
        await session.until(is_current)
        revision = session.revision
        session.wake()
        await session.changed_since(revision)


async def test_a_state_that_was_read_is_not_followed_by_an_older_one() -> None:
    class LateService(ServiceThread):
        """Has a newer state than its subscriber's mailbox, as any service has for a moment."""

        state = replace(SessionState(), queue_remaining=1)

        def subscribe(self, wake: Callable[[], object]) -> Mailbox:
            mailbox = Mailbox(wake)
            mailbox.put(SessionChanged("", SessionState()))
            return mailbox

    passed_on: list[SessionState] = []
    service = LateService(Server.from_url("http://127.0.0.1:9"), timings=FAST)
    async with HeadlessSession(service, passed_on.append) as session, asyncio.timeout(TIMEOUT):
        read = session.state
        await session.until(lambda _: passed_on)
    assert passed_on == [read]


async def test_those_who_wait_learn_that_no_change_will_come() -> None:
    def fail(_: SessionState) -> None:
        raise LookupError

    async with SimServer() as sim, asyncio.timeout(TIMEOUT):
        with pytest.raises(LookupError):
            async with HeadlessSession(service_of(sim), fail) as session:
                await session.until(lambda _: False)
