import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
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
from comfytui.comfy.websocket import connecting
from comfytui.comfy.websocket.connection_events import Closed, Opened, PingRestored, PingTimedOut
from comfytui.comfy.websocket.event_stream import FIRST_DELAY, LONGEST_DELAY, Backoff, stream_events
from tests.comfy.stub_servers import serving, shouting, unused_port

SocketRecovered = Event | Opened | Closed | PingTimedOut | PingRestored
Talk = Callable[[ServerConnection], Awaitable[None]]
SECRET = "s3cret"
STATUS = json.dumps({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "me"}})


@asynccontextmanager
async def talking(talk: Talk, **options: Any) -> AsyncIterator[str]:
    """The URL of a server whose sockets run `talk` and close."""
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def silence(connection: ServerConnection) -> None:
    """Close at once."""


async def hear(
    url: str, until: Callable[[list[SocketRecovered]], bool], **options: Any
) -> tuple[list[SocketRecovered], list[float]]:
    """What the socket gave until it was enough, and the delays that it slept."""
    heard: list[SocketRecovered] = []
    delays: list[float] = []

    async def sleep(delay: float) -> None:
        delays.append(delay)

    stream = stream_events(Server.from_url(url), "me", sleep=sleep, **{"backoff": Backoff(lambda: 1.0)} | options)
    async with asyncio.timeout(20), aclosing(stream):
        async for event in stream:
            heard.append(event)
            if until(heard):
                break
    return heard, delays


def closings(count: int) -> Callable[[list[SocketRecovered]], bool]:
    return lambda heard: sum(isinstance(event, Closed) for event in heard) >= count


async def first_closing(url: str, **options: Any) -> Closed:
    heard, _ = await hear(url, closings(1), **options)
    closed = heard[-1]
    assert isinstance(closed, Closed)
    return closed


async def test_every_connection_says_hello_with_its_features_first() -> None:
    hellos, paths = [], []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)
        hellos.append(json.loads(await connection.recv()))
        await connection.send(STATUS)

    async with talking(talk) as url:
        heard, _ = await hear(f"{url}/prefix/?token=t", closings(2))
    assert hellos == [{"type": "feature_flags", "data": {"supports_preview_metadata": True}}] * 2
    assert paths == ["/prefix/ws?clientId=me&token=t"] * 2
    assert [type(event) for event in heard] == [Opened, Status, Closed] * 2


async def test_headers_go_along_and_no_origin() -> None:
    seen: list[Headers] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.headers)

    async with talking(talk) as url:
        server = Server.from_url(url.replace("://", "://me:pw@"), headers=[("X-API-Key", "k")])
        stream = stream_events(server, "me")
        async with aclosing(stream):
            await anext(stream)
            await anext(stream)
    assert seen[0]["X-API-Key"] == "k"
    assert seen[0]["Authorization"] == "Basic bWU6cHc="
    assert not {"origin", "sec-fetch-site"} & {name.lower() for name in seen[0]}


async def test_text_pictures_and_invalid_utf8_come_over_one_connection() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(b"\0\0\0\1\0\0\0\1" + b"j" * 3_000_000)
        await connection.send(b'{"type": "logs", "data": "\xff\xfe"}', text=True)
        await connection.send(STATUS)

    async with talking(talk) as url:
        heard, _ = await hear(url, closings(1))
    assert heard[1] == PreviewImage("jpeg", b"j" * 3_000_000)
    assert isinstance(heard[2], Unknown)
    assert heard[2].type == "logs"
    assert heard[3] == Status(1, "me")


async def test_a_server_that_accepts_and_closes_is_not_hammered() -> None:
    async with talking(silence) as url:
        heard, delays = await hear(url, closings(9))
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [event.retry_in for event in heard if isinstance(event, Closed)][:8] == delays


async def test_a_server_that_greets_and_closes_is_not_hammered() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(STATUS)

    async with talking(talk) as url:
        _, delays = await hear(url, closings(5))
    assert delays == [0.5, 1, 2, 4]


async def test_a_connection_that_lasted_starts_the_delays_anew() -> None:
    connections = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections == 4:
            await connection.send(STATUS)

    async with talking(talk) as url:
        _, delays = await hear(url, closings(7), stable_after=0.0)
    assert delays == [0.5, 1, 2, 0.5, 1, 2]


def test_delays_are_spread_over_their_whole_range() -> None:
    for chance in (0.0, 0.3, 1.0):
        backoff = Backoff(lambda chance=chance: chance)  # type: ignore[misc]
        delays = [backoff.next() for _ in range(50)]
        assert min(delays) >= FIRST_DELAY / 2
        assert delays[-1] == max(FIRST_DELAY / 2, chance * LONGEST_DELAY)


async def test_a_connection_that_dies_in_the_middle_is_told_and_replaced() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(STATUS)
        connection.transport.abort()

    async with talking(talk) as url:
        heard, _ = await hear(url, closings(2))
    assert [type(event) for event in heard] == [Opened, Status, Closed] * 2
    assert heard[-1] == Closed("The connection broke.", 1.0)


async def test_a_frame_of_200_mb_costs_the_connection_before_it_has_come() -> None:
    async def talk(connection: ServerConnection) -> None:
        announced = b"\x82\x7f" + (200 * 10**6).to_bytes(8, "big")  # a binary frame's head, with its length
        connection.transport.write(announced + b"\0\0\0\1\0\0\0\1")
        await connection.wait_closed()

    async with talking(talk) as url:
        heard, _ = await hear(url, closings(1))
    assert [type(event) for event in heard] == [Opened, Closed]
    assert "more than 32 MiB" in str(heard[-1])


@pytest.mark.parametrize(
    ("answered", "kept", "last"),
    [
        (True, False, Status(1, "me")),
        (False, False, Closed("The server no longer answers.", 0.5)),
        (False, True, PingTimedOut()),
    ],
    ids=["pong", "dead", "busy"],
)
async def test_pings_hold_a_silent_connection_and_find_a_dead_one(
    answered: bool, kept: bool, last: SocketRecovered
) -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
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

    async with serving({"GET /ws": talk}) as url:
        heard, _ = await hear(
            url, lambda heard: heard[-1] == last, ping_interval=0.02, ping_timeout=0.1, keep_unanswered=keep_unanswered
        )
    assert heard == [Opened(), last]


async def test_a_busy_connection_is_kept_and_brings_what_comes_later() -> None:
    busy = asyncio.Event()
    connections = 0

    async def talk(request: web.Request) -> web.StreamResponse:
        nonlocal connections
        connections += 1
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        await busy.wait()
        await connection.send_str(STATUS)
        await connection.receive()
        return connection

    async def keep_unanswered() -> bool:
        busy.set()
        return True

    async with serving({"GET /ws": talk}) as url:
        heard, _ = await hear(
            url,
            lambda heard: heard[-1] == Status(1, "me"),
            ping_interval=0.02,
            ping_timeout=0.05,
            keep_unanswered=keep_unanswered,
        )
    assert heard[:2] == [Opened(), PingTimedOut()]
    assert connections == 1


async def test_pings_that_are_answered_again_are_told_though_nothing_else_comes() -> None:
    held = asyncio.Event()

    async def talk(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        async for message in connection:
            if message.type is WSMsgType.PING and held.is_set():
                await connection.pong(message.data)
        return connection

    async def keep_unanswered() -> bool:
        held.set()
        return True

    async with serving({"GET /ws": talk}) as url:
        heard, _ = await hear(
            url,
            lambda heard: PingRestored() in heard,
            ping_interval=0.02,
            ping_timeout=0.05,
            keep_unanswered=keep_unanswered,
        )
    assert heard == [Opened(), PingTimedOut(), PingRestored()]


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
async def test_what_no_other_try_mends_is_raised(status: int, expected: type[ComfyError]) -> None:
    asked = []

    def refuse(_: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        headers = Headers({"Content-Type": "text/html", "Location": f"/login?next={SECRET}"})
        return Response(status, "No", headers, f"<html>{SECRET}</html>".encode())

    async with talking(silence, process_request=refuse) as url:
        with pytest.raises(expected) as caught:
            await hear(f"{url.replace('://', f'://me:{SECRET}@')}/?token={SECRET}", closings(1))
    assert len(asked) == 1
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_what_another_try_may_mend_is_tried_again(status: int) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(status, "wait")

    async with talking(silence, process_request=refuse) as url:
        closed = await first_closing(url)
    assert isinstance(closed.error, ServerError)
    assert closed.error.status == status
    assert str(status) in closed.reason


async def test_nothing_listening_is_told_as_refused() -> None:
    closed = await first_closing(f"http://127.0.0.1:{await unused_port()}")
    assert isinstance(closed.error, Unreachable)
    assert closed.error.kind == "refused"


async def test_a_tunnel_whose_far_end_is_down_is_tried_again() -> None:
    async with shouting(b"") as url:
        closed = await first_closing(url)
    assert isinstance(closed.error, Unreachable)
    assert closed.error.kind == "other"


async def test_a_port_that_speaks_something_else_is_not_comfyui() -> None:
    async with shouting(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        with pytest.raises(NotComfyUI):
            await hear(url, closings(1))


async def test_a_server_that_is_too_busy_to_shake_hands_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "OPEN_SECONDS", 0.05)

    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    async with talking(silence, process_request=hang, open_timeout=0.5) as url:
        closed = await first_closing(url)
    assert isinstance(closed.error, TimedOut)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://127.0.0.1:1", "http://127.0.0.1:1"])
async def test_a_proxy_that_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    closed = await first_closing("http://box.invalid:8188")
    assert isinstance(closed.error, Unreachable)


async def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await unused_port()}")
    async with talking(silence) as url:
        heard, _ = await hear(url, closings(1))
    assert heard[0] == Opened()


async def test_nothing_is_logged_of_what_goes_over_the_socket(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quiet = logging.getLogger("tests.quiet")
    quiet.setLevel(logging.CRITICAL)
    async with talking(silence, logger=quiet) as url:
        await hear(f"{url.replace('://', f'://me:{SECRET}@')}/?token={SECRET}", closings(2))
    assert SECRET not in caplog.text
    assert "bWU6" not in caplog.text


async def test_leaving_the_stream_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        await connection.send(STATUS)
        try:
            while True:
                await connection.recv()
        except ConnectionClosed:
            gone.set()

    async with talking(talk) as url:
        await hear(url, lambda heard: Status(1, "me") in heard)
        await asyncio.wait_for(gone.wait(), 10)
