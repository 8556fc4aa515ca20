"""A prompt that never arrived is sent again if the server's process is known to be the one that it was sent to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.server import Server
from comfytui.service.connection.process_evidence import is_same_process, last_log_line, prompts_held
from comfytui.session.delivery import Evidence
from comfytui.session.jobs.index import indexed
from comfytui.session.model import Batch, Job, JobStatus, LinkKind
from comfytui.session.state import SessionState
from comfytui.sim.server import SimServer
from tests.service.submission.resuming import resumed
from tests.service.test_service import MODEL, QUICK
from tests.sim.gate import Gate
from tests.stub_servers import Handler, serving
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import Watcher, watching

IMPATIENT = timings(connection={"ready": 0.05}, submission={"retry_pause": 0.05, "arrival": 0.1})
"""Searches fast for prompts whose answer was lost."""


def test_evidence_is_taken_from_the_queue_the_history_and_what_ended_since() -> None:
    jobs = (
        Job("deleted since", JobStatus.SUCCEEDED, ended=9.0),
        Job("ended since", JobStatus.FAILED, ended=10.0),
        Job("never there", JobStatus.REJECTED, ended=11.0),
    )
    state = replace(SessionState(), jobs=indexed({each.prompt_id: each for each in jobs}))
    assert prompts_held(state, ["in the history"], 10.0) == Evidence(("in the history", "ended since"))


@asynccontextmanager
async def stub_server(queue: Sequence[str] = (), log: Handler | None = None) -> AsyncIterator[ComfyBackend]:
    """A client of a server with these prompts in its queue; its log is hidden unless a handler is given."""

    async def queued(_: web.Request) -> web.Response:
        pending = [[number, prompt_id, {}, {}, []] for number, prompt_id in enumerate(queue)]
        return web.json_response({"queue_running": [], "queue_pending": pending})

    async def count(_: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": len(queue)}})

    routes: dict[str, Handler] = {"GET /api/queue": queued, "GET /api/prompt": count}
    if log is not None:
        routes["GET /internal/logs/raw"] = log
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as backend:
        yield backend


async def test_the_process_is_the_same_if_any_evidence_is_left_in_the_history_or_the_queue() -> None:
    async with stub_server(queue=["b"]) as backend:
        assert await is_same_process(Evidence(("a", "b")), frozenset({"a"}), backend)
        assert await is_same_process(Evidence(("a", "b")), frozenset(), backend)
        assert not await is_same_process(Evidence(("a",)), frozenset({"c"}), backend)
        assert not await is_same_process(Evidence(), frozenset({"c"}), backend)


async def test_the_process_is_the_same_if_its_log_still_has_the_line() -> None:
    async def lines(_: web.Request) -> web.Response:
        return web.json_response({"entries": [{"t": "12:00", "m": "a"}, {"t": "13:00", "m": "b"}]})

    async with stub_server(log=lines) as backend:
        assert await last_log_line(backend, 5) == Evidence(log_times=("13:00",))
        assert await is_same_process(Evidence(log_times=("12:00",)), frozenset(), backend)
        assert not await is_same_process(Evidence(log_times=("11:00",)), frozenset(), backend)
        assert not await is_same_process(Evidence(("12:00", "log line of 12:00")), frozenset(), backend)


async def test_a_log_request_without_an_answer_times_out() -> None:
    never = asyncio.Event()

    async def swallowed(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with stub_server(log=swallowed) as backend:
        assert await last_log_line(backend, 0.05) == Evidence()
        never.set()


@asynccontextmanager
async def lost_post(folder: Path, *, sockets: bool = True) -> AsyncIterator[tuple[SimServer, Watcher, Batch]]:
    """A batch whose first POST was lost, on an idle server behind a proxy that hides the log."""
    async with SimServer(QUICK) as sim:
        sim.faults.fail(404, "/internal")
        if not sockets:
            sim.faults.refuse_sockets()
        async with watching(Server.from_url(sim.url), folder=folder, timings=IMPATIENT) as watcher:
            kind = LinkKind.LIVE if sockets else LinkKind.POLLING
            await eventually(lambda: watcher.state.link.kind is kind, f"{kind}")
            lost = sim.faults.fail(502, "/prompt", method="POST")
            batch = await watcher.submit(1, model=MODEL)
            await eventually(lambda: lost.hits, "the POST")
            yield sim, watcher, batch


async def test_a_lost_prompt_is_sent_again_if_its_websocket_is_still_answered_on(tmp_path: Path) -> None:
    async with lost_post(tmp_path) as (sim, watcher, batch):
        sim.faults.clear()
        sim.faults.fail(404, "/internal")
        await watcher.until(batch, JobStatus.SUCCEEDED, JobStatus.LOST)
        assert [job.status for job in watcher.jobs(batch)] == [JobStatus.SUCCEEDED]
        assert len(sim.submitted) == 1


@pytest.mark.parametrize("sockets", [True, False])
async def test_a_lost_prompt_stays_lost_if_the_server_may_have_been_restarted(tmp_path: Path, sockets: bool) -> None:
    async with lost_post(tmp_path, sockets=sockets) as (sim, watcher, batch):
        if sockets:
            await sim.restart()
        await watcher.until(batch, JobStatus.SUCCEEDED, JobStatus.LOST)
        assert [job.status for job in watcher.jobs(batch)] == [JobStatus.LOST]
        assert not sim.submitted


async def test_a_log_that_could_not_be_read_at_once_is_evidence_all_the_same(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        sim.faults.refuse_sockets()
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=IMPATIENT) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polling")
            busy = sim.faults.fail(503, "/internal", times=1)
            lost = sim.faults.fail(502, "/prompt", method="POST", times=1)
            batch = await watcher.submit(1, model=MODEL)
            await watcher.until(batch, JobStatus.SUCCEEDED, JobStatus.LOST)
            assert (busy.hits, lost.hits) == (1, 1)
            assert [job.status for job in watcher.jobs(batch)] == [JobStatus.SUCCEEDED]
            assert len(sim.submitted) == 1


async def test_a_prompt_that_was_resent_since_is_no_evidence(tmp_path: Path) -> None:
    patient = timings(IMPATIENT, submission={"arrival": 60.0})
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path, timings=patient) as watcher:
            await watcher.live()
            first = await watcher.submit(1, model=MODEL)
            await watcher.until(first, JobStatus.QUEUED)
            lost = sim.faults.fail(502, "/prompt", method="POST")
            second = await watcher.submit(1, model=MODEL)
            await eventually(lambda: lost.hits, "the POST")
            await sim.restart()
            await watcher.until(first, JobStatus.LOST)
            watcher.service.resend(first.prompt_ids)
            await watcher.until(first, JobStatus.SUBMITTING)
        sim.faults.clear()
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await resumed(watcher, first)
            await watcher.until(first, JobStatus.QUEUED)
            await watcher.until(second, JobStatus.QUEUED, JobStatus.LOST)
            assert [job.status for job in watcher.jobs(second)] == [JobStatus.LOST]
