"""Hostile frames close the connection at most; they never exhaust memory or block the event loop."""

import asyncio
import json
import tracemalloc
import zlib
from contextlib import AsyncExitStack, aclosing

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from comfytui.comfy.protocol.decode import decode
from comfytui.comfy.protocol.events import (
    Executed,
    ExecutionCached,
    ExecutionError,
    FeatureFlags,
    NodeText,
    ProgressState,
    Status,
    Unknown,
)
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.bounded_connection import BoundedConnection
from comfytui.comfy.websocket.connection_events import Opened
from comfytui.comfy.websocket.event_stream import stream_events
from tests.comfy.websocket.test_event_stream import (
    STATUS,
    SocketHandler,
    StreamEvent,
    collect,
    first_closed,
    until_closed,
    websocket_server,
)
from tests.resources import MB, memory_limit
from tests.waiting import TIMEOUT, eventually


def deflated(opcode: int, payload: bytes) -> bytes:
    """Return a compressed frame (permessage-deflate) that does not depend on previous frames."""
    compressor = zlib.compressobj(9, wbits=-15)
    data = (compressor.compress(payload) + compressor.flush(zlib.Z_FULL_FLUSH))[:-4]
    return bytes([0xC0 | opcode, 126]) + len(data).to_bytes(2, "big") + data


def raw_sender(data: bytes) -> SocketHandler:
    """Return a handler that writes raw bytes and waits until the connection is closed."""

    async def handle(connection: ServerConnection) -> None:
        connection.transport.write(data)
        await connection.wait_closed()

    return handle


def message(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


async def test_a_compressed_huge_text_closes_the_connection() -> None:
    bomb = deflated(1, b"[" + b"[]," * 4_000_000 + b"[]]")
    assert len(bomb) < 20_000
    with memory_limit(60 * MB):
        async with websocket_server(raw_sender(bomb)) as url:
            closed = await first_closed(url)
    assert closed.reason == "The server sent a text of more than 4 MiB."


async def test_a_text_of_too_many_values_is_skipped() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.send("[" + "[]," * 1_300_000 + "[]]")
        await connection.send(STATUS)

    with memory_limit(60 * MB):
        async with websocket_server(handle) as url:
            received = await collect(url, until_closed(1))
    assert received[:3] == [Opened(), Unknown("text", "more than 50,000 values"), Status(1, "me")]


async def test_highly_compressed_images_do_not_accumulate() -> None:
    frames = deflated(2, b"\0\0\0\1\0\0\0\1" + bytes(8 * MB)) * 60
    with memory_limit(150 * MB):
        async with websocket_server(raw_sender(frames)) as url:
            closed = await first_closed(url)
    assert closed.reason == "The server sent more than 64 MiB at once."


async def test_a_message_in_too_many_fragments_closes_the_connection() -> None:
    async with websocket_server(raw_sender(b"\x01\0" + b"\0\0" * 5_000)) as url:
        closed = await first_closed(url)
    assert closed.reason == "The server sent a message in more than 4,096 fragments."


async def test_a_flood_of_pings_closes_the_connection() -> None:
    async def handle(connection: ServerConnection) -> None:
        while not connection.transport.is_closing():
            connection.transport.write(b"\x89\0" * 2_000)
            await asyncio.sleep(0)

    async with websocket_server(handle) as url:
        closed = await first_closed(url)
    assert closed.reason == "The server sent more than 1,000 pings within a second."


@pytest.mark.parametrize("whole", [True, False], ids=["messages", "beginnings of messages"])
async def test_all_connections_share_one_limit(whole: bool) -> None:
    class Connection(BoundedConnection):
        unread_limit = 1_000_000

    length = 400_000 if whole else 500_000
    frame = b"\x82\x7f" + length.to_bytes(8, "big") + bytes(400_000)

    async with websocket_server(raw_sender(frame)) as url, AsyncExitStack() as stack:
        closed = []
        for _ in range(3):
            connection = await stack.enter_async_context(
                connect(url.replace("http", "ws"), create_connection=Connection, close_timeout=0)
            )
            closed.append(asyncio.create_task(connection.wait_closed()))
        async with asyncio.timeout(TIMEOUT):
            done, _ = await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for task in closed:
            task.cancel()


async def test_pings_whose_pongs_are_not_read_close_the_connection() -> None:
    class Connection(BoundedConnection):
        pings_limit = 10**9

    async def handle(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        pings = (b"\x89\x7d" + bytes(125)) * 1_000
        while connection.transport.get_write_buffer_size() < 64 * MB and not connection.transport.is_closing():
            connection.transport.write(pings)
            await asyncio.sleep(0)

    async with asyncio.timeout(TIMEOUT), websocket_server(handle) as url:
        connection = await connect(url.replace("http", "ws"), create_connection=Connection)
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert (closed.value.rcvd, closed.value.sent) == (None, None)


async def test_a_flood_of_tiny_frames_lets_other_tasks_run() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turns_at: list[int] = []

    def count(received: list[StreamEvent]) -> bool:
        turns_at.append(turns)
        return len(received) > 30_000

    async with websocket_server(raw_sender(b"\x81\2{}" * 40_000)) as url:
        others = asyncio.create_task(take_turns())
        await collect(url, count)
        others.cancel()
    assert turns_at[-1] - turns_at[2_000] > 10


async def test_a_preview_that_is_too_large_is_skipped() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b"\0\0\0\1\0\0\0\1" + bytes(9 * MB))
        await connection.send(STATUS)

    async with websocket_server(handle) as url:
        received = await collect(url, until_closed(1))
    assert received[1:3] == [Unknown("binary 1", "an image too large for a preview"), Status(1, "me")]


async def test_a_frame_is_freed_before_the_next_one_arrives() -> None:
    frame = deflated(2, b"\0\0\0\x09" + bytes(20 * MB))
    async with (
        websocket_server(raw_sender(frame)) as url,
        aclosing(stream_events(Server.from_url(url), "me")) as stream,
    ):
        tracemalloc.start()
        try:
            assert [await anext(stream), type(await anext(stream))] == [Opened(), Unknown]
            waiting = asyncio.ensure_future(anext(stream))
            await eventually(lambda: tracemalloc.get_traced_memory()[0] < 10 * MB, "the image's end")
        finally:
            tracemalloc.stop()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_the_connection_after_a_flood_is_an_ordinary_one() -> None:
    connections = 0

    async def handle(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            connection.transport.write(deflated(1, bytes(5 * MB)))
            await connection.wait_closed()
            return
        try:
            await connection.send(STATUS)
        except ConnectionClosed:
            pytest.fail("the client left")

    async with websocket_server(handle) as url:
        received = await collect(url, until_closed(2))
    assert received[2:4] == [Opened(), Status(1, "me")]


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (message("executed", prompt_id="p", node="1", output={"images": [{"filename": "a"}] * 20_000}), 10_000),
        (message("execution_cached", prompt_id="p", nodes=list(range(40_000))), 10_000),
        (message("progress_state", prompt_id="p", nodes={str(node): {} for node in range(20_000)}), 10_000),
        (message("feature_flags", **{str(name): True for name in range(20_000)}), 1_000),
        (message("executed", prompt_id="p", node="1", output={"text": ["x" * 1_000] * 3_000}), 132),
        ((b"\0\0\0\3\0\0\0\1" + b"9" + "é".encode() * 3 * MB), 65_536),
    ],
    ids=["outputs", "cached", "progress", "flags", "texts", "node text"],
)
def test_lists_are_truncated(frame: str | bytes, kept: int) -> None:
    event = decode(frame)
    match event:
        case Executed(outputs=outputs, text=lines):
            assert len(outputs or lines) == kept
        case ExecutionCached(nodes=nodes):
            assert len(nodes) == kept
        case ProgressState(nodes=states):
            assert len(states) == kept
        case FeatureFlags(names=names):
            assert len(names) == kept
        case NodeText(text=line):
            assert len(line) == kept
        case _:
            pytest.fail(f"{event}")


def test_the_texts_of_an_error_are_truncated() -> None:
    endless = "\U0001f98a" * 65_000
    texts = dict.fromkeys(("node_type", "exception_type", "exception_message"), endless)
    event = decode(message("execution_error", prompt_id="p", node_id="1", traceback=[endless, endless], **texts))
    assert isinstance(event, ExecutionError)
    assert (len(event.node_type), len(event.exception_type), len(event.exception_message)) == (200, 200, 4_000)
    assert sum(map(len, event.traceback)) == 20_000


@pytest.mark.parametrize(
    "frame",
    [
        message("execution_start", prompt_id="p" * MB),
        message("executing", prompt_id="p", node=10**400),
        '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": ' + "9" * 3 * MB + "}}}}",
        '{"type": "progress", "data": {"value": NaN, "max": 1e999}}',
        '{"type": "logs", "data": ' + "[" * 40_000,
        "\0" * 3 * MB,
    ],
    ids=["long id", "huge id", "huge number", "nan", "deep", "zeros"],
)
def test_absurd_values_are_unknown(frame: str) -> None:
    assert isinstance(decode(frame), Unknown)
