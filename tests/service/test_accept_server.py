"""A different server that the user accepts gets a service of its own, which takes over all but the jobs."""

from pathlib import Path

import pytest

from comfytui.comfy.server import Server, basic_auth
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import Endpoint
from comfytui.service.mailbox import Subscribers
from comfytui.service.notifications import LoginRequired
from comfytui.service.store import SessionStore
from comfytui.service.submission.batch import GraphStore
from comfytui.service.submission.recorder import Recorder
from comfytui.session.connection.link_events import Connected, LinkChanged
from comfytui.session.model import JobStatus, Link, LinkKind
from tests.service.submission.resuming import resumed
from tests.service.test_other_server import batch_left_behind, mismatch, two_servers
from tests.service.test_service import MODEL, ids
from tests.waiting import eventually
from tests.watcher import small_batch, watching


async def test_commands_that_follow_an_acceptance_reach_the_server_that_was_accepted() -> None:
    async with two_servers() as it, watching(it.server) as watcher:
        left = await batch_left_behind(it, watcher)
        watcher.service.accept_server()
        watcher.service.submit(small_batch(2, model=MODEL))
        graph = watcher.service.graph_of(left.prompt_ids[0])
        await eventually(lambda: len(it.other.submitted) == 2, "the batch")
        (batch,) = watcher.state.batches.values()
        await watcher.until(batch, JobStatus.SUCCEEDED)
        await eventually(graph.done, "the graph")
        assert (ids(it.first), ids(it.other)) == (list(left.prompt_ids), list(batch.prompt_ids))


async def test_the_login_is_kept() -> None:
    async with two_servers() as it, watching(it.server) as watcher:
        await watcher.live()
        number = watcher.service.log_in(basic_auth("me:passw0rd"))
        await batch_left_behind(it, watcher)
        watcher.service.accept_server()
        await eventually(lambda: not watcher.state.batches, "the new session")
        await watcher.live()
        assert watcher.service.server == it.server.with_authorization(basic_auth("me:passw0rd"))
        with it.other.faults.fail(401):
            watcher.service.reconnect()
            await eventually(lambda: [n for n in watcher.notifications if isinstance(n, LoginRequired)], "the question")
        (first, *_) = (n for n in watcher.notifications if isinstance(n, LoginRequired))
        assert (first.login, first.refused) == (number, True)


async def test_the_jobs_of_the_previous_server_are_free_for_another_process(tmp_path: Path) -> None:
    async with two_servers() as it, watching(it.server, folder=tmp_path) as watcher:
        batch = await batch_left_behind(it, watcher)
        watcher.service.accept_server()
        await eventually(lambda: not watcher.state.batches, "the new session")
        await watcher.live()
        async with watching(Server.from_url(it.first.url), folder=tmp_path) as second:
            await resumed(second, batch)
            assert not second.state.held_elsewhere


async def test_a_fresh_start_resumes_nothing_but_at_the_next_server_that_is_accepted(tmp_path: Path) -> None:
    async with two_servers() as it:
        async with watching(it.server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(1, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
        async with watching(it.server, folder=tmp_path, fresh=True) as watcher:
            await watcher.live()
            await eventually(lambda: watcher.state.jobs, "what is queued")
            assert not watcher.state.batches
            for sim in (it.other, it.first):
                it.switch_to(sim)
                await mismatch(watcher)
                watcher.service.accept_server()
                await watcher.live()
            await resumed(watcher, batch)


def test_a_closed_session_changes_no_more() -> None:
    recorder = Recorder(AsyncJournal(lambda _: None), lambda: Endpoint("", "", ""), GraphStore())
    store = SessionStore("box", recorder, Subscribers())
    state = store.state
    store.close()
    store.follow_with(lambda *_: pytest.fail("nothing has changed"))
    store.apply(LinkChanged(Link(LinkKind.LIVE), Connected("me")))
    assert store.state is state
