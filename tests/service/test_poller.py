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
from comfytui.service.connection.identity import IdentityCheck
from comfytui.service.connection.poller import Poller
from comfytui.session.events import SessionEvent
from comfytui.session.model import JobStatus, Link, LinkKind, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.timings import DEFAULT
from tests.stub_servers import everywhere, serving
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import small_batch, watching


async def test_a_poller_can_be_cancelled_while_a_poll_is_requested() -> None:
    live = replace(SessionState(), link=Link(LinkKind.LIVE))
    poller = Poller(lambda _: None, lambda: live, IdentityCheck(lambda _: None, lambda _: None, lambda: None))
    async with ComfyBackend(Server.from_url("http://127.0.0.1:9")) as client:
        for steps in range(4):
            polling = asyncio.create_task(poller.run(client))
            await asyncio.sleep(0.01)
            poller.request()
            for _ in range(steps):
                await asyncio.sleep(0)
            polling.cancel()
            done, _ = await asyncio.wait([polling], timeout=10)
            assert done
            poller._requested.clear()


async def test_a_failed_poll_delays_the_next_one_only_a_little() -> None:
    rare = replace(DEFAULT.poll, rest_factor=1_000_000, poll_idle=0.1)
    failures: list[SessionEvent] = []
    poller = Poller(
        failures.append, SessionState, IdentityCheck(lambda _: None, lambda _: None, lambda: None), timings=rare
    )
    async with ComfyBackend(Server.from_url("http://127.0.0.1:9")) as client:
        polling = asyncio.create_task(poller.run(client))
        poller.request()
        await eventually(lambda: len(failures) == 1, "a poll")
        poller.request()
        await eventually(lambda: len(failures) == 2, "the next poll")
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling


@pytest.mark.parametrize(
    ("behind", "verified", "polled"),
    [(0, True, False), (5, True, True), (0, False, True)],
    ids=["frames come in time", "frames are late", "another server may answer"],
)
async def test_a_live_link_is_polled_often_only_while_its_frames_are_not_enough(
    behind: int, verified: bool, polled: bool
) -> None:
    live = replace(SessionState(), link=Link(LinkKind.LIVE, socket_open=True, lag_seconds=behind))
    identity = IdentityCheck(lambda _: None, lambda _: None, lambda: None)
    poller = Poller(lambda _: None, lambda: live, identity)
    async with SimServer(SimConfig(load_seconds=0)) as sim, ComfyBackend(Server.from_url(sim.url)) as client:
        assert await identity.verify(client)
        if not verified:
            identity.socket_opened()
        assert poller._pause() == (DEFAULT.poll.poll_idle if polled else DEFAULT.poll.live_idle)


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

    async with serving(everywhere(endless)) as url, ComfyBackend(Server.from_url(url)) as client:
        assert await finished_jobs.last_finished(client) is None


async def test_two_polls_at_once_count_an_arrival_once() -> None:
    """A poll waits while another one is under way."""
    config = SimConfig(steps_per_second=0, load_seconds=0)
    async with SimServer(config) as sim, ComfyBackend(Server.from_url(sim.url)) as client:
        state = SessionState()

        def take(event: SessionEvent) -> None:
            nonlocal state
            state = reduce(state, event, Stamp(0.0, 0.0))

        poller = Poller(take, lambda: state, IdentityCheck(take, lambda _: None, lambda: None))
        poller.socket_opened()
        poller.announce(0)
        await poller.poll(client)
        (graph,) = small_batch(1, model=sim.config.checkpoints[0]).graphs
        await client.submit(graph, prompt_id=str(uuid4()), client_id="them", tag={})
        await eventually(lambda: sim.queue.history, "its end")
        poller.announce(1)
        poller.announce(0)
        searches = sim.faults.delay(0.0, "/history")
        await asyncio.gather(poller.poll(client), poller.poll(client))
        assert [job.status for job in state.jobs.values()] == [JobStatus.SUCCEEDED]
        assert searches.hits == 1
