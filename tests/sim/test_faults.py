"""The faults of the simulated server, as a plain client sees them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from comfytui.sim.faults.fault_types import FrameFilter
from comfytui.sim.sockets import Preview
from tests.sim.client import Client, client, events
from tests.sim.gate import Gate
from tests.sim.graphs import text_to_image
from tests.sim.replay import Socket
from tests.waiting import eventually


@pytest.fixture
async def it() -> AsyncIterator[Client]:
    async with client() as it:
        yield it


@pytest.fixture
async def socket(it: Client) -> AsyncIterator[ClientConnection]:
    async with it.socket("me") as socket:
        await events(socket, "status")
        yield socket


def progress(frames: list[Any]) -> list[int]:
    return [frame["data"]["value"] for frame in frames if isinstance(frame, dict) and frame["type"] == "progress"]


async def code(it: Client, path: str, method: str = "GET") -> int:
    return (await it.http.request(method, path)).status_code


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_every_response_is_an_error_for_a_while(it: Client, status: int) -> None:
    with it.server.faults.fail(status) as fault:
        assert [await code(it, path) for path in ("/queue", "/api/queue", "/internal/logs/raw")] == [status] * 3
        with pytest.raises(InvalidStatus):
            await it.socket("me").__aenter__()
        assert fault.hits == 4
    assert await code(it, "/queue") == 200


async def test_an_error_is_limited_to_a_path_a_method_and_a_count(it: Client) -> None:
    fault = it.server.faults.fail(503, "/api/history", method="GET", times=2)
    assert [await code(it, path) for path in ("/queue", "/history", "/history/x", "/history")] == [200, 503, 503, 200]
    assert (fault.hits, fault.active) == (2, False)


@pytest.mark.parametrize("processed", [True, False])
async def test_a_prompt_with_an_error_response_is_processed_or_not(it: Client, processed: bool) -> None:
    it.server.faults.fail(502, "/prompt", times=1, processed=processed)
    response = await it.http.post("/prompt", json={"prompt": text_to_image()})
    assert response.status_code == 502
    assert len(it.server.submitted) == processed


@pytest.mark.parametrize("processed", [True, False])
async def test_a_held_response_comes_when_the_fault_ends(it: Client, processed: bool) -> None:
    fault = it.server.faults.hold_responses("/prompt", method="POST", processed=processed)
    asked = asyncio.create_task(it.submit(text_to_image()))
    await eventually(lambda: fault.hits, "the request")
    assert await code(it, "/queue") == 200
    assert not asked.done()
    assert len(it.server.submitted) == processed
    fault.end()
    await asked
    assert len(it.server.submitted) == 1


async def test_a_prompt_whose_client_gave_up_is_still_processed(it: Client) -> None:
    fault = it.server.faults.hold_responses("/prompt")
    asked = asyncio.create_task(it.submit(text_to_image()))
    await eventually(lambda: fault.hits, "the request")
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await eventually(lambda: not it.server.faults.connections.established, "the end of the connection")
    fault.end()
    await eventually(lambda: len(it.server.submitted) == 1, "the prompt")


async def test_a_delayed_response_arrives(it: Client) -> None:
    with it.server.faults.delay(0.01, "/queue") as fault:
        assert await code(it, "/queue") == 200
    assert fault.hits == 1


async def test_submitted_has_the_accepted_prompts_only(it: Client) -> None:
    graph = text_to_image()
    assert await code(it, "/prompt", "POST") == 500
    assert (await it.http.post("/prompt", json={"prompt": {}})).status_code == 400
    await it.submit(graph)
    await it.submit(graph)
    assert [body["prompt"] for body in it.server.submitted] == [graph, graph]


@pytest.mark.parametrize("status", [400, 404])
async def test_refused_websockets_get_a_status(it: Client, status: int) -> None:
    with it.server.faults.refuse_sockets(status), pytest.raises(InvalidStatus) as refused:
        await it.socket("me").__aenter__()
    assert refused.value.response.status_code == status
    async with it.socket("me") as socket:
        await events(socket, "status")


async def test_a_stripped_upgrade_gets_the_real_response(it: Client) -> None:
    real = await it.http.get("/ws")
    with it.server.faults.refuse_sockets():
        simulated = await it.http.get("/ws")
    assert (simulated.status_code, simulated.text) == (real.status_code, real.text)


@pytest.mark.parametrize(("greeted", "close"), [(True, 1001), (False, 1011), (True, None), (False, None)])
async def test_accepted_websockets_are_closed_with_a_code_or_reset(
    it: Client, greeted: bool, close: int | None
) -> None:
    it.server.faults.close_sockets(greeted=greeted, code=close, times=1)
    async with it.socket("me") as socket:
        if greeted:
            await socket.recv()
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == (1006 if close is None else close)
    await eventually(lambda: "me" not in it.server.sockets.clients, "its end")
    async with it.socket("me") as socket:
        await events(socket, "status")


async def test_an_orphaned_socket_stays_open_and_gets_no_frames(it: Client, socket: ClientConnection) -> None:
    await it.server.sockets.outbox.join()
    assert it.server.sockets.orphan("me")
    assert not it.server.sockets.orphan("me")
    await it.run(text_to_image(), client_id="me")
    await it.server.sockets.outbox.join()
    orphaned = Socket(socket)
    await orphaned.receive_all()
    assert orphaned.frames == []
    async with it.socket("me") as again:
        await it.run(text_to_image(seed=2), client_id="me")
        assert progress(await events(again, "execution_success")) == [1, 2]
    await orphaned.close()


@pytest.mark.parametrize(
    ("disorder", "when", "values"),
    [
        ("drop", "progress", [2, 3, 4]),
        ("duplicate", "progress", [1, 1, 2, 3, 4]),
        ("postpone", lambda event, data: event == "progress" and data["value"] == 2, [1, 2, 3, 4]),
    ],
)
async def test_frames_are_dropped_duplicated_or_postponed(
    it: Client, socket: ClientConnection, disorder: str, when: FrameFilter, values: list[int]
) -> None:
    fault = getattr(it.server.faults, disorder)(when, times=1)
    await it.submit(text_to_image(steps=4), client_id="me")
    frames = await events(socket, "execution_success")
    assert progress(frames) == values
    assert fault.hits == 1


async def test_postponed_frames_swap_with_the_next(it: Client, socket: ClientConnection) -> None:
    it.server.faults.drop("progress_state")
    it.server.faults.postpone("progress")
    await it.submit(text_to_image(steps=4), client_id="me")
    assert progress(await events(socket, "execution_success")) == [2, 1, 4, 3]


async def test_truncated_frames_cannot_be_decoded(it: Client, socket: ClientConnection) -> None:
    it.server.faults.truncate("progress", times=1)
    it.server.faults.truncate(lambda _, data: isinstance(data, Preview), times=1)
    await it.submit(text_to_image(steps=4), client_id="me", extra_data={"preview_method": "taesd"})
    broken, images = [], []
    async for frame in socket:
        if isinstance(frame, bytes):
            images.append(frame.endswith(b"\xff\xd9"))
            continue
        try:
            if json.loads(frame)["type"] == "execution_success":
                break
        except json.JSONDecodeError:
            broken.append(frame)
    assert len(broken) == 1
    assert broken[0].startswith('{"type": "progress"')
    assert images == [False, True, True, True]


async def test_a_blocked_loop_accepts_connections_and_answers_nothing(it: Client, socket: ClientConnection) -> None:
    faults, established = it.server.faults, len(it.server.faults.connections.established)
    faults.block_loop()
    asked = asyncio.create_task(it.get("/queue"))
    greeted = asyncio.create_task(it.socket("other").__aenter__())
    pong = asyncio.ensure_future(await socket.ping())
    await eventually(lambda: len(faults.connections.established) == established + 2, "the connections")
    await it.server.sockets.outbox.join()
    assert [waits.done() for waits in (asked, greeted, pong)] == [False] * 3
    assert "other" not in it.server.sockets.clients
    faults.unblock_loop()
    assert await asked == {"queue_running": [], "queue_pending": []}
    await pong
    await (await greeted).close()


async def test_frames_of_a_blocked_loop_arrive_later() -> None:
    gate = Gate()
    async with client(clock=gate) as it, it.socket("me") as socket:
        prompt_id = await it.submit(text_to_image(), client_id="me")
        await gate.let_steps(1)
        it.server.faults.block_loop()
        await gate.let_all()
        await eventually(lambda: prompt_id in it.server.queue.history, "the end of a prompt")
        await it.server.sockets.outbox.join()
        it.server.faults.unblock_loop()
        assert progress(await events(socket, "execution_success")) == [1, 2]


async def test_a_blocked_loop_does_not_notice_disconnects(it: Client, socket: ClientConnection) -> None:
    it.server.faults.block_loop()
    socket.transport.abort()
    await socket.wait_closed()
    assert "me" in it.server.sockets.clients
    it.server.faults.unblock_loop()
    await eventually(lambda: "me" not in it.server.sockets.clients, "the end of the socket")


async def test_all_faults_end_at_once(it: Client) -> None:
    faults = it.server.faults
    faults.fail()
    faults.close_sockets()
    faults.drop()
    held = faults.hold_responses("/prompt")
    faults.block_loop()
    faults.clear()
    assert not held.active
    assert (await it.run(text_to_image()))["status"]["status_str"] == "success"
    async with it.socket("me") as socket:
        await events(socket, "status")


async def test_a_server_may_stop_with_everything_held() -> None:
    async with client() as it:
        faults, url = it.server.faults, it.server.url
        held = faults.hold_responses("/queue")
        async with httpx.AsyncClient() as http:
            asked = asyncio.create_task(http.get(f"{url}/queue"))
            await eventually(lambda: held.hits, "the request")
            async with connect(f"{url.replace('http', 'ws')}/ws?clientId=me") as socket:
                faults.block_loop()
                await it.server.stop(killed=True)
                with pytest.raises(ConnectionClosedError):
                    await events(socket, "never")
            with pytest.raises(httpx.RemoteProtocolError):
                await asked


async def test_a_server_keeps_no_closed_connection(it: Client) -> None:
    for _ in range(20):
        async with httpx.AsyncClient() as http, it.socket("me") as socket:
            await http.get(f"{it.server.url}/queue")
            await events(socket, "status")
    await eventually(lambda: not it.server.faults.connections.established, "the last end")
    assert (it.server.sockets.clients, it.server.sockets.flags) == ({}, {})
