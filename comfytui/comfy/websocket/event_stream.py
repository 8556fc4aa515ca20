"""The events of one connection as a stream, which ends with the connection."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from enum import Enum
from functools import partial

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import Close, CloseCode

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.answer_redaction import redacted_event
from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.comfy.limits import FRAME_LIMIT, MIB, TEXT_FRAME_LIMIT
from comfytui.comfy.protocol.decode import decode
from comfytui.comfy.protocol.events import Event
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.comfy.websocket import connecting
from comfytui.comfy.websocket.bounded_connection import REASON_PREFIX, BoundedConnection
from comfytui.comfy.websocket.connection_events import Closed, ConnectionEvent, Opened, PingRestored, PingTimedOut
from comfytui.comfy.websocket.lag import measure_lag
from comfytui.timings import DEFAULT, SocketTimings

FEATURE_FLAGS = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})


async def _no() -> bool:
    return False


class _Ping(Enum):
    ANSWERED = 1
    UNANSWERED = 2


class _PingTimeoutError(Exception):
    """A ping was not answered, and the connection was closed."""


async def stream_events(
    server: Server,
    client_id: str,
    *,
    keep_unanswered: Callable[[], Awaitable[bool]] = _no,
    timings: SocketTimings = DEFAULT.socket,
    clock: Clock = SYSTEM_CLOCK,
    report_lag: Callable[[float], None] = lambda _: None,
) -> AsyncGenerator[Event | ConnectionEvent, None]:
    """Connect as a client id, and yield what is received and how the connection fares; the last event is `Closed`.

    Args:
        server: The server to connect to.
        client_id: The client id to connect as.
        keep_unanswered: Called when a ping is not answered: whether to keep the connection all the same.
        timings: How long it waits for the server.
        clock: Measures the silence.
        report_lag: Called, while frames are received, with the seconds by which they are late.

    Raises:
        Unauthorized: If the server requires a login.
        UpgradeRefused: If it does not open a websocket.
        NotComfyUI: If it is something else. No retry mends any of these.
    """
    redactor = redactor_of(server)
    max_silence = timings.ping_interval + timings.ping_timeout + timings.open
    had_frames, unanswered, last_received = False, False, math.inf
    try:
        async with (
            connecting.open_connection(server, client_id, timings) as socket,
            measure_lag(socket, report_lag, timings, clock) as lag,
        ):
            assert isinstance(socket, BoundedConnection)
            # Flags are per connection: without them previews have no prompt id.
            with suppress(ConnectionClosed):  # Frames received before it closed are still to be read.
                await socket.send(FEATURE_FLAGS)
            yield Opened(partial(_is_alive, socket, timings.alive_timeout))
            last_received = clock.monotonic()
            while True:
                received = await _receive(socket, timings.ping_interval, timings.ping_timeout, ping_now=unanswered)
                if received is _Ping.UNANSWERED:
                    if await keep_unanswered():
                        unanswered = True
                        yield PingTimedOut(min(clock.monotonic() - last_received, max_silence))
                        continue
                    received = await _last_chance(socket, timings)
                was_unanswered, unanswered, last_received = unanswered, False, clock.monotonic()
                if isinstance(received, bytes):
                    had_frames = True
                    lag.frame_received()
                    event = redacted_event(redactor, decode(_text_or_bytes(received)))
                    # Hold neither in memory while waiting for the next one.
                    del received
                    yield event
                    del event
                    await socket.yield_to_loop()
                elif was_unanswered:
                    yield PingRestored()
    except (_PingTimeoutError, OSError, WebSocketException, ImportError, Unreachable) as error:
        reason, failure = _explain(server, error)
    silent = max(0.0, min(clock.monotonic() - last_received, max_silence))
    yield Closed(reason, failure, silent, had_frames=had_frames)


async def _last_chance(socket: BoundedConnection, timings: SocketTimings) -> bytes | _Ping:
    """Return what a last ping brings, since the server may have recovered meanwhile.

    Raises:
        _PingTimeoutError: If it brings nothing; the connection is closed then.
    """
    received = await _receive(
        socket, timings.ping_interval, min(timings.ping_timeout, timings.last_ping_timeout), ping_now=True
    )
    if received is _Ping.UNANSWERED:
        # Nobody would complete a closing handshake.
        socket.transport.abort()
        raise _PingTimeoutError
    return received


async def _receive(
    socket: BoundedConnection, ping_interval: float, ping_timeout: float, *, ping_now: bool
) -> bytes | _Ping:
    """Wait for the next frame, with a ping after each `ping_interval` of silence.

    Args:
        socket: The connection.
        ping_interval: Seconds of silence before a ping.
        ping_timeout: Seconds for its pong.
        ping_now: Whether to ping at once and return ANSWERED for a pong, which is otherwise only waited for.

    Returns:
        The frame, or UNANSWERED if a ping was not answered.
    """
    while True:
        try:
            async with asyncio.timeout(0 if ping_now else ping_interval):
                return await socket.next_message()
        except TimeoutError:
            pass
        try:
            answered = await _ping(socket, ping_timeout)
        except ConnectionClosed:
            # Frames received before it closed are still to be read.
            return await socket.next_message()
        if not answered:
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    return await socket.next_message()
            return _Ping.UNANSWERED
        if ping_now:
            return _Ping.ANSWERED


async def _ping(socket: BoundedConnection, seconds: float) -> bool:
    """Send a ping; return whether it is answered in time."""
    try:
        async with asyncio.timeout(seconds):
            await (await socket.ping())
    except TimeoutError:
        return False
    return True


async def _is_alive(socket: BoundedConnection, seconds: float) -> bool:
    """Return whether a connection is open and a ping on it is answered in time."""
    with suppress(ConnectionClosed):
        return await _ping(socket, seconds)
    return False


def _text_or_bytes(frame: bytes) -> str | bytes:
    """Return a text frame as str; binary ones begin with a small big-endian number, and so with a zero.

    The opcode is not available here; text may hold invalid UTF-8, which is replaced.
    """
    is_binary = frame.startswith(b"\0") or len(frame) > TEXT_FRAME_LIMIT
    return frame if is_binary else frame.decode("utf-8", "replace")


def _explain(server: Server, error: Exception) -> tuple[str, ComfyError | None]:
    """Return why a connection ended, and the error if it could not be opened; raises what no retry mends."""
    match error:
        case _PingTimeoutError():
            return "The server no longer answers.", None
        case ConnectionClosed():
            return _close_reason(error), None
        case Unreachable():
            failure: ComfyError = error
        case _:
            failure = connecting.connect_error(server, error)
    return str(failure), failure


def _close_reason(error: ConnectionClosed) -> str:
    match error.rcvd, error.sent:
        case _, Close(code=CloseCode.MESSAGE_TOO_BIG, reason=reason):
            too_big = f"{REASON_PREFIX} a frame of more than {FRAME_LIMIT // MIB} MiB."
            return reason if reason.startswith(REASON_PREFIX) else too_big
        case None, _:
            return "The connection broke."
    return "The server closed the connection."
