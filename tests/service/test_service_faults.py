"""Commands during faults and crashes: nothing is sent twice, nothing is stuck, nothing fails silently."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from comfytui.clock import Clock
from comfytui.comfy.errors import Unreachable
from comfytui.comfy.server import Server, basic_auth
from comfytui.service.connection.poller import Poller
from comfytui.service.connection.socket_task import SocketTask
from comfytui.service.notifications import NotReached, ServiceFailed
from comfytui.service.results import Cancelled, CancelOutcome
from comfytui.service.supervisor import STABLE_SECONDS, run_through_crashes
from comfytui.service.thread import ServiceThread
from comfytui.session.connection import socket_inputs
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.service.test_other_server import mismatch, two_servers
from tests.service.test_service import MODEL, QUICK, ids
from tests.shown_run import step_of
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import Watcher, small_batch, watching


async def test_the_first_unsent_prompt_can_be_cancelled() -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        await sim.__aexit__(None, None, None)
        batch = await watcher.submit(2, model=MODEL)
        await eventually(lambda: watcher.jobs(batch)[0].note, "the delay")
        assert await watcher.cancel(batch.prompt_ids[0]) == Cancelled(CancelOutcome.DROPPED)
        assert watcher.state.jobs[batch.prompt_ids[0]].status is JobStatus.CANCELLED


async def test_a_cancelled_prompt_is_not_sent_again() -> None:
    paused = SimConfig(steps_per_second=2, load_seconds=0)
    async with (
        SimServer(paused) as sim,
        proxy_to(sim.url) as proxy,
        watching(Server.from_url(proxy.url), timings=timings(submission={"arrival": 0.1})) as watcher,
    ):
        await watcher.live()
        busy = await watcher.submit(1, model=MODEL, steps=1_000)
        await watcher.until(busy, JobStatus.RUNNING)
        proxy.lose_response_to(b"POST /api/prompt")
        batch = await watcher.submit(1, model=MODEL)
        await watcher.until(batch, JobStatus.QUEUED)
        watcher.service.cancel(batch.prompt_ids[0])
        await watcher.until(batch, JobStatus.CANCELLED)
        later = await watcher.submit(1, model=MODEL)
        await watcher.until(later, JobStatus.QUEUED)
        assert ids(sim) == [*busy.prompt_ids, *batch.prompt_ids, *later.prompt_ids]
        watcher.service.cancel(busy.prompt_ids[0])


async def test_a_server_that_goes_down_later_is_not_reported_as_a_wrong_address() -> None:
    async def bad_gateway(_: web.Request) -> web.Response:
        return web.Response(status=502)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", bad_gateway)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with watching(Server.from_url(f"127.0.0.1:{port}")) as watcher:
        await eventually(lambda: "502" in watcher.state.link.reason, "the first try")
        await runner.cleanup()
        await eventually(lambda: "Nothing listens" in watcher.state.link.reason, "a later try")
        assert not [n for n in watcher.notifications if isinstance(n, NotReached)]


async def test_the_link_is_not_live_while_the_service_is_down_after_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with SimServer(QUICK) as sim:
        thread = ServiceThread(Server.from_url(sim.url), pauses=(60,))
        thread.start()
        try:
            watcher = Watcher(thread)
            await watcher.live()

            may_change_queue = socket_inputs.may_change_queue

            def broken(*_: object) -> None:
                raise RuntimeError("a fault")

            monkeypatch.setattr(socket_inputs, "may_change_queue", broken)
            thread.submit(small_batch(1, model=MODEL))
            await eventually(lambda: any(isinstance(n, ServiceFailed) for n in watcher.notifications), "the error")
            await eventually(lambda: thread.state.link.kind is not LinkKind.LIVE, "the end of the live link")
            monkeypatch.setattr(socket_inputs, "may_change_queue", may_change_queue)
            with pytest.raises(Unreachable, match="not connected right now"):
                await asyncio.wait_for(watcher.cancel(next(iter(thread.state.jobs))), 30)
        finally:
            await asyncio.to_thread(thread.stop)


async def test_an_error_is_reported_without_the_credentials_of_any_login() -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"a fault with {basic_auth('me:first-one')}, {basic_auth('me:last-one')} and last-one")

    server = Server.from_url("http://127.0.0.1:1").with_authorization(basic_auth("me:first-one"))
    async with watching(server) as watcher:
        await eventually(lambda: watcher.state.link.reason, "the first try")
        watcher.service.log_in(basic_auth("me:last-one"))
        watcher.service._commands.execute(broken)
        await eventually(lambda: any(isinstance(n, ServiceFailed) for n in watcher.notifications), "the error")
        reasons = [n.reason for n in watcher.notifications if isinstance(n, ServiceFailed)]
        assert reasons == ["RuntimeError: a fault with ***, *** and ***"]


async def test_a_crash_while_a_prompt_is_sent_does_not_send_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = SocketTask._receive
    async with SimServer(QUICK) as sim, proxy_to(sim.url) as proxy:
        held = proxy.hold_response_to(b"POST /api/prompt")

        def breaks_once(self: SocketTask, message: Any) -> None:
            if sim.submitted and not held.released.is_set():
                held.release()
                raise RuntimeError("a fault")
            receive(self, message)

        monkeypatch.setattr(SocketTask, "_receive", breaks_once)
        thread = ServiceThread(
            Server.from_url(proxy.url), pauses=(0.01,), timings=timings(submission={"retry_pause": 0.05})
        )
        thread.start()
        try:
            watcher = Watcher(thread)
            await watcher.live()
            batch = await watcher.submit(1, model=MODEL)
            await eventually(lambda: any(isinstance(n, ServiceFailed) for n in watcher.notifications), "the error")
            await watcher.until(batch)
            assert ids(sim) == list(batch.prompt_ids)
        finally:
            await asyncio.to_thread(thread.stop)


async def test_a_service_continues_after_a_crash_but_only_with_the_known_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poll = Poller.poll
    async with two_servers() as it:

        async def broken(*_: object) -> None:
            monkeypatch.setattr(Poller, "poll", poll)
            it.proxy.forward_to(it.other.url)
            raise RuntimeError("a fault")

        thread = ServiceThread(it.server, pauses=(0.01,), timings=timings(connection={"ready": 0.05}))
        thread.start()
        try:
            watcher = Watcher(thread)
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            monkeypatch.setattr(Poller, "poll", broken)
            it.first.queue.changed()
            await mismatch(watcher)
            later = await watcher.submit(1, model=MODEL)
            await eventually(lambda: watcher.jobs(later)[0].note.startswith("A different server"), "why it waits")
            it.switch_to(it.first)
            await watcher.until(later, JobStatus.QUEUED)
            assert not [job for state in watcher.states for job in state.jobs.values() if job.status is JobStatus.LOST]
            assert (ids(it.first), it.other.submitted) == ([*batch.prompt_ids, *later.prompt_ids], [])
        finally:
            await asyncio.to_thread(thread.stop)


async def test_jobs_that_a_restarted_server_lacks_are_lost_within_seconds() -> None:
    slow = SimConfig(steps_per_second=2, load_seconds=0)
    async with SimServer(slow) as sim:
        port = int(sim.url.rpartition(":")[2])
        async with watching(Server.from_url(sim.url)) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL, steps=1_000)
            await eventually(lambda: step_of(watcher.state), "a step")
            await sim.__aexit__(None, None, None)
            async with SimServer(slow, port=port):
                jobs = await watcher.until(batch, within=30)
                assert {job.status for job in jobs} == {JobStatus.LOST}


async def test_pauses_between_crashes_grow_and_begin_anew_after_a_stable_service() -> None:
    now, pauses, lived = [0.0], list[float](), [0.0, 0.0, STABLE_SECONDS, STABLE_SECONDS + 1, 0.0]

    async def run() -> None:
        if lived:
            now[0] += lived.pop(0)
            raise RuntimeError("a fault")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    service: Any = SimpleNamespace(run=run, report_crash=lambda *_: None)
    await run_through_crashes(service, (1.0, 2.0, 5.0), Clock(monotonic=lambda: now[0], sleep=sleep))
    assert pauses == [1.0, 2.0, 5.0, 1.0, 2.0]


def test_stop_does_not_wait_twice_for_a_service_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    now, joined = [0.0], list[float]()
    thread = ServiceThread(Server.from_url("http://127.0.0.1:9"), clock=Clock(monotonic=lambda: now[0]))

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return True

    monkeypatch.setattr(thread, "_loop_ready", SimpleNamespace(wait=wait))
    monkeypatch.setattr(thread, "_thread", SimpleNamespace(is_alive=lambda: True, join=joined.append))
    monkeypatch.setattr(thread, "_loop", SimpleNamespace(call_soon_threadsafe=lambda _: None), raising=False)
    monkeypatch.setattr(thread, "_supervisor", SimpleNamespace(cancel=None), raising=False)
    assert not thread.stop()
    assert joined == [0.0]
