"""Polls happen on request and when due, at a bounded rate, and end when they are cancelled."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pytest
from aiohttp import web

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.server import Server
from comfytui.service.connection import finished_jobs
from comfytui.service.connection.driver import ConnectionDriver
from comfytui.service.connection.poller import Poller
from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import Effect, Poll
from comfytui.session.connection.inputs import (
    Input,
    LagMeasured,
    PollSucceeded,
    ServerSeen,
    ServerVerified,
    SocketOpened,
    Started,
    TimerDue,
)
from comfytui.session.connection.link_events import HttpFailed, HttpSucceeded, LinkChanged
from comfytui.session.connection.machine import step
from comfytui.session.events import SessionEvent
from comfytui.session.model import JobStatus, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.timings import DEFAULT, Timings
from tests.stub_servers import everywhere, serving
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import small_batch, watching


class Polling:
    """A poller, and the connection that says when it polls.

    Args:
        backend: The server.
        timings: How often it polls.
    """

    def __init__(self, backend: ComfyBackend, timings: Timings = DEFAULT) -> None:
        self.state = SessionState()
        self.failures: list[LinkChanged] = []
        self.answers = 0
        self.driver = ConnectionDriver(self._carry_out, timings)
        self.poller = Poller(self.driver, lambda: self.state, self.apply, timings=timings.poll)
        self._backend = backend

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Poll):
            self.poller.begin(effect)
        elif isinstance(effect, LinkChanged):
            self.apply(effect)
            self.failures += [effect] if isinstance(effect.event, HttpFailed) else []
            self.answers += isinstance(effect.event, HttpSucceeded)

    def apply(self, event: SessionEvent) -> None:
        self.state = reduce(self.state, event, Stamp(0.0, 0.0))

    async def polls(self, count: int) -> None:
        """Carry out polls that are wanted at once."""
        polling = asyncio.create_task(self.poller.run(self._backend))
        before = self.answers
        for _ in range(count):
            self.poller.begin(Poll(light=False, history=False))
        await eventually(lambda: self.answers == before + count, "all of them")
        polling.cancel()
        await asyncio.wait([polling])

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.poller.run(self._backend))
            tasks.create_task(self.driver.run_timer(lambda: self.state))


@pytest.mark.parametrize("turns", range(4))
async def test_a_poller_can_be_cancelled_while_a_poll_is_requested(turns: int) -> None:
    async with ComfyBackend(Server.from_url("http://127.0.0.1:9")) as backend:
        it = Polling(backend)
        polling = asyncio.create_task(it.run())
        await eventually(lambda: it.poller._wanted._getters, "the wait for a poll")  # type: ignore[attr-defined]
        it.poller.request()
        for _ in range(turns):
            await asyncio.sleep(0)
        polling.cancel()
        await asyncio.wait([polling])
        assert polling.cancelled()


async def test_a_failed_poll_delays_the_next_one_only_a_little() -> None:
    rare = timings(poll={"rest_factor": 1_000_000, "poll_idle": 0.1})
    async with ComfyBackend(Server.from_url("http://127.0.0.1:9")) as backend:
        it = Polling(backend, rare)
        polling = asyncio.create_task(it.run())
        it.poller.request()
        await eventually(lambda: len(it.failures) == 1, "a poll")
        it.poller.request()
        await eventually(lambda: len(it.failures) == 2, "the next poll")
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling


@pytest.mark.parametrize(
    ("behind", "verified", "polled"),
    [(0, True, False), (5, True, True), (0, False, True)],
    ids=["frames come in time", "frames are late", "another server may answer"],
)
def test_a_live_link_is_polled_often_only_while_its_frames_are_not_enough(
    behind: int, verified: bool, polled: bool
) -> None:
    events: list[Input] = [Started(["me"]), SocketOpened("me"), ServerSeen("known", "it"), LagMeasured("me", behind)]
    events += [ServerVerified(1 if verified else 0, 1), PollSucceeded(0.0, SessionState())]
    connection = Connection()
    for event in events:
        connection, _ = step(connection, event, 0.0)
    connection = replace(connection, polls=replace(connection.polls, requested=False))
    connection, _ = step(connection, TimerDue(SessionState()), 1.0)
    assert connection.polls.due_at == 1.0 + (DEFAULT.poll.poll_idle if polled else DEFAULT.poll.live_idle)


async def test_the_rest_after_a_slow_poll_is_bounded() -> None:
    bounded = timings(poll={"rest_factor": 1_000_000, "max_rest": 0.05})
    async with SimServer(SimConfig(steps_per_second=0, load_seconds=0)) as sim:
        queues = sim.faults.delay(0.01, "/queue")
        async with watching(Server.from_url(sim.url), timings=bounded) as watcher:
            await watcher.live()
            for polls_before in range(3):
                await eventually(lambda count=polls_before: queues.hits > count, "a poll")  # type: ignore[misc]
                watcher.service.reconnect()


async def test_an_endless_history_is_not_read_to_find_the_last_finished_job() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        for number in range(10_000):
            entry = {"prompt": [number, f"p{number}", {"1": "x" * 100_000}, {}, []]}
            await response.write(f'"p{number}": {json.dumps(entry)}, '.encode())
        return response

    async with serving(everywhere(endless)) as url, ComfyBackend(Server.from_url(url)) as backend:
        assert await finished_jobs.last_finished(backend) is None


async def test_two_polls_at_once_count_an_arrival_once() -> None:
    """A poll waits while another one is under way."""
    config = SimConfig(steps_per_second=0, load_seconds=0)
    async with SimServer(config) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        it = Polling(backend)
        poller = it.poller
        poller.reset_unseen_jobs()
        poller.announce(0)
        await it.polls(1)
        (graph,) = small_batch(1, model=sim.config.checkpoints[0]).graphs
        await backend.submit(graph, prompt_id=str(uuid4()), client_id="them", tag={})
        await eventually(lambda: sim.queue.history, "its end")
        poller.announce(1)
        poller.announce(0)
        searches = sim.faults.delay(0.0, "/history")
        await it.polls(2)
        assert [job.status for job in it.state.jobs.values()] == [JobStatus.SUCCEEDED]
        assert searches.hits == 1
