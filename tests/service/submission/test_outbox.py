"""The outbox and servers that lose answers, break, or assign prompt ids of their own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from comfytui.clock import Clock
from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.errors import Unauthorized
from comfytui.comfy.protocol.capabilities import capabilities_of
from comfytui.comfy.protocol.events import ExecutionSuccess
from comfytui.comfy.protocol.models import Obstacle
from comfytui.comfy.server import Server
from comfytui.service.results import Cancelled, CancelOutcome
from comfytui.service.submission.batch import GraphStore, plan
from comfytui.service.submission.cancel import cancel
from comfytui.service.submission.outbox import Outbox
from comfytui.session.delivery import CancelRequested, Delivery, Evidence, PromptNotAccepted
from comfytui.session.events import BatchPlanned, FinishedPrompt, HistorySnapshot, QueuedPrompt, SessionEvent
from comfytui.session.model import Batch, JobStatus, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT
from tests.stub_servers import Handler, serving
from tests.waiting import eventually
from tests.watcher import small_batch

Json = Any
EVIDENCE = "there before"
"""A prompt that the server had before any of ours, and still has: evidence that it was not restarted."""


class OutboxHarness:
    """A session and an outbox that sends to a scripted server."""

    def __init__(self, backend: ComfyBackend, arrival: float = 0.1) -> None:
        self.backend = backend
        self.state = SessionState(client_ids=frozenset({"me"}), capabilities=capabilities_of("0.33.0", jobs=True))
        self.rejected: list[str] = []
        self.messages: list[str] = []
        self.cancelled: list[str] = []
        self.identity_checks = 0
        """How often the outbox asked whether the server's identity is verified."""
        self.evidence = Evidence((EVIDENCE,))
        self.refusals: list[Unauthorized] = []
        """The errors of the prompts that were rejected for their credentials."""
        self.is_verified = True
        """Whether the server's identity is verified; it is again after the next check or pause."""
        self.graphs = GraphStore()
        self.sending: asyncio.Task[None]
        """Runs the outbox."""
        self.outbox = Outbox(
            self.apply,
            lambda: self.state,
            self.graphs,
            lambda _: "me",
            lambda submission: submission.preview_method,
            lambda batch, _: self.rejected.append(batch),
            lambda text, _: self.messages.append(text),
            self._cancel,
            self._ready,
            self.refusals.append,
            self._evidence,
            self._may_send,
            timings=replace(DEFAULT.submission, arrival=arrival),
            clock=Clock(sleep=self._sleep),
        )

    def apply(self, event: SessionEvent) -> None:
        self.state = reduce(self.state, event, Stamp(time.monotonic(), time.time()))
        self.outbox.wake()

    async def _cancel(self, prompt_id: str) -> None:
        self.cancelled.append(prompt_id)

    async def _ready(self, _: str) -> bool:
        self.identity_checks += 1
        was_verified, self.is_verified = self.is_verified, True
        return was_verified

    def _evidence(self) -> Evidence:
        return self.evidence

    async def _may_send(self, _: str) -> bool:
        """There is no journal."""
        return True

    async def _sleep(self, _: float) -> None:
        await asyncio.sleep(0.01)
        self.is_verified = True

    def submit(self, images: int = 1) -> Batch:
        batch, jobs, submissions = plan(small_batch(images, model="m"), "me", 0.0)
        self.graphs.add(submissions)
        self.apply(BatchPlanned(batch, jobs))
        return batch

    def is_unconfirmed(self, prompt_id: str) -> bool:
        return self.state.jobs[prompt_id].delivery is Delivery.UNCONFIRMED

    def statuses(self, batch: Batch) -> list[JobStatus]:
        return [
            self.state.jobs[key].status for key in self.state.batches[batch.id].prompt_ids if key in self.state.jobs
        ]


class ScriptedServer:
    """A server with a scripted answer to `POST /prompt`; `history` and `pending` are what it shows."""

    def __init__(self) -> None:
        self.posts: list[Json] = []
        self.history: dict[str, Json] = {EVIDENCE: {"prompt": [0, EVIDENCE, {}, {}, []], "outputs": {}, "status": None}}
        self.pending: list[Json] = []
        self.login_refusals = 0
        """How many requests for the length of the queue are still to be refused."""

    async def post(self, request: web.Request) -> web.Response:
        self.posts.append(await request.json())
        return self.answer(self.posts[-1])

    def answer(self, body: Json) -> web.Response:
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})

    def item(self, body: Json, prompt_id: str) -> Json:
        return [1, prompt_id, body["prompt"], {"client_id": "me", **body["extra_data"]}, ["9"]]

    def ids(self) -> list[str]:
        return [body["prompt_id"] for body in self.posts]

    def ended(self, prompt_id: str | None) -> dict[str, Json]:
        """Return the history, or the entry of one prompt."""
        return {key: entry for key, entry in self.history.items() if prompt_id in {None, key}}

    def queued(self) -> list[Json]:
        """Return the pending part of the queue."""
        return self.pending


@asynccontextmanager
async def outbox_harness(server: ScriptedServer, arrival: float = 0.1) -> AsyncIterator[OutboxHarness]:
    """Run an outbox that sends to the server; a POST may arrive for `arrival` seconds."""

    async def count(_: web.Request) -> web.Response:
        server.login_refusals -= 1
        if server.login_refusals >= 0:
            return web.Response(status=401)
        return web.json_response({"exec_info": {"queue_remaining": 0}})

    async def queue(_: web.Request) -> web.Response:
        return web.json_response({"queue_running": [], "queue_pending": server.queued()})

    async def history(request: web.Request) -> web.Response:
        return web.json_response(server.ended(request.match_info.get("id")))

    async def cancelled(_: web.Request) -> web.Response:
        return web.json_response({"cancelled": False})

    routes: dict[str, Handler] = {
        "GET /api/prompt": count,
        "POST /api/prompt": server.post,
        "GET /api/queue": queue,
        "GET /api/history": history,
        "GET /api/history/{id}": history,
        "POST /api/jobs/{id}/cancel": cancelled,
    }
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as backend:
        it = OutboxHarness(backend, arrival)
        it.sending = asyncio.create_task(it.outbox.run(backend))
        try:
            yield it
        finally:
            it.sending.cancel()
            with suppress(asyncio.CancelledError):
                await it.sending


async def test_a_prompt_that_always_breaks_the_server_is_rejected_and_the_next_batch_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer()
    async with outbox_harness(server) as it:
        bad, good = it.submit(2), it.submit(1)
        fine = server.answer
        monkeypatch.setattr(
            server,
            "answer",
            lambda body: web.Response(status=500) if body["prompt_id"] in bad.prompt_ids else fine(body),
        )
        await eventually(lambda: it.statuses(good) == [JobStatus.QUEUED], "the good batch")
    assert it.statuses(bad) == [JobStatus.REJECTED] * 2
    assert it.rejected == [bad.id]
    assert server.ids() == [bad.prompt_ids[0]] * 3 + [*good.prompt_ids]


async def test_the_identity_is_checked_once_per_prompt() -> None:
    server = ScriptedServer()
    async with outbox_harness(server) as it:
        batch = it.submit(3)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED] * 3, "the batch")
        assert it.identity_checks == 3


async def test_a_prompt_that_ended_under_an_id_of_the_server_is_not_resent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer()

    def lose_answer(body: Json) -> web.Response:
        server.history["theirs"] = {"prompt": server.item(body, "theirs"), "outputs": {}, "status": None}
        return web.Response(status=504)

    monkeypatch.setattr(server, "answer", lose_answer)
    async with outbox_harness(server) as it:
        it.submit(1)
        await eventually(lambda: "theirs" in it.state.jobs, "the prompt")
    assert len(server.posts) == 1


async def test_the_history_of_another_server_does_not_prove_that_a_prompt_never_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer()
    ours = server.ended
    read: list[str] = []

    def lose_answer(body: Json) -> web.Response:
        server.history["theirs"] = {"prompt": server.item(body, "theirs"), "outputs": {}, "status": None}
        return web.Response(status=504)

    async with outbox_harness(server) as it:

        def of_another_at_first(prompt_id: str | None) -> dict[str, Json]:
            if prompt_id is not None or read:
                return ours(prompt_id)
            read.append("the other server")
            it.is_verified = False
            return {}

        monkeypatch.setattr(server, "ended", of_another_at_first)
        monkeypatch.setattr(server, "answer", lose_answer)
        it.submit(1)
        await eventually(lambda: "theirs" in it.state.jobs, "the prompt")
    assert len(server.posts) == 1


@pytest.mark.parametrize("status", [401, 302, 403, 407])
@pytest.mark.parametrize("wiped", [False, True], ids=["still-there", "wiped"])
async def test_a_prompt_that_was_accepted_before_a_login_was_required_is_not_resent(
    status: int, wiped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ScriptedServer()
    fine = server.answer

    def take_and_refuse(body: Json) -> web.Response:
        if len(server.posts) > 1:
            return fine(body)
        key = body["prompt_id"]
        server.history = {} if wiped else server.history | {key: {"prompt": server.item(body, key), "outputs": {}}}
        return web.Response(status=status, headers={"Location": "/login"})

    monkeypatch.setattr(server, "answer", take_and_refuse)
    async with outbox_harness(server) as it:
        batch = it.submit(2)
        await eventually(lambda: it.statuses(batch)[1] is not JobStatus.SUBMITTING, "the next one")
    # An entry without an end leaves the prompt queued; a prompt that the server forgot may have run.
    assert it.statuses(batch) == [JobStatus.LOST if wiped else JobStatus.QUEUED, JobStatus.QUEUED]
    assert server.ids() == list(batch.prompt_ids)
    assert it.refusals


@pytest.mark.parametrize("status", [401, 302, 403, 407])
async def test_a_prompt_that_was_refused_for_a_login_is_sent_after_it(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ScriptedServer()
    fine = server.answer
    refuse = web.Response(status=status, headers={"Location": "/login"})
    monkeypatch.setattr(server, "answer", lambda body: fine(body) if len(server.posts) > 1 else refuse)
    async with outbox_harness(server) as it:
        batch = it.submit(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert server.ids() == [*batch.prompt_ids] * 2
    assert it.refusals


async def test_without_evidence_nothing_is_sent_before_the_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer()
    fine = server.answer
    async with outbox_harness(server) as it:
        await it.backend.queue_count()
        server.login_refusals, it.evidence = 2, Evidence()
        monkeypatch.setattr(
            server, "answer", lambda body: fine(body) if server.login_refusals < 0 else web.Response(status=401)
        )
        batch = it.submit(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert server.ids() == list(batch.prompt_ids)
    assert it.refusals


async def test_nodes_that_the_server_leaves_out_are_reported_once_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer()
    errors = [{"message": "Required input is missing", "details": "images", "extra_info": {"input_name": "images"}}]

    def with_warning(body: Json) -> web.Response:
        node_errors = {"10": {"class_type": "SaveImage", "errors": errors}}
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": node_errors})

    monkeypatch.setattr(server, "answer", with_warning)
    async with outbox_harness(server) as it:
        batch = it.submit(3)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED] * 3, "the batch")
    assert it.messages == ["The server leaves out SaveImage 10: Required input is missing images"]


@pytest.mark.parametrize("processed", [True, False])
async def test_cancelling_an_unconfirmed_prompt_takes_effect_when_it_is_found(
    monkeypatch: pytest.MonkeyPatch, processed: bool
) -> None:
    server = ScriptedServer()
    monkeypatch.setattr(server, "answer", lambda _: web.Response(status=504))
    async with outbox_harness(server, arrival=30.0) as it:
        batch = it.submit(1)
        (prompt_id,) = batch.prompt_ids
        await eventually(lambda: it.is_unconfirmed(prompt_id), "the loss")
        result = await cancel(prompt_id, lambda: it.state, it.backend, it.apply)
        assert result == Cancelled(CancelOutcome.UNCONFIRMED)
        assert it.statuses(batch) == [JobStatus.SUBMITTING]
        if processed:
            server.pending.append(server.item(server.posts[0], prompt_id))
            await eventually(lambda: it.cancelled == [prompt_id], "the cancelling")
            assert it.statuses(batch) == [JobStatus.QUEUED]
    assert len(server.posts) == 1


async def test_a_prompt_to_be_cancelled_that_never_arrived_ends_as_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer()
    monkeypatch.setattr(server, "answer", lambda _: web.Response(status=504))
    async with outbox_harness(server) as it:
        batch = it.submit(1)
        await eventually(lambda: it.is_unconfirmed(batch.prompt_ids[0]), "the loss")
        it.apply(CancelRequested(batch.prompt_ids[0]))
        await eventually(lambda: it.statuses(batch) == [JobStatus.CANCELLED], "the end")
    assert len(server.posts) == 1
    assert it.cancelled == []


@pytest.mark.parametrize("is_read_from_history", [True, False])
async def test_it_is_said_of_a_prompt_to_be_cancelled_that_it_ended_before(
    monkeypatch: pytest.MonkeyPatch, is_read_from_history: bool
) -> None:
    server = ScriptedServer()
    monkeypatch.setattr(server, "answer", lambda _: web.Response(status=504))
    async with outbox_harness(server, arrival=30.0) as it:
        batch = it.submit(1)
        (prompt_id,) = batch.prompt_ids
        await eventually(lambda: it.is_unconfirmed(prompt_id), "the loss")
        it.apply(CancelRequested(prompt_id))
        status = {"status_str": "success", "completed": True, "messages": []}
        item = server.item(server.posts[0], prompt_id)
        server.history[prompt_id] = {"prompt": item, "outputs": {}, "status": status}
        if is_read_from_history:
            found = QueuedPrompt(prompt_id, 1, "me", it.state.jobs[prompt_id].batch_tag)
            it.apply(HistorySnapshot((FinishedPrompt(found, "success"),)))
        else:
            it.apply(ExecutionSuccess(prompt_id, 15_000))
        assert it.statuses(batch) == [JobStatus.SUCCEEDED]
        await eventually(lambda: it.cancelled == [prompt_id], "the attempt to cancel it")
        await eventually(lambda: not it.state.jobs[prompt_id].cancel_requested, "that it is done")
        assert it.statuses(batch) == [JobStatus.SUCCEEDED]


async def test_a_prompt_that_proves_unsent_while_the_server_is_asked_to_cancel_it_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer()
    monkeypatch.setattr(server, "answer", lambda _: web.Response(status=504))
    async with outbox_harness(server, arrival=30.0) as it:
        batch = it.submit(1)
        (prompt_id,) = batch.prompt_ids
        await eventually(lambda: it.is_unconfirmed(prompt_id), "the loss")
        ask = it.backend.cancel

        async def cancel_while_it_is_confirmed(*args: Any, **options: Any) -> bool | Obstacle:
            was_there = await ask(*args, **options)
            it.apply(PromptNotAccepted(prompt_id))
            return was_there

        monkeypatch.setattr(it.backend, "cancel", cancel_while_it_is_confirmed)
        result = await cancel(prompt_id, lambda: it.state, it.backend, it.apply)
        assert result == Cancelled(CancelOutcome.DROPPED)
        assert it.statuses(batch) == [JobStatus.CANCELLED]
    assert len(server.posts) == 1


async def test_cancelling_a_job_that_the_server_forgot_does_not_mark_it_cancelled() -> None:
    server = ScriptedServer()
    async with outbox_harness(server) as it:
        batch = it.submit(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
        result = await cancel(batch.prompt_ids[0], lambda: it.state, it.backend, it.apply)
        assert result == Cancelled(CancelOutcome.NOT_FOUND)
        assert it.statuses(batch) == [JobStatus.QUEUED]


async def test_a_task_that_ends_in_the_middle_of_a_post_leaves_it_unconfirmed_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, take = ScriptedServer(), ScriptedServer.post
    hangs = asyncio.Event()

    async def take_and_hang(request: web.Request) -> web.Response:
        answer = await take(server, request)
        server.pending = [server.item(server.posts[0], server.ids()[0])]
        await hangs.wait()
        return answer

    monkeypatch.setattr(server, "post", take_and_hang)
    async with outbox_harness(server) as it:
        batch = it.submit(1)
        (prompt_id,) = batch.prompt_ids
        await eventually(lambda: server.posts, "the POST")
        assert it.state.jobs[prompt_id].delivery is Delivery.SENDING
        it.sending.cancel()
        with suppress(asyncio.CancelledError):
            await it.sending
        it.sending = asyncio.create_task(it.outbox.run(it.backend))
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
        hangs.set()
    assert server.ids() == [prompt_id]
