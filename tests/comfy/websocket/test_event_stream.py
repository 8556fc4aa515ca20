"""The event stream reconnects, detects dead connections and raises what no retry mends."""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from comfytui.comfy.errors import (
    ComfyError,
    NotComfyUI,
    ServerError,
    TimedOut,
    Unauthorized,
    Unreachable,
    UpgradeRefused,
)
from comfytui.comfy.protocol.events import Event, PreviewImage, Status, Unknown
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, ConnectionEvent, Opened, PingRestored, PingTimedOut
from comfytui.comfy.websocket.event_stream import stream_events
from comfytui.timings import DEFAULT
from tests.stub_servers import greeting_server, serving, unused_port
from tests.waiting import TIMEOUT

StreamEvent = Event | ConnectionEvent
SocketHandler = Callable[[ServerConnection], Awaitable[None]]
SECRET = "s3cret"
STATUS = json.dumps({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "me"}})


@asynccontextmanager
async def websocket_server(handle: SocketHandler, **options: Any) -> AsyncIterator[str]:
    """Serve websockets that run a handler and close; yield the URL."""
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def close_at_once(connection: ServerConnection) -> None:
    """Return, which closes the connection."""


async def collect(
    url: str,
    until: Callable[[list[StreamEvent]], bool],
    figures: Mapping[str, float] | None = None,
    **options: Any,
) -> list[StreamEvent]:
    """Return the events of one connection after another until a condition holds.

    Args:
        url: The server.
        until: Whether the events so far are all that is wanted.
        figures: Timings of the socket that differ from the program's.
        options: Other arguments of `stream_events`.
    """
    received: list[StreamEvent] = []
    async with asyncio.timeout(TIMEOUT):
        while True:
            timings = replace(DEFAULT.socket, **figures or {})
            stream = stream_events(Server.from_url(url), "me", timings=timings, **options)
            async with aclosing(stream):
                async for event in stream:
                    received.append(event)
                    if until(received):
                        return received


def until_closed(count: int) -> Callable[[list[StreamEvent]], bool]:
    return lambda received: sum(isinstance(event, Closed) for event in received) >= count


async def first_closed(url: str, **options: Any) -> Closed:
    received = await collect(url, until_closed(1), **options)
    closed = received[-1]
    assert isinstance(closed, Closed)
    return closed


async def test_every_connection_sends_its_feature_flags_first() -> None:
    flags, paths = [], []

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)
        flags.append(json.loads(await connection.recv()))
        await connection.send(STATUS)

    async with websocket_server(handle) as url:
        received = await collect(f"{url}/prefix/?token=t", until_closed(2))
    assert flags == [{"type": "feature_flags", "data": {"supports_preview_metadata": True}}] * 2
    assert paths == ["/prefix/ws?clientId=me&token=t"] * 2
    assert [type(event) for event in received] == [Opened, Status, Closed] * 2


async def test_the_handshake_has_our_headers_and_no_origin() -> None:
    seen: list[Headers] = []

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.headers)

    async with websocket_server(handle) as url:
        server = Server.from_url(url.replace("://", "://me:pw@"), headers=[("X-API-Key", "k")])
        stream = stream_events(server, "me")
        async with aclosing(stream):
            await anext(stream)
            await anext(stream)
    assert seen[0]["X-API-Key"] == "k"
    assert seen[0]["Authorization"] == "Basic bWU6cHc="
    assert not {"origin", "sec-fetch-site"} & {name.lower() for name in seen[0]}


async def test_text_images_and_invalid_utf8_are_received_over_one_connection() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.send(b"\0\0\0\1\0\0\0\1" + b"j" * 3_000_000)
        await connection.send(b'{"type": "logs", "data": "\xff\xfe"}', text=True)
        await connection.send(STATUS)

    async with websocket_server(handle) as url:
        received = await collect(url, until_closed(1))
    assert received[1] == PreviewImage("jpeg", b"j" * 3_000_000)
    assert isinstance(received[2], Unknown)
    assert received[2].type == "logs"
    assert received[3] == Status(1, "me")


@pytest.mark.parametrize("greets", [False, True])
async def test_a_connection_that_ends_says_whether_it_received_a_frame(greets: bool) -> None:
    async def handle(connection: ServerConnection) -> None:
        if greets:
            await connection.send(STATUS)

    async with websocket_server(handle) as url:
        closed = await first_closed(url)
    assert closed.had_frames is greets


async def test_a_broken_connection_is_reported() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(STATUS)
        connection.transport.abort()

    async with websocket_server(handle) as url:
        received = await collect(url, until_closed(2))
    assert [type(event) for event in received] == [Opened, Status, Closed] * 2
    assert received[-1] == Closed("The connection broke.")


async def test_a_frame_of_200_mb_closes_the_connection_before_it_is_received() -> None:
    async def handle(connection: ServerConnection) -> None:
        announced = b"\x82\x7f" + (200 * 10**6).to_bytes(8, "big")  # a binary frame's head, with its length
        connection.transport.write(announced + b"\0\0\0\1\0\0\0\1")
        await connection.wait_closed()

    async with websocket_server(handle) as url:
        received = await collect(url, until_closed(1))
    assert [type(event) for event in received] == [Opened, Closed]
    assert "more than 32 MiB" in str(received[-1])


@pytest.mark.parametrize(
    ("answered", "kept", "last"),
    [
        (True, False, Status(1, "me")),
        (False, False, Closed("The server no longer answers.")),
        (False, True, PingTimedOut()),
    ],
    ids=["pong", "dead", "busy"],
)
async def test_pings_keep_a_silent_connection_and_detect_a_dead_one(
    answered: bool, kept: bool, last: StreamEvent
) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        pings = 0
        async for message in connection:
            if message.type is WSMsgType.PING and answered:
                await connection.pong(message.data)
                pings += 1
            if pings == 3:
                await connection.send_str(STATUS)
        return connection

    async def keep_unanswered() -> bool:
        return kept

    async with serving({"GET /ws": handle}) as url:
        received = await collect(
            url,
            lambda received: received[-1] == last,
            {"ping_interval": 0.02, "ping_timeout": TIMEOUT if answered else 0.1},
            keep_unanswered=keep_unanswered,
        )
    assert received == [Opened(), last]


async def test_a_connection_to_a_busy_server_is_kept_and_still_receives() -> None:
    recovered = asyncio.Event()
    connections = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal connections
        connections += 1
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        await recovered.wait()
        await connection.send_str(STATUS)
        await connection.receive()
        return connection

    async def keep_unanswered() -> bool:
        recovered.set()
        return True

    async with serving({"GET /ws": handle}) as url:
        received = await collect(
            url,
            lambda received: received[-1] == Status(1, "me"),
            {"ping_interval": 0.02, "ping_timeout": 0.05},
            keep_unanswered=keep_unanswered,
        )
    assert received[:2] == [Opened(), PingTimedOut()]
    assert connections == 1


async def test_answered_pings_are_reported_without_any_frame() -> None:
    recovered = asyncio.Event()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        async for message in connection:
            if message.type is WSMsgType.PING and recovered.is_set():
                await connection.pong(message.data)
        return connection

    async def keep_unanswered() -> bool:
        recovered.set()
        return True

    async with serving({"GET /ws": handle}) as url:
        received = await collect(
            url,
            lambda received: PingRestored() in received,
            {"ping_interval": 0.02, "ping_timeout": 0.05},
            keep_unanswered=keep_unanswered,
        )
    # A pong that is late is reported, too.
    assert [event for event, _ in groupby(received)] == [Opened(), PingTimedOut(), PingRestored()]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, UpgradeRefused),
        (404, UpgradeRefused),
        (400, UpgradeRefused),
        (401, Unauthorized),
        (403, Unauthorized),
        (302, Unauthorized),
        (307, Unauthorized),
    ],
)
async def test_permanent_errors_are_raised(status: int, expected: type[ComfyError]) -> None:
    paths = []

    def refuse(_: ServerConnection, request: Request) -> Response:
        paths.append(request.path)
        headers = Headers({"Content-Type": "text/html", "Location": f"/login?next={SECRET}"})
        return Response(status, "No", headers, f"<html>{SECRET}</html>".encode())

    async with websocket_server(close_at_once, process_request=refuse) as url:
        with pytest.raises(expected) as caught:
            await collect(f"{url.replace('://', f'://me:{SECRET}@')}/?token={SECRET}", until_closed(1))
    assert len(paths) == 1
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_temporary_errors_are_retried(status: int) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(status, "wait")

    async with websocket_server(close_at_once, process_request=refuse) as url:
        closed = await first_closed(url)
    assert isinstance(closed.error, ServerError)
    assert closed.error.status == status
    assert str(status) in closed.reason


async def test_a_refused_connection_is_reported_as_such() -> None:
    closed = await first_closed(f"http://127.0.0.1:{await unused_port()}")
    assert isinstance(closed.error, Unreachable)
    assert closed.error.kind == "refused"


async def test_a_tunnel_whose_remote_end_is_down_is_retried() -> None:
    async with greeting_server(b"") as url:
        closed = await first_closed(url)
    assert isinstance(closed.error, Unreachable)
    assert closed.error.kind == "other"


async def test_another_protocol_is_not_comfyui() -> None:
    async with greeting_server(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        with pytest.raises(NotComfyUI):
            await collect(url, until_closed(1))


async def test_a_handshake_timeout_is_retried() -> None:
    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    async with websocket_server(close_at_once, process_request=hang, open_timeout=0.5) as url:
        closed = await first_closed(url, figures={"open": 0.05})
    assert isinstance(closed.error, TimedOut)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://127.0.0.1:1", "http://127.0.0.1:1"])
async def test_an_unusable_proxy_is_reported(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    closed = await first_closed("http://box.invalid:8188")
    assert isinstance(closed.error, Unreachable)


async def test_loopback_servers_are_reached_without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await unused_port()}")
    async with websocket_server(close_at_once) as url:
        received = await collect(url, until_closed(1))
    assert received[0] == Opened()


async def test_the_websocket_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quiet = logging.getLogger("tests.quiet")
    quiet.setLevel(logging.CRITICAL)
    async with websocket_server(close_at_once, logger=quiet) as url:
        await collect(f"{url.replace('://', f'://me:{SECRET}@')}/?token={SECRET}", until_closed(2))
    assert SECRET not in caplog.text
    assert "bWU6" not in caplog.text


async def test_leaving_the_stream_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        await connection.send(STATUS)
        try:
            while True:
                await connection.recv()
        except ConnectionClosed:
            gone.set()

    async with websocket_server(handle) as url:
        await collect(url, lambda received: Status(1, "me") in received)
        await asyncio.wait_for(gone.wait(), TIMEOUT)
