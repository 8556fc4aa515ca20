"""The service on a simulated server: every prompt arrives once, every error is reported, every connection heals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.service.connection.poller import Poller
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.mailbox import Subscribers
from comfytui.service.notifications import JobEnded, NotReached, ServiceFailed
from comfytui.service.results import Cancelled, CancelOutcome
from comfytui.service.service import SessionService
from comfytui.service.thread import ServiceThread
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.shown_run import step_of
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import Watcher, small_batch, watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
SLOW = SimConfig(steps_per_second=20, load_seconds=0)
MODEL = QUICK.checkpoints[0]


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as server:
        yield server


@pytest.fixture
async def watcher(sim: SimServer) -> AsyncIterator[Watcher]:
    async with watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        yield watcher


def ids(sim: SimServer) -> list[str]:
    return [body["prompt_id"] for body in sim.submitted]


async def test_a_batch_is_submitted_once_with_tags_that_restore_it(sim: SimServer, watcher: Watcher) -> None:
    batch = await watcher.submit(3, model=MODEL)
    await watcher.until(batch)
    assert ids(sim) == list(batch.prompt_ids)
    tags = [body["extra_data"]["comfytui"] for body in sim.submitted]
    assert [(tag["batch"], tag["index"], tag["total"]) for tag in tags] == [(batch.id, n, 3) for n in (1, 2, 3)]
    assert len({tag["submission"] for tag in tags}) == 1


async def test_every_end_of_my_jobs_is_posted_once(watcher: Watcher) -> None:
    batch = await watcher.submit(3, model=MODEL)
    await watcher.until(batch)

    def ended() -> list[str]:
        return [n.job.prompt_id for n in watcher.notifications if isinstance(n, JobEnded)]

    await eventually(lambda: set(ended()) == set(batch.prompt_ids), "the notification of every end")
    assert len(ended()) == 3


async def test_a_prompt_whose_answer_was_lost_is_searched_for_and_not_sent_twice(sim: SimServer) -> None:
    async with proxy_to(sim.url) as proxy, watching(Server.from_url(proxy.url)) as watcher:
        await watcher.live()
        lost = proxy.lose_response_to(b"POST /api/prompt")
        batch = await watcher.submit(3, model=MODEL)
        jobs = await watcher.until(batch)
        assert lost.hits == 1
        assert [job.status for job in jobs] == [JobStatus.SUCCEEDED] * 3
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_dropped_connection_heals_and_the_batch_continues() -> None:
    async with SimServer(SLOW) as sim, proxy_to(sim.url) as proxy, watching(Server.from_url(proxy.url)) as watcher:
        await watcher.live()
        batch = await watcher.submit(2, model=MODEL, steps=20)
        await eventually(lambda: step_of(watcher.state) > 2, "a step")
        proxy.reset_connections()
        await eventually(lambda: LinkKind.OFFLINE in watcher.kinds(), "the reset")
        jobs = await watcher.until(batch)
        assert [job.status for job in jobs] == [JobStatus.SUCCEEDED] * 2
        assert all(job.outputs for job in jobs)
        fractions = [each.batch_fraction for each in watcher.seen(batch)]
        assert fractions == sorted(fractions)


def rarely_reconnecting(url: str) -> AbstractAsyncContextManager[Watcher]:
    """Watch a service that does not reconnect by itself during a test."""
    return watching(Server.from_url(url), timings=timings(socket={"first_delay": 600.0, "longest_delay": 600.0}))


async def test_reconnect_does_not_wait_for_the_next_try() -> None:
    async with SimServer(QUICK) as sim, proxy_to(sim.url) as proxy, rarely_reconnecting(proxy.url) as watcher:
        await watcher.live()
        proxy.reset_connections()
        await eventually(lambda: LinkKind.OFFLINE in watcher.kinds(), "the reset")
        watcher.service.reconnect()
        await watcher.live()


async def test_a_socket_opens_as_soon_as_a_poll_finds_the_server_back() -> None:
    async with SimServer(QUICK) as sim, proxy_to(sim.url) as proxy, rarely_reconnecting(proxy.url) as watcher:
        await watcher.live()
        proxy.go_down()
        proxy.reset_connections()
        await eventually(lambda: watcher.state.link.kind is LinkKind.OFFLINE, "the outage")
        await eventually(lambda: "Nothing listens" in watcher.state.link.reason, "a failed poll")
        await proxy.come_up()
        await watcher.live()


async def test_a_batch_submitted_while_the_server_is_down_is_sent_when_it_is_back() -> None:
    async with SimServer(QUICK) as sim:
        port = int(sim.url.rpartition(":")[2])
        async with watching(Server.from_url(sim.url)) as watcher:
            await watcher.live()
            await sim.__aexit__(None, None, None)
            batch = await watcher.submit(2, model=MODEL)
            await eventually(lambda: all(job.note for job in watcher.jobs(batch)[:1]), "the reason for the delay")
            assert {job.status for job in watcher.jobs(batch)} == {JobStatus.SUBMITTING}
            async with SimServer(QUICK, port=port) as again:
                await watcher.until(batch)
                assert ids(again) == list(batch.prompt_ids)


async def test_an_unsent_prompt_can_be_cancelled() -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        await sim.__aexit__(None, None, None)
        batch = await watcher.submit(2, model=MODEL)
        assert await watcher.cancel(batch.prompt_ids[1]) == Cancelled(CancelOutcome.DROPPED)
        assert watcher.state.jobs[batch.prompt_ids[1]].status is JobStatus.CANCELLED


async def test_cancelling_a_job_that_has_ended_says_so(watcher: Watcher) -> None:
    batch = await watcher.submit(1, model=MODEL)
    await watcher.until(batch)
    result = await watcher.cancel(batch.prompt_ids[0])
    assert result == Cancelled(CancelOutcome.ALREADY_ENDED, JobStatus.SUCCEEDED)


async def test_a_crash_is_reported_and_the_service_starts_again(
    sim: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = ["a fault"]
    poll = Poller.poll

    async def breaks_once(self: Poller, client: Any) -> None:
        if faults:
            raise RuntimeError(faults.pop())
        await poll(self, client)

    monkeypatch.setattr(Poller, "poll", breaks_once)
    service = ServiceThread(Server.from_url(sim.url), pauses=(0.01,))
    service.start()
    try:
        watcher = Watcher(service)
        await eventually(lambda: any(isinstance(n, ServiceFailed) for n in watcher.notifications), "the crash")
        failed = next(n for n in watcher.notifications if isinstance(n, ServiceFailed))
        assert failed.reason == "RuntimeError: a fault"
        await watcher.live()
        await watcher.until(await watcher.submit(1, model=MODEL))
        assert len(sim.submitted) == 1
    finally:
        await asyncio.to_thread(service.stop)


async def test_a_first_try_that_finds_no_server_is_reported() -> None:
    async with watching(Server.from_url("127.0.0.1:9")) as watcher:
        await eventually(lambda: any(isinstance(n, NotReached) for n in watcher.notifications), "the notification")


async def test_two_subscribers_receive_the_same_state(sim: SimServer, watcher: Watcher) -> None:
    other = Watcher(watcher.service)
    batch = await watcher.submit(1, model=MODEL)
    await watcher.until(batch)
    await eventually(lambda: other.states and other.states[-1] == watcher.states[-1], "the same state")


async def test_the_end_of_another_clients_job_is_shown_too() -> None:
    (graph,) = small_batch(1, model=MODEL, steps=20).graphs
    async with SimServer(SLOW) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        async with ComfyClient(watcher.service.server) as other:
            await other.submit(graph, prompt_id="11111111-1111-4111-8111-111111111111", client_id="they", tag={})
        await eventually(lambda: any(job.outputs for job in watcher.state.jobs.values()), "the other client's image")
        (job,) = watcher.state.jobs.values()
        assert (job.mine, job.owner, job.status) == (False, "they", JobStatus.SUCCEEDED)


def test_credentials_that_were_refused_stay_secret_after_the_next_login() -> None:
    server = Server.from_url("http://me:passw0rd-1@box")
    service = SessionService(server, ComfyBackend, AsyncJournal(lambda _: None), Subscribers())
    service.log_in("Bearer passw0rd-2", 1)
    service.log_in("Bearer passw0rd-3", 2)
    assert redactor_of(service.server).text("passw0rd-1 passw0rd-2 passw0rd-3") == "*** *** ***"
