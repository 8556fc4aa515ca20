"""What clients of the relay's stream get: progress, images and ends as server-sent events."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import RunningRelay, running_relay
from tests.headless.relay.sse import STREAM, streaming
from tests.waiting import eventually

FAST_SIM = SimConfig(steps_per_second=30, load_seconds=0.1)
MODEL = FAST_SIM.checkpoints[0]


@dataclass
class Served:
    """A relay and its server."""

    sim: SimServer
    relay: RunningRelay


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with SimServer(FAST_SIM) as sim, running_relay(sim.url) as relay:
        await relay.live()
        yield Served(sim, relay)


async def prompt_id_of(relay: RunningRelay, batch: str, index: int = 0) -> str:
    """Return the id of a job of a batch, once it is known."""
    await eventually(lambda: len(relay.state.batches[batch].prompt_ids) > index, "the job")
    return relay.state.batches[batch].prompt_ids[index]


async def test_the_endpoint_accepts_a_prompt_id(served: Served) -> None:
    relay = served.relay
    prompt_id = await prompt_id_of(relay, await relay.submit(model=MODEL))
    async with streaming(relay, promptId=prompt_id) as client:
        end = await client.ended()
    assert client.headers["content-type"].startswith("text/event-stream")
    assert (client.headers["cache-control"], client.headers["x-accel-buffering"]) == ("no-store", "no")
    assert (end["event"], end["promptId"]) == ("done", prompt_id)
    assert client.names[-2:] == ["image", "done"]


async def test_websocket_events_become_server_sent_events(served: Served) -> None:
    relay = served.relay
    batch = await relay.submit(model=MODEL, steps=20)
    async with streaming(relay, batchId=batch) as client:
        await client.ended()
    assert client.lines[0] == "retry: 3000"
    at = client.lines.index("event: progress")
    assert client.lines[at - 1].removeprefix("id: ").isdigit()
    data = json.loads(client.lines[at + 1].removeprefix("data: "))
    assert {"currentStep", "totalSteps", "percentage", "imageIndex", "totalImages", "link"} <= data.keys()
    assert client.lines[at + 2] == ""
    ids = [int(event_id) for event_id in client.ids]
    assert ids == sorted(ids)


async def test_percentages_are_those_of_the_steps(served: Served) -> None:
    batch = await served.relay.submit(model=MODEL, steps=40)
    async with streaming(served.relay, batchId=batch) as client:
        await client.ended()
    with_steps = [event for event in client.of("progress") if event["totalSteps"]]
    assert with_steps
    assert all(event["totalSteps"] == 40 for event in with_steps)
    assert all(event["percentage"] == event["currentStep"] * 100 // 40 for event in with_steps)
    shares = [event["batchFraction"] for event in client.of("progress")]
    assert shares == sorted(shares)


async def test_the_image_index_counts_through_a_batch_of_four(served: Served) -> None:
    batch = await served.relay.submit(4, model=MODEL, steps=15)
    async with streaming(served.relay, batchId=batch) as client:
        end = await client.ended()
    seen = [event["imageIndex"] for event in client.of("progress") if event["status"] == "running"]
    assert seen == sorted(seen)
    assert set(seen) == {1, 2, 3, 4}
    assert {event["totalImages"] for event in client.events} == {4}
    assert [event["imageIndex"] for event in client.of("image")] == [1, 2, 3, 4]
    assert (end["event"], end["counts"], len(end["outputs"])) == ("done", {"done": 4}, 4)


async def test_three_batches_end_one_after_another_with_a_failure_between() -> None:
    config = SimConfig(steps_per_second=30, load_seconds=0.1, fail_step=10, fail_times=1)
    async with SimServer(config) as sim, running_relay(sim.url) as relay:
        await relay.live()
        async with streaming(relay) as client:
            batches = [await relay.submit(2, model=MODEL, steps=steps) for steps in (5, 12, 5)]
            await eventually(lambda: len(client.of("done")) + len(client.of("failed")) == 3, "three ends")
    ends = [event for event in client.events if event["event"] in {"done", "failed"}]
    assert [(event["batchId"], event["event"]) for event in ends] == list(
        zip(batches, ["done", "failed", "done"], strict=True)
    )
    assert "memory" in ends[1]["error"]["message"]
    assert ends[1]["counts"] == {"failed": 1, "done": 1}
    images = [(event["batchId"], event["imageIndex"]) for event in client.of("image")]
    assert images == [(batch, index) for batch in batches for index in (1, 2)]


async def test_a_client_that_comes_back_gets_the_ends_that_it_missed(served: Served) -> None:
    relay = served.relay
    async with streaming(relay) as client:
        first = await relay.submit(model=MODEL)
        await client.got("progress")
        last_id = client.ids[-1]
    await eventually(lambda: all(job.status is JobStatus.SUCCEEDED for job in relay.state.jobs.values()), "the end")
    for given in ({"last_event_id": last_id}, {"lastEventId": last_id}):
        async with streaming(relay, **given) as client:
            await client.got("done")
        assert [(event["event"], event["batchId"]) for event in client.events] == [("image", first), ("done", first)]


@pytest.mark.parametrize("kind", ["promptId", "batchId"])
async def test_an_event_source_that_comes_back_after_the_end_is_told_to_stop(served: Served, kind: str) -> None:
    relay = served.relay
    batch = await relay.submit(2, model=MODEL, steps=10)
    subject = {kind: batch if kind == "batchId" else await prompt_id_of(relay, batch)}
    async with streaming(relay, **subject) as client:
        await client.ended()
    later = await relay.submit(model=MODEL)
    async with streaming(relay, batchId=later) as other:
        await other.ended()
    for headers, params in (({"Last-Event-ID": client.ids[-1]}, {}), ({}, {"lastEventId": client.ids[-1]})):
        response = await relay.client.get(STREAM, params=subject | params, headers=headers)
        assert (response.status_code, response.content) == (204, b"")
    # One that missed the end, even if it got all before it, is told.
    for last_id in {"", *client.ids[:-1]}:
        async with streaming(relay, last_id, **subject) as again:
            assert (await again.ended())["event"] == "done"
        assert again.ids[-1] == client.ids[-1]


async def test_all_of_mine_never_come_to_an_end(served: Served) -> None:
    async with streaming(served.relay) as client:
        await served.relay.submit(model=MODEL)
        await client.got("done")
        last_id = client.ids[-1]
    async with streaming(served.relay, last_id) as client:
        await served.relay.submit(model=MODEL)
        await client.got("done")


@pytest.mark.parametrize("garbage", ["abc", "-1", "9" * 18, "9" * 400, "1.5", "٣"])
async def test_a_last_event_id_that_is_none_of_ours_is_ignored(served: Served, garbage: str) -> None:
    batch = await served.relay.submit(model=MODEL)
    async with streaming(served.relay, batchId=batch, lastEventId=garbage) as client:
        assert (await client.ended())["event"] == "done"
    assert len(client.of("image")) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [("promptId=a&batchId=b", 400), ("promptId=unknown", 404), ("batchId=unknown", 404), ("promptId=", 404)],
)
async def test_what_cannot_be_followed_is_an_error(served: Served, query: str, status: int) -> None:
    response = await served.relay.client.get(f"{STREAM}?{query}")
    assert response.status_code == status
    assert response.json()["error"].endswith(".")
