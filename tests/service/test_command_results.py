"""The results of commands: who gave one gets its result, also while the service crashes or stops."""

import asyncio
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.service.connection.poller import Poller
from comfytui.service.notifications import BatchRejected, ServiceFailed
from comfytui.service.results import BatchCancelled, Rejected, Resent, SubmitResult, Submitted, Withdrawn
from comfytui.service.submission.batch import batch_request
from comfytui.service.submission.job_commands import JobCommands
from comfytui.service.thread import ServiceThread
from comfytui.session.model import JobStatus
from comfytui.sim.catalogue import catalogue
from comfytui.sim.server import SimServer
from tests.service.submission.resuming import resumed
from tests.service.test_other_server import batch_left_behind, two_servers
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher, small_batch, watching

NOWHERE = Server.from_url("http://127.0.0.1:9")
WITHOUT_MODEL = catalogue(replace(QUICK, checkpoints=("other.safetensors",)))


def rejections(watcher: Watcher) -> list[BatchRejected]:
    return [each for each in watcher.notifications if isinstance(each, BatchRejected)]


async def result_of(future: Future[SubmitResult]) -> SubmitResult:
    return await asyncio.wrap_future(future)


async def test_a_batch_has_the_ids_of_its_request() -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as watcher:
        request = small_batch(3, model=MODEL)
        assert await result_of(watcher.service.submit(request)) == Submitted(request.prompt_ids)
        batch = watcher.state.batches[request.batch_id]
        assert batch.prompt_ids == request.prompt_ids
        assert ids(sim) == list(request.prompt_ids)
        tags = [body["extra_data"]["comfytui"] for body in sim.submitted]
        assert {(tag["batch"], tag["submission"]) for tag in tags} == {(request.batch_id, request.submission_id)}


async def test_a_batch_that_is_submitted_before_the_start_has_the_ids_of_its_request() -> None:
    async with SimServer(QUICK) as sim:
        service = ServiceThread(Server.from_url(sim.url))
        request = small_batch(2, model=MODEL)
        future = service.submit(request)
        service.start()
        try:
            assert await result_of(future) == Submitted(request.prompt_ids)
            assert ids(sim) == list(request.prompt_ids)
        finally:
            await asyncio.to_thread(service.stop)


async def test_an_old_server_accepts_a_batch_under_ids_of_its_own() -> None:
    old = replace(QUICK, like="0.3.40")
    async with SimServer(old) as sim, watching(Server.from_url(sim.url)) as watcher:
        request = small_batch(2, model=MODEL)
        result = await result_of(watcher.service.submit(request))
        assert result == Submitted(watcher.state.batches[request.batch_id].prompt_ids)
        assert isinstance(result, Submitted)
        assert not {*result.prompt_ids} & {*request.prompt_ids}


async def test_only_the_caller_gets_the_rejection() -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as watcher:
        request = small_batch(2, model="no-such-model.safetensors")
        result = await result_of(watcher.service.submit(request))
        assert isinstance(result, Rejected)
        assert (result.prompt_ids, result.unsent) == ((), request.prompt_ids)
        assert [error.input_name for error in result.failure.node_errors] == ["ckpt_name"]
        assert [watcher.state.jobs[key].status for key in request.prompt_ids] == [JobStatus.REJECTED] * 2
        later = await watcher.submit(1, model=MODEL)
        await watcher.until(later)
        assert rejections(watcher) == []


async def test_a_rejection_in_the_middle_of_a_batch_names_what_was_accepted_before() -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, watching(Server.from_url(sim.url)) as watcher:
        models = (MODEL, "no-such-model.safetensors", MODEL)
        request = batch_request("a fox", (small_batch(1, model=model).graphs[0] for model in models))
        result = await result_of(watcher.service.submit(request))
        assert isinstance(result, Rejected)
        assert (result.prompt_ids, result.unsent) == (request.prompt_ids[:1], request.prompt_ids[1:])


async def test_a_batch_that_is_cancelled_before_it_is_sent_is_withdrawn() -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        await sim.__aexit__(None, None, None)
        request = small_batch(2, model=MODEL)
        future = watcher.service.submit(request)
        await eventually(lambda: request.batch_id in watcher.state.batches, "the batch")
        assert not future.done()
        assert await watcher.cancel_batch(watcher.state.batches[request.batch_id]) == BatchCancelled(dropped=2)
        assert await result_of(future) == Withdrawn()


async def test_a_batch_that_is_partly_cancelled_is_submitted_without_the_rest() -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        held = sim.faults.hold_responses("/prompt", method="POST", times=1)
        request = small_batch(3, model=MODEL)
        future = watcher.service.submit(request)
        await eventually(lambda: held.hits, "the POST")
        await watcher.cancel(request.prompt_ids[1])
        held.end()
        assert await result_of(future) == Submitted((request.prompt_ids[0], request.prompt_ids[2]))


async def test_the_same_request_is_not_submitted_twice() -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as watcher:
        request = small_batch(1, model=MODEL)
        first, second = watcher.service.submit(request), watcher.service.submit(request)
        with pytest.raises(ValueError, match="submitted before"):
            await result_of(second)
        assert await result_of(first) == Submitted(request.prompt_ids)
        assert ids(sim) == list(request.prompt_ids)


async def test_a_rejected_batch_of_an_earlier_start_is_posted_to_all(tmp_path: Path) -> None:
    async with SimServer(QUICK) as first, watching(Server.from_url(first.url), folder=tmp_path) as watcher:
        await watcher.live()
        await first.__aexit__(None, None, None)
        batch = await watcher.submit(2, model=MODEL)
    async with SimServer(QUICK, port=int(first.url.rpartition(":")[2])) as sim:
        sim.submissions.nodes = WITHOUT_MODEL
        async with watching(Server.from_url(sim.url), folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await eventually(lambda: rejections(watcher), "the rejection")
            (rejection,) = rejections(watcher)
            assert rejection.batch == batch.id
            assert [job.status for job in watcher.jobs(batch)] == [JobStatus.REJECTED] * 2
            assert [error.input_name for error in rejection.failure.node_errors] == ["ckpt_name"]


async def test_resent_jobs_that_are_rejected_are_posted_to_all() -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, watching(Server.from_url(sim.url)) as watcher:
        batch = await watcher.submit(2, model=MODEL)
        await watcher.until(batch, JobStatus.QUEUED)
        await sim.restart()
        await watcher.until(batch, JobStatus.LOST)
        sim.submissions.nodes = WITHOUT_MODEL
        assert await asyncio.wrap_future(watcher.service.resend(batch.prompt_ids)) == Resent(2)
        await eventually(lambda: [each.batch for each in rejections(watcher)] == [batch.id], "the rejection")


async def test_a_crash_loses_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    poll = Poller.poll
    async with SimServer(QUICK, clock=Gate()) as sim:
        held = sim.faults.hold_responses("/prompt", method="POST", times=1)

        async def breaks_once(self: Poller, backend: Any) -> None:
            if held.hits:
                monkeypatch.setattr(Poller, "poll", poll)
                held.end()
                raise RuntimeError("a fault")
            await poll(self, backend)

        monkeypatch.setattr(Poller, "poll", breaks_once)
        service = ServiceThread(Server.from_url(sim.url), pauses=(0.01,))
        service.start()
        try:
            watcher = Watcher(service)
            await watcher.live()
            request = small_batch(2, model=MODEL)
            future = service.submit(request)
            await eventually(lambda: held.hits, "the POST")
            sim.queue.changed()
            await eventually(lambda: any(isinstance(n, ServiceFailed) for n in watcher.notifications), "the crash")
            assert await result_of(future) == Submitted(request.prompt_ids)
            assert ids(sim) == list(request.prompt_ids)
        finally:
            await asyncio.to_thread(service.stop)


async def test_an_exception_in_a_command_is_raised_at_its_caller_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(JobCommands, "resend", broken)
    async with watching(NOWHERE) as watcher:
        with pytest.raises(RuntimeError, match="a fault"):
            await asyncio.wrap_future(watcher.service.resend([]))
        await eventually(lambda: any(isinstance(n, ServiceFailed) for n in watcher.notifications), "the report")


async def test_a_service_that_stops_leaves_no_result_pending() -> None:
    service = ServiceThread(NOWHERE)
    service.start()
    watcher = Watcher(service)
    request = small_batch(1, model=MODEL)
    pending = service.submit(request)
    await eventually(lambda: request.batch_id in watcher.state.batches, "the batch")
    assert not pending.done()
    assert await asyncio.to_thread(service.stop)
    late = service.submit(small_batch(1, model=MODEL)), service.cancel("any"), service.resend([])
    for future in (pending, *late):
        with pytest.raises(CancelledError):
            future.result(timeout=0)


def test_a_service_that_never_starts_leaves_no_result_pending() -> None:
    service = ServiceThread(NOWHERE)
    pending = service.submit(small_batch(1, model=MODEL))
    service.stop()
    assert pending.cancelled()


async def test_a_command_is_carried_out_although_its_caller_has_left() -> None:
    async with SimServer(QUICK) as sim:
        service = ServiceThread(Server.from_url(sim.url))
        request = small_batch(1, model=MODEL)
        assert service.submit(request).cancel()
        service.start()
        try:
            await eventually(lambda: ids(sim) == list(request.prompt_ids), "the prompt")
        finally:
            await asyncio.to_thread(service.stop)


async def test_a_batch_that_is_left_with_its_server_has_no_result() -> None:
    async with two_servers() as it, watching(it.server) as watcher:
        await batch_left_behind(it, watcher)
        request = small_batch(1, model=MODEL)
        future = watcher.service.submit(request)
        await eventually(lambda: request.batch_id in watcher.state.batches, "the batch")
        watcher.service.accept_server()
        await eventually(future.cancelled, "the end of the wait")
