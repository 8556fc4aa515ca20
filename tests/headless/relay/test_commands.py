"""Making and cancelling images through the relay: what clients are answered, and what reaches the server."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from comfytui.headless.documents.commands import GenerateBody
from comfytui.headless.relay import commands, generation
from comfytui.headless.relay.commands import MAX_VALUES
from comfytui.headless.relay.guard import DEFAULT_LIMITS
from comfytui.headless.relay.limits import Turns
from comfytui.headless.subscription import Subject, Subscription
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.database import FILE
from comfytui.session.model import JobStatus, LinkKind
from comfytui.session.selectors import open_jobs
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.timings import DEFAULT
from comfytui.workflow.builtin import txt2img
from tests.headless.relay.running import RunningRelay, running_relay
from tests.waiting import eventually

QUICK = SimConfig(steps_per_second=200, load_seconds=0)
SLOW = SimConfig(steps_per_second=2, load_seconds=0)
DISK_FULL = "SELECT raise(ABORT, 'database or disk is full')"
DEEP = json.loads("[" * 900 + "]" * 900)
SMALL: dict[str, Any] = {"prompt": "a fox", "steps": 2, "width": 64, "height": 64}


async def generate(
    relay: RunningRelay, body: object = None, key: str | None = None, query: str = ""
) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key is not None else {}
    content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {"values": SMALL}).encode()
    response = await relay.client.post(f"/api/generate{query}", content=content, headers=headers)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in response.headers) is (response.status_code in {429, 503})
    answer = response.json()
    assert "error" in answer or answer["version"] == 1
    return response.status_code, answer


async def ended(relay: RunningRelay, batch_id: str) -> dict[str, Any]:
    """Wait for the last event of a batch."""
    subscription = Subscription(relay.context.feed, Subject(batch_id=batch_id))
    events: list[Any] = []

    def is_over() -> bool:
        events.extend(subscription.take())
        return subscription.ended

    await eventually(is_over, "the end of the batch")
    return dict(json.loads(events[-1].data))


async def test_images_are_made_and_can_be_followed() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        status, answer = await generate(relay, {"values": SMALL, "images": 3, "seed": 5})
        assert status == 202
        assert answer["seeds"] == [{"seed": 5}, {"seed": 6}, {"seed": 7}]
        assert answer["batchId"] in relay.state.batches
        end = await ended(relay, answer["batchId"])
        assert end["event"] == "done"
        assert [body["prompt_id"] for body in sim.submitted] == answer["promptIds"]
        assert [body["prompt"]["3"]["inputs"]["seed"] for body in sim.submitted] == [5, 6, 7]
        assert sim.submitted[0]["prompt"]["4"]["inputs"]["ckpt_name"] == sim.config.checkpoints[0]


async def test_a_request_waits_until_the_queue_was_read_for_the_first_time() -> None:
    async with SimServer(QUICK) as sim:
        with sim.faults.hold_responses("/queue") as held:
            async with running_relay(sim.url) as relay:
                await eventually(lambda: relay.service.state.link.kind is LinkKind.LIVE, "a live link")
                asked = asyncio.create_task(generate(relay))
                await asyncio.wait([asked], timeout=0.3)
                held.end()
                status, answer = await asked
                assert (status, answer.get("error")) == (202, None)


async def test_a_workflow_of_the_clients_own_is_made() -> None:
    graph = json.loads(json.dumps(txt2img().graph))
    graph["4"]["inputs"]["ckpt_name"] = QUICK.checkpoints[0]
    graph["9"]["inputs"]["filename_prefix"] = "mine"
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        status, answer = await generate(relay, {"workflow": graph, "values": SMALL})
        assert status == 202
        assert (await ended(relay, answer["batchId"]))["event"] == "done"
        assert sim.submitted[0]["prompt"]["9"]["inputs"]["filename_prefix"] == "mine"


async def test_what_the_server_rejects_fails_in_the_events() -> None:
    graph = {"1": {"class_type": "NoSuchNode", "inputs": {}}}
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        status, answer = await generate(relay, {"workflow": graph})
        assert status == 202
        assert (await ended(relay, answer["batchId"]))["event"] == "failed"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", None, "not JSON"),
        (b"{", None, "not JSON"),
        (b'{"images": NaN}', None, "not JSON"),
        (b'{"values": {"prompt": "\xff"}}', None, "not JSON"),
        (b"[" * 200_000, None, "The request"),
        ([], None, "The request is not accepted"),
        ({"images": 0}, "images", "'images' is not accepted"),
        ({"images": 1001}, "images", "1000"),
        ({"images": True}, "images", "expected"),
        ({"seedMode": "twice"}, "seedMode", "twice"),
        ({"seed": "5"}, "seed", "expected"),
        ({"seed": 5, "seedMode": "random"}, "seed", "Seed has no effect if seeds are random"),
        ({"prompt": "a fox"}, "prompt", "'prompt' is not accepted: object contains unknown field."),
        ({"a `b` c": 1}, "a ", "'a ' is not accepted"),
        ({"x" * 1000: 1}, "x" * 80, "is not accepted"),
        ({"values": {"stepz": 3}}, "stepz", "did you mean steps?"),
        ({"values": {"steps": 0}}, "steps", "Steps must be a whole number from 1 to 10000."),
        ({"values": {"steps": True}}, "steps", "whole number"),
        ({"values": {"prompt": ["a"]}}, "prompt", "must be text"),
        ({"values": {"model": "none.ckpt"}}, "model", "not on the server"),
        ({"workflow": {"nodes": [{"type": "KSampler"}]}}, "workflow", "nothing to queue"),
        ({"workflow": {}}, "workflow", "empty"),
        (
            {"workflow": {"1": {"class_type": "A", "inputs": {"x": DEEP}}}},
            "workflow",
            "deep",
        ),
    ],
)
async def test_what_cannot_be_made_is_refused_by_name(body: object, field: str | None, words: str) -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=DEFAULT) as relay:
        await relay.live()
        status, answer = await generate(relay, body)
        assert (status, answer.get("field")) == (400, field)
        assert words in answer["error"]
        assert not relay.state.batches


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        status, answer = await generate(relay, b" " * (DEFAULT_LIMITS.body_bytes + 1))
        assert (status, answer["error"]) == (413, "The body of the request is too large.")
        text = {"1": {"class_type": "Note", "inputs": {"text": "a" * 2**20}}}
        status, answer = await generate(relay, {"workflow": text, "images": 1000})
        assert (status, answer["field"]) == (400, "images")


async def test_a_body_of_too_many_values_is_refused() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        status, answer = await generate(relay, {"values": {"prompt": [0] * (MAX_VALUES + 1)}})
        assert (status, answer["error"]) == (413, "The request has more than 250,000 values.")


async def test_bodies_are_decoded_a_few_at_once_and_a_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "CONNECT_TIMEOUT", 60.0)
    async with SimServer(QUICK) as sim:
        with sim.faults.hold_responses("/queue") as held:
            async with running_relay(sim.url) as relay:
                relay.context.turns = Turns(at_once=1, total=3)
                decoded: list[bytes] = []
                decode = commands._decode

                def note(body: bytes) -> GenerateBody:
                    decoded.append(body)
                    return decode(body)

                monkeypatch.setattr(commands, "_decode", note)
                asked = [asyncio.create_task(generate(relay)) for _ in range(5)]
                await eventually(lambda: sum(task.done() for task in asked) == 2, "the refusals")
                assert [task.result()[0] for task in asked if task.done()] == [429, 429]
                assert len(decoded) == 1
                held.end()
                assert sorted([status for status, _ in await asyncio.gather(*asked)]) == [202, 202, 202, 429, 429]


async def test_answers_are_found_when_they_are_not_kept_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAX_ANSWERED", 0)
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        body = {"values": SMALL, "images": 2}
        first = await generate(relay, body, key="order 7")
        assert await generate(relay, body, key="order 7") == first
        await ended(relay, first[1]["batchId"])
        assert await generate(relay, body, key="order 7") == first
        assert (await generate(relay, {"images": 3}, key="order 7"))[0] == 409
        assert len(sim.submitted) == 2


async def test_a_repeated_key_is_made_once() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        answers = await asyncio.gather(*(generate(relay, key="order 7") for _ in range(5)))
        assert all(answer == answers[0] for answer in answers)
        assert answers[0][0] == 202
        await ended(relay, answers[0][1]["batchId"])
        assert await generate(relay, key="order 7") == answers[0]
        assert (await generate(relay, key="order 8"))[1]["batchId"] != answers[0][1]["batchId"]
        await eventually(lambda: len(sim.submitted) == 2, "the second order")


async def test_a_key_is_of_one_request() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        assert (await generate(relay, key="order 7"))[0] == 202
        status, answer = await generate(relay, {"values": {**SMALL, "steps": 3}}, key="order 7")
        assert (status, answer["field"]) == (409, "Idempotency-Key")
        assert (await generate(relay, key="x" * 256))[0] == 400
        assert (await generate(relay, key=""))[0] == 400


@pytest.mark.parametrize("config", [QUICK, SLOW], ids=["ended", "running"])
async def test_a_repeated_key_is_made_once_even_after_a_restart(tmp_path: Path, config: SimConfig) -> None:
    body = {"values": SMALL | {"steps": 30 if config is SLOW else 2}, "images": 2}
    async with SimServer(config) as sim:
        async with running_relay(sim.url, folder=tmp_path) as relay:
            await relay.live()
            first = await generate(relay, body, key="order 7")
            await eventually(lambda: len(sim.submitted) == 2, "the prompts")
            if config is QUICK:
                await ended(relay, first[1]["batchId"])
        async with running_relay(sim.url, folder=tmp_path) as relay:
            await relay.live()
            assert await generate(relay, body, key="order 7") == first
            _, other = await generate(relay, key="order 8")
            await eventually(lambda: len(sim.submitted) == 3, "the other order")
            sent = [each["prompt_id"] for each in sim.submitted]
            assert sent == [*first[1]["promptIds"], *other["promptIds"]]
            if config is SLOW:
                assert (await generate(relay, {"values": {}}, key="order 7"))[0] == 409


async def test_a_key_of_long_ago_is_found_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"values": SMALL, "images": 2}
    async with SimServer(QUICK) as sim:
        async with running_relay(sim.url, folder=tmp_path) as relay:
            await relay.live()
            first = await generate(relay, body, key="order 7")
            await ended(relay, first[1]["batchId"])
        with closing(sqlite3.connect(tmp_path / FILE)) as journal, journal:
            journal.execute("UPDATE prompts SET graph = NULL")  # As for those that ended many prompts ago.
        monkeypatch.setattr(AsyncJournal.restore, "__defaults__", (0,))
        await sim.restart()  # Its history is empty.
        sent = len(sim.submitted)
        async with running_relay(sim.url, folder=tmp_path) as relay:
            await relay.live()
            assert not relay.service.state.batches
            for other in ({"images": 3}, {"values": SMALL}, {"values": SMALL, "images": 2, "seed": 1}):
                status, answer = await generate(relay, other, key="order 7")
                assert (status, answer["field"]) == (409, "Idempotency-Key")
            assert await generate(relay, body, key="order 7") == first
            assert len(sim.submitted) == sent


async def test_a_key_is_found_after_a_restart_while_comfyui_is_away(tmp_path: Path) -> None:
    body = {"values": SMALL, "images": 2}
    async with SimServer(QUICK) as sim:
        async with running_relay(sim.url, folder=tmp_path) as relay:
            await relay.live()
            _, other = await generate(relay)
            await ended(relay, other["batchId"])
            await sim.stop()
            await eventually(lambda: relay.state.unobserved_since is not None, "the end of the link")
            first = await generate(relay, body, key="order 7")
            assert (first[0], first[1]["saved"]) == (503, True)
        async with running_relay(sim.url, folder=tmp_path) as relay:
            # The choices of the model are not known to this process.
            assert await generate(relay, body, key="order 7") == first
            assert (await generate(relay, {"images": 3}, key="order 7"))[0] == 409
            await sim.restart()
            assert (await ended(relay, first[1]["batchId"]))["event"] == "done"
            assert len([each for each in sim.submitted if each["prompt_id"] in first[1]["promptIds"]]) == 2


async def test_a_key_is_of_one_server(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, SimServer(QUICK) as other:
        for server in (sim, other):
            async with running_relay(server.url, folder=tmp_path) as relay:
                await relay.live()
                status, answer = await generate(relay, key="order 7")
                assert status == 202
                await ended(relay, answer["batchId"])
            assert len(server.submitted) == 1


async def test_while_comfyui_is_away_images_are_saved_and_made_later(tmp_path: Path) -> None:
    body = {"values": {**SMALL, "model": QUICK.checkpoints[0]}, "images": 2}
    async with SimServer(QUICK) as sim, running_relay(sim.url, folder=tmp_path) as relay:
        await relay.live()
        await sim.stop()
        await eventually(lambda: relay.state.unobserved_since is not None, "the end of the link")
        status, answer = await generate(relay, body, key="order 7")
        assert (status, answer["saved"]) == (503, True)
        assert len(answer["promptIds"]) == 2
        assert await generate(relay, body, key="order 7") == (503, answer)
        assert open_jobs(relay.service.state) == 2
        await sim.restart()
        assert (await ended(relay, answer["batchId"]))["event"] == "done"
        assert len(sim.submitted) == 2
        status, repeated = await generate(relay, body, key="order 7")
        assert (status, repeated["batchId"]) == (202, answer["batchId"])


@pytest.mark.parametrize("place", ["nowhere", "disk"])
async def test_what_is_not_on_the_disk_is_not_called_saved(tmp_path: Path, place: str) -> None:
    body = {"values": {**SMALL, "model": QUICK.checkpoints[0]}}
    folder = tmp_path if place == "disk" else None
    async with SimServer(QUICK) as sim, running_relay(sim.url, folder=folder) as relay:
        await relay.live()
        await sim.stop()
        await eventually(lambda: relay.state.unobserved_since is not None, "the end of the link")
        if folder:
            with closing(sqlite3.connect(folder / FILE)) as journal, journal:
                journal.execute(f"CREATE TRIGGER full BEFORE INSERT ON prompts BEGIN {DISK_FULL}; END")
        status, answer = await generate(relay, body, key="order 7")
        assert (status, answer["saved"]) == (503, False)
        assert "cannot be saved" in answer["error"]
        assert await generate(relay, body, key="order 7") == (503, answer)
        await sim.restart()
        assert (await ended(relay, answer["batchId"]))["event"] == "done"


async def test_now_saves_nothing_while_comfyui_is_away() -> None:
    body = {"values": {**SMALL, "model": "a.ckpt"}}
    async with running_relay("http://127.0.0.1:9") as relay:
        status, answer = await generate(relay, body, query="?now=1")
        assert (status, answer["saved"], answer["promptIds"]) == (503, False, [])
        status, answer = await generate(relay)
        assert (status, answer["saved"], answer["field"]) == (503, False, "model")
        assert not open_jobs(relay.service.state)


async def test_no_more_than_a_thousand_images_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAX_OPEN", 3)
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        assert (await generate(relay, {"values": SMALL, "images": 3}))[0] == 202
        status, answer = await generate(relay)
        assert (status, answer["error"]) == (429, "Too many images are waiting: ask again when some are finished.")


async def test_images_that_are_asked_for_at_once_count_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAX_OPEN", 5)
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        answers = await asyncio.gather(*(generate(relay, {"values": SMALL, "images": 2}) for _ in range(6)))
        assert sorted(status for status, _ in answers) == [202, 202, 429, 429, 429, 429]
        assert (await generate(relay))[0] == 202, "One more is allowed"


async def test_whoever_repeats_a_key_at_once_can_follow_the_batch() -> None:
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()

        async def follow() -> tuple[dict[str, Any], int]:
            status, answer = await generate(relay, {"values": SMALL, "images": 2}, key="order 7")
            assert status == 202
            followed = await relay.client.get("/api/progress", params={"batchId": answer["batchId"]})
            return answer, followed.status_code

        first, second = await asyncio.gather(follow(), follow())
        assert first == second == (first[0], 200)


async def test_a_wish_that_is_neither_1_nor_0_is_refused() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        assert (await generate(relay, query="?now=yes")) == (400, {"error": "now is 1 or 0."})
        assert not relay.service.state.batches
        _, answer = await generate(relay, query="?now=0")
        path = f"/api/jobs/{answer['promptIds'][0]}/cancel"
        assert (await relay.client.post(path, params={"force": "true"})).status_code == 400
        stream = await relay.client.get("/api/generate/progress", params={"previews": ""})
        assert (stream.status_code, stream.json()) == (400, {"error": "previews is 1 or 0."})


async def test_jobs_are_cancelled() -> None:
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        _, answer = await generate(relay, {"values": {**SMALL, "steps": 50}, "images": 2})
        first, second = answer["promptIds"]
        await eventually(lambda: relay.state.jobs[first].status is JobStatus.RUNNING, "the first image")
        await eventually(lambda: relay.state.jobs[second].status is JobStatus.QUEUED, "the second image")
        response = await relay.client.post(f"/api/jobs/{second}/cancel")
        assert (response.status_code, response.json()["outcome"]) == (200, "removed")
        assert response.json()["message"] == "Removed from the queue before it ran."
        response = await relay.client.post(f"/api/jobs/{first}/cancel")
        assert response.status_code == 200
        assert (await ended(relay, answer["batchId"]))["event"] == "cancelled"
        response = await relay.client.post(f"/api/jobs/{first}/cancel")
        assert (response.status_code, response.json()["outcome"]) == (409, "already_ended")


async def test_what_is_left_of_a_batch_is_cancelled() -> None:
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        _, answer = await generate(relay, {"values": {**SMALL, "steps": 50}, "images": 3})
        batch, [first, *others] = answer["batchId"], answer["promptIds"]
        await eventually(lambda: relay.state.jobs[first].status is JobStatus.RUNNING, "the first image")
        await eventually(
            lambda: all(relay.state.jobs[each].status is JobStatus.QUEUED for each in others), "the others"
        )
        response = await relay.client.post(f"/api/batches/{batch}/cancel")
        document = response.json()
        assert (response.status_code, document["cancelled"], document["batchId"]) == (200, True, batch)
        assert document["message"] == "2 removed, 1 interrupted."
        assert (await ended(relay, batch))["event"] == "cancelled"
        response = await relay.client.post(f"/api/batches/{batch}/cancel")
        assert (response.status_code, response.json()["message"]) == (200, "Nothing was left to cancel.")
        response = await relay.client.post("/api/batches/nobody/cancel")
        assert (response.status_code, response.json()["error"]) == (404, "There is no batch with this id.")


async def test_a_batch_out_of_reach_is_not_cancelled() -> None:
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        _, answer = await generate(relay, {"values": {**SMALL, "steps": 50}})
        [job] = answer["promptIds"]
        await eventually(lambda: relay.state.jobs[job].status is JobStatus.RUNNING, "the image")
        await sim.stop()
        response = await relay.client.post(f"/api/batches/{answer['batchId']}/cancel")
        assert (response.status_code, response.json()["cancelled"]) == (503, False)
        assert response.json()["message"].startswith("Not cancelled: ")
        assert "Retry-After" in response.headers


async def test_a_job_that_is_unknown_or_out_of_reach_is_not_cancelled() -> None:
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        response = await relay.client.post("/api/jobs/nobody/cancel")
        assert (response.status_code, response.json()["error"]) == (404, "There is no job with this id.")
        _, answer = await generate(relay, {"values": {**SMALL, "steps": 50}})
        (job,) = answer["promptIds"]
        await eventually(lambda: relay.state.jobs[job].status is JobStatus.RUNNING, "the image")
        await sim.stop()
        response = await relay.client.post(f"/api/jobs/{job}/cancel")
        assert response.status_code == 503
        assert response.json()["error"].startswith("Not cancelled: ")
        assert "Retry-After" in response.headers


async def test_whoever_asks_a_session_that_has_stopped_is_told_so() -> None:
    async with SimServer(SLOW) as sim, running_relay(sim.url) as relay:
        await relay.live()
        _, answer = await generate(relay)
        await asyncio.to_thread(relay.service.stop)
        status, refusal = await generate(relay, key="order 7")
        assert (status, refusal["error"]) == (503, "The session of the relay has stopped: start the relay again.")
        response = await relay.client.post(f"/api/jobs/{answer['promptIds'][0]}/cancel")
        assert (response.status_code, response.json()) == (503, refusal)


async def test_whether_a_job_exists_is_left_open_while_comfyui_is_away() -> None:
    async with running_relay("http://127.0.0.1:9") as relay:
        response = await relay.client.post("/api/jobs/nobody/cancel")
        assert response.status_code == 503
        assert response.json()["error"].startswith("ComfyUI cannot be reached (")
        assert response.json()["error"].endswith("): it is not known whether there is such a job.")
