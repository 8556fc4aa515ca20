"""A batch is cancelled wherever its prompts are: none is sent or runs later, and the outcome is reported."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from comfytui.comfy.server import Server
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.service.submission.cancel_batch import cancel_all
from comfytui.session.delivery import CancelRequested
from comfytui.session.events import QueuedPrompt, QueueSnapshot
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.sim.server import SimServer
from tests.faults.proxy import Proxy, proxy_to
from tests.service.submission.resuming import statuses
from tests.service.submission.test_outbox import ScriptedServer, outbox_harness
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import Watcher, watching

CANCELLED = JobStatus.CANCELLED


SHORT_PAUSES = timings(connection={"ready": 0.05}, submission={"retry_pause": 0.05, "arrival": 0.1})
"""Searches for unconfirmed prompts at short intervals, and not for long."""


@asynccontextmanager
async def paused_server() -> AsyncIterator[tuple[SimServer, Proxy, Watcher]]:
    """A server that runs nothing of what it accepts, a proxy, and a service on it."""
    async with (
        SimServer(QUICK, clock=Gate()) as sim,
        proxy_to(sim.url) as proxy,
        watching(Server.from_url(proxy.url), timings=SHORT_PAUSES) as watcher,
    ):
        await watcher.live()
        yield sim, proxy, watcher


async def check_sends_on(sim: SimServer, watcher: Watcher, *batches: Batch) -> None:
    """Check that a later batch is sent, and of the earlier ones only the first prompts of these."""
    later = await watcher.submit(1, model=MODEL)
    await watcher.until(later, JobStatus.QUEUED)
    assert ids(sim) == [*(batch.prompt_ids[0] for batch in batches), *later.prompt_ids]


@pytest.mark.parametrize("accepted_id", [None, "theirs"], ids=["our id", "an id of the server's own"])
async def test_an_unconfirmed_prompt_is_cancelled_whichever_poll_finds_it(
    monkeypatch: pytest.MonkeyPatch, accepted_id: str | None
) -> None:
    server = ScriptedServer()
    monkeypatch.setattr(server, "answer", lambda _: web.Response(status=504))
    async with outbox_harness(server, arrival=30.0) as it:
        batch = it.submit(3)
        first, batch_tag = batch.prompt_ids[0], it.state.jobs[batch.prompt_ids[0]].batch_tag
        await eventually(lambda: it.is_unconfirmed(first), "the loss")
        jobs = list(it.state.jobs.values())
        result = await cancel_all(jobs, lambda: it.state, it.backend, it.apply)
        assert result == BatchCancelled(dropped=2, on_arrival=1)
        # The session's poll finds it first; an old server shows the prompt under an id of its own.
        it.apply(QueueSnapshot((), (QueuedPrompt(accepted_id or first, 1, "me", batch_tag),), requested_at=0.0))
        assert it.statuses(batch) == [JobStatus.QUEUED, CANCELLED, CANCELLED]
        server.pending = [server.item(server.posts[0], accepted_id or first)]
        await eventually(lambda: it.cancelled == [accepted_id or first], "the cancelling")
    assert server.ids() == [first]


async def test_a_prompt_that_was_found_and_cancelled_meanwhile_blocks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer()
    fine = server.answer
    monkeypatch.setattr(
        server, "answer", lambda body: web.Response(status=504) if len(server.posts) == 1 else fine(body)
    )
    async with outbox_harness(server, arrival=1e9) as it:
        batch, later = it.submit(1), it.submit(1)
        (first,) = batch.prompt_ids
        await eventually(lambda: it.is_unconfirmed(first), "the loss")
        it.apply(CancelRequested(first))
        it.apply(QueueSnapshot((), (QueuedPrompt(first, 1, "me"),), requested_at=0.0))
        await eventually(lambda: it.statuses(later) == [JobStatus.QUEUED], "the later batch")
    assert it.cancelled == []


async def test_a_prompt_that_is_being_sent_is_cancelled_once_it_is_accepted() -> None:
    async with paused_server() as (sim, _, watcher):
        held = sim.faults.hold_responses("/prompt", method="POST", times=1)
        batch = await watcher.submit(3, model=MODEL)
        await eventually(lambda: held.hits, "the POST")
        assert await watcher.cancel_batch(batch) == BatchCancelled(dropped=2, on_arrival=1)
        held.end()
        await watcher.until(batch, CANCELLED)
        removed = [Cancelled(CancelOutcome.REMOVED)]
        await eventually(lambda: watcher.cancelled_on_arrival == removed, "what became of it")
        assert sim.queue.remaining == 0
        await check_sends_on(sim, watcher, batch)


async def test_a_prompt_that_was_cancelled_while_being_sent_and_refused_is_not_resent() -> None:
    async with paused_server() as (sim, _, watcher):
        refused = sim.faults.fail(401, "/prompt", method="POST", times=1)
        refused.seconds = None  # held until `end`
        batch = await watcher.submit(1, model=MODEL)
        await eventually(lambda: refused.hits, "the POST")
        assert await watcher.cancel_batch(batch) == BatchCancelled(on_arrival=1)
        refused.end()
        await eventually(lambda: watcher.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        watcher.service.reconnect()  # a server that requires a login is not asked again by itself
        await watcher.until(batch, CANCELLED)
        await check_sends_on(sim, watcher)


async def test_what_another_comfytui_sends_is_cancelled_too(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        sim.faults.delay(0, "/prompt", method="POST", times=2)
        third = sim.faults.hold_responses("/prompt", method="POST", times=1)
        async with watching(server, folder=tmp_path) as sender, watching(server, folder=tmp_path) as other:
            await sender.live()
            batch = await sender.submit(5, model=MODEL)
            await eventually(lambda: third.hits, "the third POST")
            await eventually(lambda: len(statuses(other, batch)) == 2, "what was sent")
            result = asyncio.create_task(other.cancel_batch(batch))
            await eventually(lambda: sim.queue.remaining == 0, "the removal")
            third.end()
            assert await result == BatchCancelled(dropped=2, removed=3)
            await sender.until(batch, CANCELLED)
            later = await sender.submit(1, model=MODEL)
            await sender.until(later, JobStatus.QUEUED)
            assert ids(sim) == [*batch.prompt_ids[:3], *later.prompt_ids]


async def test_offline_unsent_prompts_are_dropped_and_a_reason_is_given_for_the_rest() -> None:
    async with paused_server() as (sim, proxy, watcher):
        taken = sim.faults.delay(0, "/prompt", method="POST", times=1)
        lost = sim.faults.fail(503, "/prompt", method="POST")
        unread = sim.faults.fail(503, "/history")  # so that no poll proves that it never arrived
        batch = await watcher.submit(3, model=MODEL)
        await eventually(lambda: taken.hits and watcher.jobs(batch)[1].note, "the loss")
        proxy.go_down()
        proxy.reset_connections()
        await eventually(lambda: watcher.state.link.kind is LinkKind.OFFLINE, "the lost connection")
        unsent = await watcher.submit(2, model=MODEL)
        result = await watcher.cancel_batch(batch)
        assert (result.dropped, result.on_arrival) == (1, 1)
        assert str(result.error).startswith("Nothing")
        assert await watcher.cancel_batch(unsent) == BatchCancelled(dropped=2)
        assert statuses(watcher, unsent) == [CANCELLED] * 2
        lost.end()
        unread.end()
        await proxy.come_up()
        watcher.service.reconnect()
        await eventually(lambda: statuses(watcher, batch) == [JobStatus.QUEUED, CANCELLED, CANCELLED], "the end")
        await check_sends_on(sim, watcher, batch)
