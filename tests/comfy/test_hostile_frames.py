"""What a hostile server sends over the socket costs a connection at most, never the memory or the keys."""

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
from comfytui.comfy.websocket import bounded_connection
from comfytui.comfy.websocket.bounded_connection import BoundedConnection
from comfytui.comfy.websocket.connection_events import Closed, Opened
from comfytui.comfy.websocket.event_stream import stream_events
from tests.comfy.memory import MB, at_most
from tests.comfy.test_event_stream import STATUS, SocketRecovered, Talk, closings, first_closing, hear, talking
from tests.waiting import eventually


def deflated(opcode: int, payload: bytes) -> bytes:
    """A compressed frame, as permessage-deflate has it, that needs nothing of the frames before it."""
    compressor = zlib.compressobj(9, wbits=-15)
    data = (compressor.compress(payload) + compressor.flush(zlib.Z_FULL_FLUSH))[:-4]
    return bytes([0xC0 | opcode, 126]) + len(data).to_bytes(2, "big") + data


def writing(data: bytes) -> Talk:
    """A server that writes raw bytes and then waits."""

    async def talk(connection: ServerConnection) -> None:
        connection.transport.write(data)
        await connection.wait_closed()

    return talk


def text(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


async def test_a_few_bytes_that_become_a_huge_text_cost_the_connection() -> None:
    bomb = deflated(1, b"[" + b"[]," * 4_000_000 + b"[]]")
    assert len(bomb) < 20_000
    with at_most(60 * MB):
        async with talking(writing(bomb)) as url:
            closed = await first_closing(url)
    assert closed.reason == "The server sent a text of more than 4 MiB."


async def test_a_text_of_too_many_values_is_passed_over_and_the_next_one_read() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("[" + "[]," * 1_300_000 + "[]]")
        await connection.send(STATUS)

    with at_most(60 * MB):
        async with talking(talk) as url:
            heard, _ = await hear(url, closings(1))
    assert heard[:3] == [Opened(), Unknown("text", "more than 50,000 values"), Status(1, "me")]


async def test_pictures_that_were_compressed_to_nothing_do_not_pile_up() -> None:
    frames = deflated(2, b"\0\0\0\1\0\0\0\1" + bytes(8 * MB)) * 60
    with at_most(150 * MB):
        async with talking(writing(frames)) as url:
            closed = await first_closing(url)
    assert closed.reason == "The server sent more than 64 MiB at once."


async def test_a_message_in_endless_fragments_costs_the_connection() -> None:
    async with talking(writing(b"\x01\0" + b"\0\0" * 5_000)) as url:
        closed = await first_closing(url)
    assert closed.reason == "The server sent a message in more than 4,096 fragments."


async def test_a_flood_of_pings_costs_the_connection() -> None:
    async def talk(connection: ServerConnection) -> None:
        while not connection.transport.is_closing():
            connection.transport.write(b"\x89\0" * 2_000)
            await asyncio.sleep(0)

    async with talking(talk) as url:
        closed = await first_closing(url)
    assert closed.reason == "The server sent more than 1,000 pings within a second."


@pytest.mark.parametrize("whole", [True, False], ids=["messages", "beginnings of messages"])
async def test_all_connections_share_one_limit(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    monkeypatch.setattr(bounded_connection, "UNREAD_LIMIT", 1_000_000)
    length = 400_000 if whole else 500_000
    frame = b"\x82\x7f" + length.to_bytes(8, "big") + bytes(400_000)

    async with talking(writing(frame)) as url, AsyncExitStack() as stack:
        closed = []
        for _ in range(3):
            connection = await stack.enter_async_context(
                connect(url.replace("http", "ws"), create_connection=BoundedConnection, close_timeout=0)
            )
            closed.append(asyncio.create_task(connection.wait_closed()))
        async with asyncio.timeout(10):
            done, _ = await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for task in closed:
            task.cancel()


async def test_pings_of_a_server_that_reads_no_pong_cost_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_connection, "PINGS_LIMIT", 10**9)

    async def talk(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        pings = (b"\x89\x7d" + bytes(125)) * 1_000
        while connection.transport.get_write_buffer_size() < 64 * MB and not connection.transport.is_closing():
            connection.transport.write(pings)
            await asyncio.sleep(0)

    async with asyncio.timeout(10), talking(talk) as url:
        assert await first_closing(url) == Closed("The connection broke.", 0.5)


async def test_a_flood_of_tiny_frames_lets_others_have_their_turn() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turns_at: list[int] = []

    def count(heard: list[SocketRecovered]) -> bool:
        turns_at.append(turns)
        return len(heard) > 30_000

    async with talking(writing(b"\x81\2{}" * 40_000)) as url:
        others = asyncio.create_task(take_turns())
        await hear(url, count)
        others.cancel()
    assert turns_at[-1] - turns_at[2_000] > 10


async def test_a_picture_too_large_to_be_shown_is_passed_over() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b"\0\0\0\1\0\0\0\1" + bytes(9 * MB))
        await connection.send(STATUS)

    async with talking(talk) as url:
        heard, _ = await hear(url, closings(1))
    assert heard[1:3] == [Unknown("binary 1", "a picture too large for a preview"), Status(1, "me")]


async def test_what_was_read_does_not_stay_until_the_next_message() -> None:
    frame = deflated(2, b"\0\0\0\x09" + bytes(20 * MB))
    async with talking(writing(frame)) as url, aclosing(stream_events(Server.from_url(url), "me")) as stream:
        tracemalloc.start()
        try:
            assert [await anext(stream), type(await anext(stream))] == [Opened(), Unknown]
            waiting = asyncio.ensure_future(anext(stream))
            await eventually(lambda: tracemalloc.get_traced_memory()[0] < 10 * MB, "the picture's end", 10)
        finally:
            tracemalloc.stop()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_after_a_flood_the_next_connection_is_an_ordinary_one() -> None:
    connections = 0

    async def talk(connection: ServerConnection) -> None:
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

    async with talking(talk) as url:
        heard, _ = await hear(url, closings(2))
    assert heard[2:4] == [Opened(), Status(1, "me")]


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (text("executed", prompt_id="p", node="1", output={"images": [{"filename": "a"}] * 20_000}), 10_000),
        (text("execution_cached", prompt_id="p", nodes=list(range(40_000))), 10_000),
        (text("progress_state", prompt_id="p", nodes={str(node): {} for node in range(20_000)}), 10_000),
        (text("feature_flags", **{str(name): True for name in range(20_000)}), 1_000),
        (text("executed", prompt_id="p", node="1", output={"text": ["x" * 1_000] * 3_000}), 132),
        ((b"\0\0\0\3\0\0\0\1" + b"9" + "é".encode() * 3 * MB), 65_536),
    ],
    ids=["outputs", "cached", "progress", "flags", "texts", "node text"],
)
def test_of_endless_lists_only_so_much_is_kept(frame: str | bytes, kept: int) -> None:
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
        case NodeText(text=said):
            assert len(said) == kept
        case _:
            pytest.fail(f"{event}")


def test_of_an_endless_failure_only_the_beginning_is_kept() -> None:
    endless = "\U0001f98a" * 65_000
    words = dict.fromkeys(("node_type", "exception_type", "exception_message"), endless)
    event = decode(text("execution_error", prompt_id="p", node_id="1", traceback=[endless, endless], **words))
    assert isinstance(event, ExecutionError)
    assert (len(event.node_type), len(event.exception_type), len(event.exception_message)) == (200, 200, 4_000)
    assert sum(map(len, event.traceback)) == 20_000


@pytest.mark.parametrize(
    "frame",
    [
        text("execution_start", prompt_id="p" * MB),
        text("executing", prompt_id="p", node=10**400),
        '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": ' + "9" * 3 * MB + "}}}}",
        '{"type": "progress", "data": {"value": NaN, "max": 1e999}}',
        '{"type": "logs", "data": ' + "[" * 40_000,
        "\0" * 3 * MB,
    ],
    ids=["long id", "huge id", "huge number", "nan", "deep", "zeros"],
)
def test_absurd_values_are_no_events(frame: str) -> None:
    assert isinstance(decode(frame), Unknown)
