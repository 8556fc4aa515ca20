"""Clients that cannot read a stream get the same events by asking for them."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import RunningRelay, running_relay
from tests.waiting import eventually

PATH = "/api/progress"
SIM = SimConfig(steps_per_second=30, load_seconds=0.1)
MODEL = SIM.checkpoints[0]


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with SimServer(SIM) as sim, running_relay(sim.url) as relay:
        await relay.live()
        yield relay


def names(response: httpx.Response) -> list[str]:
    return [event["event"] for event in response.json()["events"]]


async def has_ended(relay: RunningRelay, batch: str) -> None:
    await eventually(lambda: relay.context.feed.has_ended(relay.state.batches[batch]), "the end")


async def ask(relay: RunningRelay, known: httpx.Response | None = None, **params: str) -> httpx.Response:
    """Ask for events; `known` is the answer that the client has."""
    headers = {"If-None-Match": known.headers["etag"]} if known else {}
    response = await relay.client.get(PATH, params=params, headers=headers)
    assert response.status_code in {200, 304}, response.text
    return response


async def test_the_answer_has_the_events_of_the_stream(relay: RunningRelay) -> None:
    batch = await relay.submit(2, model=MODEL)
    response = await ask(relay, batchId=batch)
    answer = response.json()
    assert answer["version"] == 1
    [*_, newest] = answer["events"]
    assert (newest["event"], newest["batchId"], newest["totalImages"]) == ("progress", batch, 2)
    await has_ended(relay, batch)
    assert names(await ask(relay, batchId=batch)) == ["image", "image", "done"]


async def test_what_the_client_has_is_not_sent_again(relay: RunningRelay) -> None:
    batch = await relay.submit(model=MODEL)
    await has_ended(relay, batch)
    first = await ask(relay, batchId=batch)
    again = await ask(relay, first, batchId=batch)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_a_client_may_wait_until_something_differs(relay: RunningRelay) -> None:
    none = await ask(relay)
    assert names(none) == []
    waiting = asyncio.ensure_future(ask(relay, none, wait="60", lastEventId=none.json()["lastEventId"]))
    batch = await relay.submit(model=MODEL)
    response = await waiting
    assert response.json()["events"][0]["batchId"] == batch


async def test_a_client_that_asks_again_and_again_gets_every_end(relay: RunningRelay) -> None:
    response = await ask(relay)
    seen: list[str] = []
    batch = await relay.submit(2, model=MODEL)
    async with asyncio.timeout(60):
        last_id = response.json()["lastEventId"]
        while "done" not in seen:
            response = await ask(relay, response, wait="30", lastEventId=last_id)
            seen += names(response)
            last_id = response.json()["lastEventId"]
    assert [name for name in seen if name != "progress"] == ["image", "image", "done"]
    assert response.json()["events"][-1]["batchId"] == batch


async def test_waiting_ends_with_nothing_new(relay: RunningRelay) -> None:
    none = await ask(relay)
    assert (await ask(relay, none, wait="0.3")).status_code == 304


async def test_without_an_etag_nothing_is_waited_for(relay: RunningRelay) -> None:
    async with asyncio.timeout(30):
        assert names(await ask(relay, wait="60")) == []


@pytest.mark.parametrize("wait", ["", "-1", "61", "nan", "inf", "1e1", "soon", "٣"])
async def test_a_bad_time_to_wait_is_an_error(relay: RunningRelay, wait: str) -> None:
    response = await relay.client.get(PATH, params={"wait": wait})
    assert response.status_code == 400
    assert response.json() == {"error": "wait is a number of seconds, 60 at most."}


@pytest.mark.parametrize(("query", "status"), [("promptId=a&batchId=b", 400), ("promptId=unknown", 404)])
async def test_what_cannot_be_followed_is_an_error(relay: RunningRelay, query: str, status: int) -> None:
    response = await relay.client.get(f"{PATH}?{query}")
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")


async def test_those_who_wait_are_answered_when_the_relay_stops() -> None:
    async with SimServer(SIM) as sim, running_relay(sim.url) as relay:
        await relay.live()
        none = await ask(relay)
        waiting = asyncio.ensure_future(ask(relay, none, wait="60"))
        await eventually(lambda: relay.handled == 1, "the request")
        relay.context.stop()
        assert (await waiting).status_code == 304
