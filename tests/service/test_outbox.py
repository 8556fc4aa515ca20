"""Prompts on their way to servers that lose answers, break, or mint ids of their own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.protocol.capabilities import capabilities_of
from comfytui.comfy.server import Server
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission import outbox as outbox_module
from comfytui.service.submission.batch import plan
from comfytui.service.submission.cancel import cancel
from comfytui.service.submission.outbox import Outbox
from comfytui.session.events import BatchPlanned, HttpFailed, SessionEvent
from comfytui.session.model import Batch, JobStatus, LinkKind, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState
from tests.comfy.stub_servers import Handler, serving
from tests.waiting import eventually
from tests.watcher import small_order

Json = Any
EVIDENCE = "there before"
"""A prompt that the server had before any of ours, and still has: it was not restarted."""


class Desk:
    """A session and its outbox, before a server."""

    def __init__(self, client: ComfyClient) -> None:
        self.client = client
        self.state = SessionState(
            client_ids=frozenset({"me"}), capabilities=capabilities_of("0.33.0", set(), jobs=True)
        )
        self.refused: list[str] = []
        self.told: list[str] = []
        self.cancelled: list[str] = []
        self.asked = 0
        """How often it was asked whether the server is the right one."""
        self.evidence: tuple[str, ...] = (EVIDENCE,)
        self.links: list[LinkKind] = []
        """What the requests said of the link."""
        self.right = True
        """Whether the server is the right one; it is again after a question or a pause."""
        self.outbox = Outbox(
            self.apply,
            lambda prompt_id: self.state.jobs[prompt_id].status is JobStatus.SUBMITTING,
            lambda _: "me",
            lambda submission: submission.preview_method,
            lambda batch, _: self.refused.append(batch),
            lambda text, _: self.told.append(text),
            self._cancel,
            self._ready,
            self._evidence,
            AsyncJournal(self.told.append),
            sleep=self._sleep,
        )

    def apply(self, event: SessionEvent) -> None:
        self.links += [event.kind] if isinstance(event, HttpFailed) else []
        self.state = reduce(self.state, event, Stamp(time.monotonic(), time.time()))

    async def _cancel(self, prompt_id: str) -> None:
        self.cancelled.append(prompt_id)

    async def _ready(self, _: str) -> bool:
        self.asked += 1
        was_right, self.right = self.right, True
        return was_right

    def _evidence(self) -> tuple[str, ...]:
        return self.evidence

    async def _sleep(self, _: float) -> None:
        await asyncio.sleep(0.01)
        self.right = True

    def order(self, images: int = 1) -> Batch:
        batch, jobs, submissions = plan(small_order(images, model="m"), "me", 0.0)
        self.apply(BatchPlanned(batch, jobs))
        self.outbox.add(submissions)
        return batch

    def statuses(self, batch: Batch) -> list[JobStatus]:
        return [self.state.jobs[key].status for key in self.state.batches[batch.id].prompts if key in self.state.jobs]


class Box:
    """A server whose `POST /prompt` is scripted; what it took stands in `taken`, and at once in the history."""

    def __init__(self) -> None:
        self.posts: list[Json] = []
        self.history: dict[str, Json] = {EVIDENCE: {"prompt": [0, EVIDENCE, {}, {}, []], "outputs": {}, "status": None}}
        self.pending: list[Json] = []
        self.refusals = 0
        """Requests for the length of the queue that are yet to be refused."""

    async def post(self, request: web.Request) -> web.Response:
        self.posts.append(await request.json())
        return self.answer(self.posts[-1])

    def answer(self, body: Json) -> web.Response:
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})

    def item(self, body: Json, prompt_id: str) -> Json:
        return [1, prompt_id, body["prompt"], {"client_id": "me", **body["extra_data"]}, ["9"]]

    def ids(self) -> list[str]:
        return [body["prompt_id"] for body in self.posts]

    def ended(self, asked: str | None) -> dict[str, Json]:
        """What the history shows, whole or of one."""
        return {key: entry for key, entry in self.history.items() if asked in {None, key}}

    def queued(self) -> list[Json]:
        """What a look at the queue shows."""
        return self.pending


@asynccontextmanager
async def desk(box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(outbox_module, "LANDING_TIME", 0.1)

    async def count(_: web.Request) -> web.Response:
        box.refusals -= 1
        if box.refusals >= 0:
            return web.Response(status=401)
        return web.json_response({"exec_info": {"queue_remaining": 0}})

    async def queue(_: web.Request) -> web.Response:
        return web.json_response({"queue_running": [], "queue_pending": box.queued()})

    async def history(request: web.Request) -> web.Response:
        return web.json_response(box.ended(request.match_info.get("id")))

    async def cancelled(_: web.Request) -> web.Response:
        return web.json_response({"cancelled": False})

    routes: dict[str, Handler] = {
        "GET /api/prompt": count,
        "POST /api/prompt": box.post,
        "GET /api/queue": queue,
        "GET /api/history": history,
        "GET /api/history/{id}": history,
        "POST /api/jobs/{id}/cancel": cancelled,
    }
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        it = Desk(client)
        sending = asyncio.create_task(it.outbox.run(client))
        try:
            yield it
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def test_one_prompt_that_the_server_always_breaks_over_does_not_hold_up_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box()
    async with desk(box, monkeypatch) as it:
        bad, good = it.order(2), it.order(1)
        fine = box.answer
        monkeypatch.setattr(
            box, "answer", lambda body: web.Response(status=500) if body["prompt_id"] in bad.prompts else fine(body)
        )
        await eventually(lambda: it.statuses(good) == [JobStatus.QUEUED], "the good batch")
    assert it.statuses(bad) == [JobStatus.REJECTED] * 2
    assert it.refused == [bad.id]
    assert box.ids() == [bad.prompts[0]] * 3 + [*good.prompts]


async def test_which_server_answers_is_asked_once_for_each_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    async with desk(box, monkeypatch) as it:
        batch = it.order(3)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED] * 3, "the batch")
        assert it.asked == 3


async def test_a_prompt_that_ended_under_an_id_of_the_servers_own_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box()

    def lose_answer(body: Json) -> web.Response:
        box.history["theirs"] = {"prompt": box.item(body, "theirs"), "outputs": {}, "status": None}
        return web.Response(status=504)

    monkeypatch.setattr(box, "answer", lose_answer)
    async with desk(box, monkeypatch) as it:
        it.order(1)
        await eventually(lambda: "theirs" in it.state.jobs, "the prompt")
    assert len(box.posts) == 1


async def test_the_history_of_another_box_does_not_prove_that_a_prompt_never_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box()
    ours = box.ended
    read: list[str] = []

    def lose_answer(body: Json) -> web.Response:
        box.history["theirs"] = {"prompt": box.item(body, "theirs"), "outputs": {}, "status": None}
        return web.Response(status=504)

    async with desk(box, monkeypatch) as it:

        def of_another_at_first(asked: str | None) -> dict[str, Json]:
            if asked is not None or read:
                return ours(asked)
            read.append("the other box")
            it.right = False
            return {}

        monkeypatch.setattr(box, "ended", of_another_at_first)
        monkeypatch.setattr(box, "answer", lose_answer)
        it.order(1)
        await eventually(lambda: "theirs" in it.state.jobs, "the prompt")
    assert len(box.posts) == 1


@pytest.mark.parametrize("status", [401, 302, 403, 407])
@pytest.mark.parametrize("wiped", [False, True], ids=["still-there", "wiped"])
async def test_a_prompt_that_was_taken_though_the_answer_asks_for_a_login_is_not_sent_again(
    status: int, wiped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box()
    fine = box.answer

    def take_and_refuse(body: Json) -> web.Response:
        if len(box.posts) > 1:
            return fine(body)
        key = body["prompt_id"]
        box.history = {} if wiped else box.history | {key: {"prompt": box.item(body, key), "outputs": {}}}
        return web.Response(status=status, headers={"Location": "/login"})

    monkeypatch.setattr(box, "answer", take_and_refuse)
    async with desk(box, monkeypatch) as it:
        batch = it.order(2)
        await eventually(lambda: it.statuses(batch)[1] is not JobStatus.SUBMITTING, "the next one")
    # Without an end in the entry it waits for one; what a server forgot may have run.
    assert it.statuses(batch) == [JobStatus.LOST if wiped else JobStatus.QUEUED, JobStatus.QUEUED]
    assert box.ids() == list(batch.prompts)
    assert LinkKind.UNAUTHORISED in it.links


@pytest.mark.parametrize("status", [401, 302, 403, 407])
async def test_a_prompt_that_was_not_let_in_is_sent_by_itself_after_the_login(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box()
    fine = box.answer
    refuse = web.Response(status=status, headers={"Location": "/login"})
    monkeypatch.setattr(box, "answer", lambda body: fine(body) if len(box.posts) > 1 else refuse)
    async with desk(box, monkeypatch) as it:
        batch = it.order(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert box.ids() == [*batch.prompts] * 2
    assert LinkKind.UNAUTHORISED in it.links


async def test_where_nothing_would_show_whether_it_ran_nothing_is_sent_before_the_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box()
    fine = box.answer
    async with desk(box, monkeypatch) as it:
        await it.client.queue_count()
        box.refusals, it.evidence = 2, ()
        monkeypatch.setattr(box, "answer", lambda body: fine(body) if box.refusals < 0 else web.Response(status=401))
        batch = it.order(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert box.ids() == list(batch.prompts)
    assert LinkKind.UNAUTHORISED in it.links


async def test_what_the_server_leaves_out_of_a_batch_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    errors = [{"message": "Required input is missing", "details": "images", "extra_info": {"input_name": "images"}}]

    def with_warning(body: Json) -> web.Response:
        node_errors = {"10": {"class_type": "SaveImage", "errors": errors}}
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": node_errors})

    monkeypatch.setattr(box, "answer", with_warning)
    async with desk(box, monkeypatch) as it:
        batch = it.order(3)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED] * 3, "the batch")
    assert it.told == ["The server leaves out SaveImage 10: Required input is missing images"]


@pytest.mark.parametrize("lands", [True, False])
async def test_x_on_a_prompt_whose_answer_was_lost_cancels_it_when_it_turns_up(
    monkeypatch: pytest.MonkeyPatch, lands: bool
) -> None:
    box = Box()
    monkeypatch.setattr(box, "answer", lambda _: web.Response(status=504))
    async with desk(box, monkeypatch) as it:
        batch = it.order(1)
        (prompt_id,) = batch.prompts
        monkeypatch.setattr(outbox_module, "LANDING_TIME", 30.0)
        await eventually(lambda: it.outbox.undelivered.is_unconfirmed(prompt_id), "the loss")
        text, _ = await cancel(prompt_id, it.state, it.client, it.outbox, it.apply)
        assert "the job will be cancelled" in text
        assert it.statuses(batch) == [JobStatus.SUBMITTING]
        if lands:
            box.pending.append(box.item(box.posts[0], prompt_id))
            await eventually(lambda: it.cancelled == [prompt_id], "the cancelling")
            assert it.statuses(batch) == [JobStatus.QUEUED]
    assert len(box.posts) == 1


async def test_an_unwanted_prompt_that_never_turns_up_ends_as_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    monkeypatch.setattr(box, "answer", lambda _: web.Response(status=504))
    async with desk(box, monkeypatch) as it:
        batch = it.order(1)
        await eventually(lambda: it.outbox.undelivered.is_unconfirmed(batch.prompts[0]), "the loss")
        it.outbox.undelivered.request_cancel(batch.prompts[0])
        await eventually(lambda: it.statuses(batch) == [JobStatus.CANCELLED], "the end")
    assert len(box.posts) == 1
    assert it.cancelled == []


async def test_x_on_a_job_that_the_server_forgot_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    async with desk(box, monkeypatch) as it:
        batch = it.order(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
        text, severity = await cancel(batch.prompts[0], it.state, it.client, it.outbox, it.apply)
        assert (text, severity) == ("The server no longer knows this job: it may have been restarted.", "warning")
        assert it.statuses(batch) == [JobStatus.QUEUED]
