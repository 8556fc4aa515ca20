"""Which client ids a running process holds, and which batches it resumes."""

import asyncio
from collections.abc import AsyncIterator, Callable
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
from tests.service.journal.batches import FINGERPRINT, recorded_batch
from tests.waiting import eventually

SERVER = Server.from_url("http://gpu-box:8188")
OTHER_ADDRESS = Server.from_url("http://localhost:8188")


def at(server: Server, fingerprint: str = FINGERPRINT) -> Endpoint:
    """Return a server as the journal knows it."""
    return Endpoint(fingerprint, server.label, server.address)


@asynccontextmanager
async def client_ids_at(server: Server, folder: Path, *, fresh: bool = False) -> AsyncIterator[ClientIds]:
    journal = AsyncJournal(lambda _: None, folder)
    await journal.open()
    yield ClientIds(journal, server, fresh=fresh)
    assert await journal.close()


def left_behind(folder: Path, endpoint: Endpoint) -> str:
    """Record a batch under a client id that no process holds; return the batch's id."""
    with Journal.open(folder) as journal:
        return recorded_batch(journal, client_id="left", server=endpoint).id


async def never(client_id: str) -> None:
    raise AssertionError(client_id)


def ids(batches: list[SavedBatch]) -> list[str]:
    return [each.batch.id for each in batches]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_cancelled_lookup_is_completed(tmp_path: Path, cancelled: bool) -> None:
    known: list[SavedBatch] = []
    sockets: list[str] = []
    async with client_ids_at(SERVER, tmp_path) as client_ids:
        await client_ids.acquire(FINGERPRINT)
        batch = left_behind(tmp_path, at(SERVER))
        resumption = Resumption(client_ids, SessionState, known.extend, lambda _: None, lambda: None)
        resumption.request()
        with locks.folder_lock(tmp_path / LOCK_FILE):
            running = asyncio.create_task(resumption.run(sockets.append, never))
            await eventually(lambda: not resumption._requested.is_set(), "the question")
            await asyncio.sleep(0)
            if cancelled:
                running.cancel()
                await asyncio.sleep(0)
        await eventually(lambda: running.done() if cancelled else sockets, "the answer")
        running.cancel()
        await asyncio.wait([running])
        assert ids(known) == [batch]
        assert "left" in client_ids.client_ids
        # After a cancelled run, the next run opens the sockets.
        assert sockets == ([] if cancelled else ["left"])


async def test_a_batch_from_before_any_server_answered_belongs_to_the_server_that_resumes_it(
    tmp_path: Path,
) -> None:
    async with client_ids_at(SERVER, tmp_path) as client_ids:
        await client_ids.acquire(FINGERPRINT)
        batch = left_behind(tmp_path, at(SERVER, ""))
        taken, saved = await client_ids.recognise([])
        assert (taken, ids(saved)) == (("left",), [batch])
    async with client_ids_at(SERVER, tmp_path) as client_ids:
        assert await client_ids.acquire("beef") == []


async def test_ended_batches_are_shown_at_another_address_once_their_jobs_are_seen_there(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch = recorded_batch(journal, client_id="left", server=at(SERVER))
        for prompt in batch.prompt_ids:
            journal.record_end(prompt, JobStatus.SUCCEEDED)
    async with client_ids_at(OTHER_ADDRESS, tmp_path) as client_ids:
        await client_ids.acquire(FINGERPRINT)
        assert await client_ids.recognise(["unknown"]) == ((), [])
        taken, saved = await client_ids.recognise(["left"])
        assert (taken, ids(saved)) == ((), [batch.id])
        assert client_ids.mine >= {"left"}
        assert client_ids.held_elsewhere == frozenset()


async def test_an_earlier_id_is_held_until_its_prompts_are_recorded_as_ended_and_its_socket_is_closed(
    tmp_path: Path,
) -> None:
    closing, closed = asyncio.Event(), asyncio.Event()

    async def disconnect(client_id: str) -> None:
        assert client_id == "left"
        closing.set()
        await closed.wait()

    async with client_ids_at(SERVER, tmp_path) as client_ids:
        await client_ids.acquire(FINGERPRINT)
        left_behind(tmp_path, at(SERVER))
        resumption = Resumption(client_ids, SessionState, lambda _: None, lambda _: None, lambda: None)

        async def run_until(condition: Callable[[], bool]) -> None:
            resumption.request()
            running = asyncio.create_task(resumption.run(lambda _: None, disconnect))
            await eventually(condition, "the lookup")
            running.cancel()
            await asyncio.wait([running])

        await run_until(lambda: "left" in client_ids.client_ids)
        assert await client_ids.unneeded(["left"]) == []
        with Journal.open(tmp_path) as journal:
            for batch in journal.restore(at(SERVER), ["left"]):
                for prompt in batch.prompts:
                    journal.record_end(prompt.key, JobStatus.SUCCEEDED)
        await run_until(closing.is_set)
        assert "left" in client_ids.client_ids, "it would have no socket in the next run"
        assert locks.is_held(tmp_path, "left")
        closed.set()
        await run_until(lambda: "left" not in client_ids.client_ids)
        assert not locks.is_held(tmp_path, "left")
        assert "left" in client_ids.mine
