"""Which client ids a running comfytui serves, and what it takes over of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.service.journal import locks
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.database import LOCK_FILE
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.resumption import Resumption
from comfytui.session.model import JobStatus
from comfytui.session.state import SessionState
from tests.service.journal.batches import FINGERPRINT, planned
from tests.waiting import eventually

SERVER = Server.from_url("http://gpu-box:8188")
OTHER_ADDRESS = Server.from_url("http://localhost:8188")


def at(server: Server, fingerprint: str = FINGERPRINT) -> Endpoint:
    """A server as the journal knows it."""
    return Endpoint(fingerprint, server.shown, server.address)


@asynccontextmanager
async def tenancy_at(server: Server, folder: Path, *, fresh: bool = False) -> AsyncIterator[ClientIds]:
    scribe = AsyncJournal(lambda _: None, folder)
    await scribe.open()
    yield ClientIds(scribe, server, fresh=fresh)
    assert await scribe.close()


def left_behind(folder: Path, endpoint: Endpoint) -> str:
    """Plan a batch under a client id that nobody holds; returns the batch's id."""
    with Journal.open(folder) as journal:
        return planned(journal, client_id="left", server=endpoint).id


def ids(batches: list[SavedBatch]) -> list[str]:
    return [each.batch.id for each in batches]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_takeover_that_is_cancelled_goes_on_to_its_end(tmp_path: Path, cancelled: bool) -> None:
    known: list[SavedBatch] = []
    sockets: list[str] = []
    async with tenancy_at(SERVER, tmp_path) as tenancy:
        await tenancy.move_in(FINGERPRINT)
        batch = left_behind(tmp_path, at(SERVER))
        recognition = Resumption(tenancy, SessionState, known.extend, lambda: None)
        recognition.want()
        with locks.folder_lock(tmp_path / LOCK_FILE):
            running = asyncio.create_task(recognition.run(sockets.append))
            await eventually(lambda: not recognition._requested.is_set(), "the question")
            await asyncio.sleep(0)
            if cancelled:
                running.cancel()
                await asyncio.sleep(0)
        await eventually(lambda: running.done() if cancelled else sockets, "the answer")
        running.cancel()
        await asyncio.wait([running])
        assert ids(known) == [batch]
        assert "left" in tenancy.client_ids
        # The sockets of what is cancelled are opened by what comes next.
        assert sockets == ([] if cancelled else ["left"])


async def test_what_was_ordered_before_any_server_answered_belongs_to_the_one_it_is_taken_over_at(
    tmp_path: Path,
) -> None:
    async with tenancy_at(SERVER, tmp_path) as tenancy:
        await tenancy.move_in(FINGERPRINT)
        batch = left_behind(tmp_path, at(SERVER, ""))
        taken, saved = await tenancy.recognise([])
        assert (taken, ids(saved)) == (("left",), [batch])
    async with tenancy_at(SERVER, tmp_path) as tenancy:
        assert await tenancy.move_in("beef") == []


async def test_a_fresh_start_takes_nothing_over_but_at_the_server_that_is_taken_next(tmp_path: Path) -> None:
    here, there = left_behind(tmp_path, at(SERVER)), left_behind(tmp_path, at(SERVER, "beef"))
    async with tenancy_at(SERVER, tmp_path, fresh=True) as tenancy:
        assert await tenancy.move_in(FINGERPRINT) == []
        assert await tenancy.recognise(["left"]) == ((), [])
        tenancy.move_out()
        assert ids(await tenancy.move_in("beef")) == [there]
        tenancy.move_out()
        assert ids(await tenancy.move_in(FINGERPRINT)) == [here]


async def test_ended_batches_are_known_at_another_address_once_their_jobs_are_seen_there(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch = planned(journal, client_id="left", server=at(SERVER))
        for prompt in batch.prompts:
            journal.ended(prompt, JobStatus.SUCCEEDED)
    async with tenancy_at(OTHER_ADDRESS, tmp_path) as tenancy:
        await tenancy.move_in(FINGERPRINT)
        assert await tenancy.recognise(["stranger"]) == ((), [])
        taken, saved = await tenancy.recognise(["left"])
        assert (taken, ids(saved)) == ((), [batch.id])
        assert tenancy.mine >= {"left"}
        assert tenancy.elsewhere == frozenset()
