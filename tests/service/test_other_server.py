"""Another server at the address: what the journal has of the first is left alone, and resumed when that is back."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from comfytui.comfy.errors import Unreachable
from comfytui.comfy.server import Server
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.sim.server import SimServer
from tests.faults.proxy import Proxy, proxy_to
from tests.service.submission.resuming import resumed, statuses
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import Watcher, watching

OTHER = replace(QUICK, card="NVIDIA GeForce RTX 3060", vram_gib=12)
THIRD = replace(QUICK, card="NVIDIA A100", vram_gib=80)
OFTEN = timings(poll={"other_server_pause": 0.1})
"""Polls often whether the known server is back."""


class TwoServers(NamedTuple):
    """Two servers, and an address that leads to one of them."""

    gate: Gate
    first: SimServer
    other: SimServer
    proxy: Proxy
    server: Server

    def switch_to(self, sim: SimServer) -> None:
        self.proxy.forward_to(sim.url)
        self.proxy.reset_connections()


@asynccontextmanager
async def two_servers() -> AsyncIterator[TwoServers]:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as first, SimServer(OTHER) as other, proxy_to(first.url) as proxy:
        yield TwoServers(gate, first, other, proxy, Server.from_url(proxy.url))


def journal_rows(folder: Path) -> list[Any]:
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as db:
        return db.execute(
            "SELECT prompt_id, accepted_id, status, sending, outputs FROM prompts ORDER BY seq"
        ).fetchall()


async def mismatch(watcher: Watcher) -> None:
    await eventually(lambda: watcher.state.link.kind is LinkKind.OTHER_SERVER, "another server")


async def batch_left_behind(it: TwoServers, watcher: Watcher) -> Batch:
    """Return a batch that waits on the first server, while the other one answers."""
    await watcher.live()
    batch = await watcher.submit(2, model=MODEL)
    await watcher.until(batch, JobStatus.QUEUED)
    await eventually(lambda: watcher.state.queue_remaining == 2, "the length of the queue")
    it.switch_to(it.other)
    await mismatch(watcher)
    return batch


async def test_a_start_at_another_server_changes_nothing(tmp_path: Path) -> None:
    async with two_servers() as it:
        async with watching(it.server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
        before = journal_rows(tmp_path)
        it.switch_to(it.other)
        async with watching(it.server, folder=tmp_path) as watcher:
            await mismatch(watcher)
            assert statuses(watcher, batch) == [JobStatus.QUEUED] * 2
            later = await watcher.submit(1, model=MODEL)
        assert (it.other.submitted, journal_rows(tmp_path)[:2]) == ([], before)
        it.switch_to(it.first)
        await it.gate.let_all()
        async with watching(it.server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            assert all(job.outputs for job in [*await watcher.until(batch), *await watcher.until(later)])
        assert ids(it.first) == [*batch.prompt_ids, *later.prompt_ids]
        assert it.other.submitted == []


async def test_a_server_that_is_back_becomes_live_by_itself(tmp_path: Path) -> None:
    async with two_servers() as it, watching(it.server, folder=tmp_path) as watcher:
        batch = await batch_left_behind(it, watcher)
        it.switch_to(it.first)
        await watcher.live()
        assert statuses(watcher, batch) == [JobStatus.QUEUED] * 2
        await it.gate.let_all()
        assert all(job.outputs for job in await watcher.until(batch))
        assert it.other.submitted == []


async def test_each_server_keeps_its_own_batches_whichever_is_accepted(tmp_path: Path) -> None:
    async with two_servers() as it:
        async with watching(it.server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            await eventually(lambda: all(row[2] == "queued" for row in journal_rows(tmp_path)), "what is written")
            before = journal_rows(tmp_path)
            it.switch_to(it.other)
            await mismatch(watcher)
            watcher.service.accept_server()
            await eventually(lambda: not watcher.state.batches, "the move")
            await watcher.live()
            there = await watcher.submit(1, model=MODEL)
            await watcher.until(there, JobStatus.SUCCEEDED)
        assert journal_rows(tmp_path)[:2] == before
        it.switch_to(it.first)
        async with watching(it.server, folder=tmp_path) as watcher:
            await mismatch(watcher)
            watcher.service.accept_server()
            await resumed(watcher, batch)
            assert list(watcher.state.batches) == [batch.id]
            await it.gate.let_all()
            assert all(job.outputs for job in await watcher.until(batch))
        assert (ids(it.first), ids(it.other)) == (list(batch.prompt_ids), list(there.prompt_ids))


async def test_jobs_are_not_marked_cancelled_while_another_server_answers() -> None:
    async with two_servers() as it, watching(it.server) as watcher:
        batch = await batch_left_behind(it, watcher)
        assert str((await watcher.cancel_batch(batch)).error) == watcher.state.link.reason
        with pytest.raises(Unreachable) as error:
            await watcher.cancel(batch.prompt_ids[0])
        assert str(error.value) == watcher.state.link.reason
        assert statuses(watcher, batch) == [JobStatus.QUEUED] * 2


async def test_accepting_a_server_after_the_known_one_is_back_changes_nothing() -> None:
    async with two_servers() as it, watching(it.server) as watcher:
        batch = await batch_left_behind(it, watcher)
        it.switch_to(it.first)
        await watcher.live()
        watcher.service.accept_server()
        later = await watcher.submit(1, model=MODEL)
        await watcher.until(later, JobStatus.QUEUED)
        assert statuses(watcher, batch) == [JobStatus.QUEUED] * 2
        assert (ids(it.first), it.other.submitted) == ([*batch.prompt_ids, *later.prompt_ids], [])


async def test_accepting_a_server_means_the_one_that_was_shown(tmp_path: Path) -> None:
    async with (
        two_servers() as it,
        SimServer(THIRD) as third,
        watching(it.server, folder=tmp_path, timings=OFTEN) as watcher,
    ):
        await eventually(lambda: watcher.state.stats, "its identity")
        it.switch_to(it.other)
        await mismatch(watcher)
        assert "3060" in watcher.state.link.reason
        asked = third.faults.delay(0, "/system_stats")
        it.switch_to(third)
        await eventually(lambda: asked.hits >= 2, "an answer of the third")
        watcher.service.accept_server()
        await eventually(lambda: "A100" in watcher.state.link.reason, "another question")
        batch = await watcher.submit(1, model=MODEL)
        it.switch_to(it.other)
        await watcher.until(batch, JobStatus.SUCCEEDED)
        assert (it.first.submitted, ids(it.other), third.submitted) == ([], list(batch.prompt_ids), [])


@pytest.mark.parametrize("gone_for_long", [True, False])
async def test_another_server_is_detected_without_sockets(tmp_path: Path, gone_for_long: bool) -> None:
    often = timings(OFTEN, poll={"stats_busy": 0.1})
    async with two_servers() as it:
        it.proxy.strip_upgrades()
        async with watching(it.server, folder=tmp_path, timings=often) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polls over HTTP")
            batch = await watcher.submit(1, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            if gone_for_long:
                it.proxy.go_down()
                it.proxy.reset_connections()
                await eventually(lambda: watcher.state.link.kind is LinkKind.OFFLINE, "the loss")
                it.proxy.forward_to(it.other.url)
                await it.proxy.come_up()
            else:
                it.switch_to(it.other)
            await mismatch(watcher)
            assert statuses(watcher, batch) == [JobStatus.QUEUED]
            later = await watcher.submit(1, model=MODEL)
            it.switch_to(it.first)
            await it.gate.let_all()
            assert all(job.outputs for job in [*await watcher.until(batch), *await watcher.until(later)])
        assert (ids(it.first), it.other.submitted) == ([*batch.prompt_ids, *later.prompt_ids], [])


async def test_nothing_is_sent_to_an_undetected_server_without_sockets(tmp_path: Path) -> None:
    async with two_servers() as it:
        it.proxy.strip_upgrades()
        async with watching(it.server, folder=tmp_path) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polls over HTTP")
            it.switch_to(it.other)
            batch = await watcher.submit(2, model=MODEL)
            await mismatch(watcher)
            assert statuses(watcher, batch) == [JobStatus.SUBMITTING] * 2
        assert it.other.submitted == []


async def test_nothing_that_a_server_sends_is_used_before_its_identity_is_verified() -> None:
    async with two_servers() as it, watching(it.server) as watcher:
        await watcher.live()
        batch = await watcher.submit(2, model=MODEL)
        await watcher.until(batch, JobStatus.QUEUED)
        await eventually(lambda: watcher.state.queue_remaining == 2, "the length of the queue")
        # Its first status frame and its stats arrive before its identity is verified.
        slow = it.other.faults.delay(0.5, "/system_stats")
        seen = len(watcher.states)
        it.switch_to(it.other)
        await mismatch(watcher)
        assert slow.hits
        assert {state.queue_remaining for state in watcher.states[seen:]} == {2}
        assert len({state.stats.devices[0].name for state in watcher.states[seen:] if state.stats}) == 1


async def test_nothing_that_the_other_server_sent_is_used_once_the_known_one_is_back() -> None:
    async with two_servers() as it, watching(it.server, timings=OFTEN) as watcher:
        await batch_left_behind(it, watcher)
        await eventually(lambda: it.other.sockets.clients, "a socket to the other server")
        assert watcher.state.queue_remaining == 2
        seen = len(watcher.states)
        # Its socket stays open, and its first status frame says that the queue is empty.
        it.proxy.forward_to(it.first.url)
        it.proxy.reset_connections(requests_only=True)
        await watcher.live()
        await eventually(lambda: it.first.sockets.clients and not it.other.sockets.clients, "the socket of before")
        assert {state.queue_remaining for state in watcher.states[seen:]} == {2}
