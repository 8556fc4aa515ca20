"""A batch is cancelled wherever its prompts are: none is sent or runs later, and what is told is true."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from comfytui.comfy.server import Server
from comfytui.service.connection import manager
from comfytui.service.submission import outbox
from comfytui.service.submission.cancel import cancel_all
from comfytui.session.events import QueuedPrompt, QueueSnapshot
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.sim.server import SimServer
from tests.faults.proxy import Proxy, proxy_to
from tests.service.resuming import statuses
from tests.service.test_outbox import Box, desk
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher, watching

CANCELLED = JobStatus.CANCELLED


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for lost prompts come fast, and end soon."""
    monkeypatch.setattr(manager, "READY_SECONDS", 0.05)
    monkeypatch.setattr(outbox, "LOOK_PAUSE", 0.05)
    monkeypatch.setattr(outbox, "LANDING_TIME", 0.1)


@asynccontextmanager
async def standing() -> AsyncIterator[tuple[SimServer, Proxy, Watcher]]:
    """A server that runs nothing of what it takes, and a service on it."""
    async with (
        SimServer(QUICK, pace=Gate()) as sim,
        proxy_to(sim.url) as proxy,
        watching(Server.from_url(proxy.url)) as watcher,
    ):
        await watcher.live()
        yield sim, proxy, watcher


async def told(watcher: Watcher, batch: Batch) -> str:
    """Cancel a batch; what is told at once."""
    watcher.service.cancel_batch(batch.id)
    await eventually(lambda: watcher.sentences, "an answer")
    return watcher.sentences[0]


async def sends_on(sim: SimServer, watcher: Watcher, *batches: Batch) -> None:
    """A later order is sent, and of those before no more than the first prompts of these."""
    later = await watcher.order(1, model=MODEL)
    await watcher.until(later, JobStatus.QUEUED)
    assert ids(sim) == [*(batch.prompts[0] for batch in batches), *later.prompts]


@pytest.mark.parametrize("accepted_id", [None, "theirs"], ids=["our id", "an id of the server's own"])
async def test_one_whose_answer_was_lost_is_cancelled_whichever_look_finds_it(
    monkeypatch: pytest.MonkeyPatch, accepted_id: str | None
) -> None:
    box = Box()
    monkeypatch.setattr(box, "answer", lambda _: web.Response(status=504))
    async with desk(box, monkeypatch) as it:
        monkeypatch.setattr(outbox, "LANDING_TIME", 30.0)
        batch = it.order(3)
        first, batch_tag = batch.prompts[0], it.state.jobs[batch.prompts[0]].batch_tag
        await eventually(lambda: it.outbox.undelivered.is_unconfirmed(first), "the loss")
        jobs = list(it.state.jobs.values())
        text, _ = await cancel_all(jobs, it.state, it.client, it.outbox, it.apply)
        assert text == "2 dropped before they were sent, 1 cancelled when they arrive."
        # The session's own look comes first; an old server shows the prompt under an id of its own.
        it.apply(QueueSnapshot((), (QueuedPrompt(accepted_id or first, 1, "me", batch_tag),), requested_at=0.0))
        assert it.statuses(batch) == [JobStatus.QUEUED, CANCELLED, CANCELLED]
        box.pending = [box.item(box.posts[0], accepted_id or first)]
        await eventually(lambda: it.cancelled == [accepted_id or first], "the cancelling")
    assert box.ids() == [first]


async def test_one_that_was_found_and_cancelled_meanwhile_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    fine = box.answer
    monkeypatch.setattr(box, "answer", lambda body: web.Response(status=504) if len(box.posts) == 1 else fine(body))
    async with desk(box, monkeypatch) as it:
        monkeypatch.setattr(outbox, "LANDING_TIME", 1e9)
        batch, later = it.order(1), it.order(1)
        (first,) = batch.prompts
        await eventually(lambda: it.outbox.undelivered.is_unconfirmed(first), "the loss")
        it.outbox.undelivered.request_cancel(first)
        it.apply(QueueSnapshot((), (QueuedPrompt(first, 1, "me"),), requested_at=0.0))
        await eventually(lambda: it.statuses(later) == [JobStatus.QUEUED], "the later order")
    assert it.cancelled == []


async def test_one_that_is_on_the_wire_is_cancelled_when_it_is_there() -> None:
    async with standing() as (sim, _, watcher):
        held = sim.faults.hold_answers("/prompt", method="POST", times=1)
        batch = await watcher.order(3, model=MODEL)
        await eventually(lambda: held.hits, "the POST")
        assert await told(watcher, batch) == "2 dropped before they were sent, 1 cancelled when they arrive."
        held.end()
        await watcher.until(batch, CANCELLED)
        removed = ["Removed from the queue before it ran."]
        await eventually(lambda: watcher.sentences[1:] == removed, "what became of it")
        assert sim.queue.remaining == 0
        await sends_on(sim, watcher, batch)


async def test_one_that_was_on_the_wire_and_did_not_get_in_is_not_sent_again() -> None:
    async with standing() as (sim, _, watcher):
        refused = sim.faults.fail(401, "/prompt", method="POST", times=1)
        refused.seconds = None  # as late as it is told to be
        batch = await watcher.order(1, model=MODEL)
        await eventually(lambda: refused.hits, "the POST")
        assert await told(watcher, batch) == "1 cancelled when they arrive."
        refused.end()
        await eventually(lambda: watcher.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        watcher.service.reconnect()  # who is not let in is not asked again by itself
        await watcher.until(batch, CANCELLED)
        await sends_on(sim, watcher)


async def test_away_from_the_server_what_was_not_sent_is_dropped_and_for_the_rest_is_said_why_not() -> None:
    async with standing() as (sim, proxy, watcher):
        taken = sim.faults.delay(0, "/prompt", method="POST", times=1)
        lost = sim.faults.fail(503, "/prompt", method="POST")
        unread = sim.faults.fail(503, "/history")  # so that no look proves that it never came
        batch = await watcher.order(3, model=MODEL)
        await eventually(lambda: taken.hits and watcher.jobs(batch)[1].note, "the loss")
        proxy.go_down()
        proxy.cut()
        await eventually(lambda: watcher.state.link.kind is LinkKind.OFFLINE, "the cut to be told")
        unsent = await watcher.order(2, model=MODEL)
        said = await told(watcher, batch)
        assert said.startswith("1 dropped before they were sent, 1 cancelled when they arrive. Not cancelled: Nothing")
        watcher.service.cancel_batch(unsent.id)
        await eventually(lambda: watcher.sentences[1:] == ["2 dropped before they were sent."], "the drop")
        assert statuses(watcher, unsent) == [CANCELLED] * 2
        lost.end()
        unread.end()
        await proxy.come_up()
        watcher.service.reconnect()
        await eventually(lambda: statuses(watcher, batch) == [JobStatus.QUEUED, CANCELLED, CANCELLED], "the end")
        await sends_on(sim, watcher, batch)
