"""The socket of one client_id as one endless stream of events, over as many connections as it takes."""

import asyncio
import json
import logging
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    ProxyError,
    WebSocketException,
)
from websockets.frames import Close, CloseCode

from comfytui.comfy.connection_errors import bad_proxy, not_comfyui, refused_entry, unreachable, upgrade_refused
from comfytui.comfy.errors import ComfyError, ServerError, TimedOut, Unreachable
from comfytui.comfy.limits import FRAME_LIMIT, MIB, TEXT_FRAME_LIMIT
from comfytui.comfy.protocol.decode import decode
from comfytui.comfy.protocol.events import Event
from comfytui.comfy.proxies import proxy_of
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.bounded_connection import REFUSED, BoundedConnection
from comfytui.comfy.websocket.lag import measuring

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between connects: doubled after each that did not last, then spread evenly below (full jitter)."""
STEADY_SECONDS = 5.0
"""Seconds after which a connection that brought frames has lasted: a server may greet each one and close it."""
OPEN_SECONDS = 10.0
"""Seconds from the connect to the end of the handshake."""
CLOSE_SECONDS = 0.5
"""Seconds for the farewell; a server that goes on sending instead keeps the user waiting at the end."""
PING_SECONDS, PONG_SECONDS = 3.0, 8.0
"""Seconds of silence before a ping, and until its answer is missed; some proxies cut a socket idle for 5 s."""
WOKEN_SECONDS = 1.0
"""Seconds for a last ping, after which a connection that was not answered on is given up."""
STILL_SECONDS = 3.0
"""Seconds for the answer to a ping that is to show that the server's process is still the same one."""
_LOGIN = frozenset({401, 403, 407, *range(300, 400)})
"""Statuses that ask for a login; a redirect leads to one."""
_PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that another try may mend."""
_SILENT = logging.getLogger("comfytui.websocket")
_SILENT.disabled = True  # What it would log holds the URL, and so perhaps a token.
HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})


async def _dead() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection stands; `answers` asks whether the server still answers a ping on this very connection."""

    answers: Callable[[], Awaitable[bool]] = field(default=_dead, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Closed:
    """A connection ended or could not be made (`error`); the next try comes in `retry_in` seconds.

    It brought nothing for `silent` seconds before.
    """

    reason: str
    retry_in: float
    error: ComfyError | None = None
    silent: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class PingTimedOut:
    """Not even a ping was answered for `silent` seconds, yet it is worth keeping: the server is only busy."""

    silent: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class PingRestored:
    """Pings are answered again."""


@dataclass(slots=True)
class Backoff:
    """Growing delays with full jitter; `chance` gives 0 to 1."""

    chance: Callable[[], float] = random.random
    failures: int = 0

    def reset(self) -> None:
        """Begin anew: a connection lasted."""
        self.failures = 0

    def next(self) -> float:
        """Seconds until the next try."""
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.failures, 10))
        self.failures += 1
        return float(max(FIRST_DELAY / 2, self.chance() * longest))


async def events(
    server: Server,
    client_id: str,
    *,
    worth_keeping: Callable[[], Awaitable[bool]] = _dead,
    backoff: Backoff | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ping: float = PING_SECONDS,
    pong: float = PONG_SECONDS,
    steady: float = STEADY_SECONDS,
    lag: Callable[[float], None] = lambda _: None,
) -> AsyncGenerator[Event | Opened | Closed | PingTimedOut | PingRestored, None]:
    """Every event of the socket, and its openings and closings, for ever.

    A connection that does not answer a ping is closed before the next one opens, unless it is `worth_keeping`. `lag` is
    called, while frames come, with the seconds that they are behind.
    Raises Unauthorized, UpgradeRefused or NotComfyUI, since no further try would help.
    """
    backoff, redactor = backoff or Backoff(), redactor_of(server)
    clock = asyncio.get_running_loop().time
    longest = ping + pong + OPEN_SECONDS
    while True:
        lasts_from, unheard, heard = math.inf, False, math.inf
        try:
            async with _connection(server, client_id) as socket, measuring(socket, lag) as meter:
                assert isinstance(socket, BoundedConnection)
                # Flags are per socket: without them previews come without the prompt that they belong to.
                with suppress(ConnectionClosed):  # What came before the end is still to be read.
                    await socket.send(HELLO)
                yield Opened(partial(_still_answers, socket))
                opened = heard = clock()
                while True:
                    got = await _next(socket, ping, pong, unheard=unheard)
                    if got is False:
                        if await worth_keeping():
                            unheard = True
                            yield PingTimedOut(min(clock() - heard, longest))
                            continue
                        # It may have woken up while that was found out.
                        got = await _next(socket, ping, min(pong, WOKEN_SECONDS), unheard=True)
                    if got is False:
                        # Nobody is there to shake hands on its end.
                        socket.transport.abort()
                        raise _NoAnswerError
                    was_unheard, unheard, heard = unheard, False, clock()
                    if got is not True:
                        lasts_from = opened + steady
                        meter.heard()
                        frame = _as_text_or_binary(got)
                        event = redactor.event(decode(frame))
                        # While the next one is waited for, neither is to stand in memory.
                        del got, frame
                        yield event
                        del event
                        await socket.let_others_run()
                    elif was_unheard:
                        yield PingRestored()
        except _NoAnswerError:
            fault, reason = None, "The server no longer answers."
        except ConnectionClosed as error:
            fault, reason = None, _spoken(error)
        except (OSError, WebSocketException, ImportError, Unreachable) as error:
            fault = error if isinstance(error, Unreachable) else _fault(server, error)
            reason = str(fault)
        if clock() >= lasts_from:
            backoff.reset()
        delay = backoff.next()
        yield Closed(reason, delay, fault, max(0.0, min(clock() - heard, longest)))
        await sleep(delay)


class _NoAnswerError(Exception):
    """A ping was not answered."""


class _Connect(connect):
    """A connect that follows no redirect: it leads to a login, and our headers are for this server alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport = self.connection.transport
        try:
            # The library's own limit begins after what is still to be written, which a server need not read.
            async with asyncio.timeout(CLOSE_SECONDS):
                await super().__aexit__(kind, exc, trace)
        except TimeoutError:
            pass
        finally:
            # A farewell that is itself cancelled (a reconnect, and at once the end) would leave the socket open.
            transport.abort()


async def _next(socket: BoundedConnection, ping: float, pong: float, *, unheard: bool) -> bytes | bool:
    """The next frame, with a ping after each `ping` seconds of silence; False when none was answered within `pong`.

    One that is `unheard` is asked at once, and True says that it answers again.
    """
    while True:
        try:
            async with asyncio.timeout(0 if unheard else ping):
                return await socket.next_message()
        except TimeoutError:
            pass
        try:
            answered = await _answers(socket, pong)
        except ConnectionClosed:
            # The reader has what came before.
            return await socket.next_message()
        if not answered:
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    return await socket.next_message()
        if unheard or not answered:
            return answered


async def _answers(socket: BoundedConnection, pong: float) -> bool:
    """Whether a ping is answered in time."""
    try:
        async with asyncio.timeout(pong):
            await (await socket.ping())
    except TimeoutError:
        return False
    return True


async def _still_answers(socket: BoundedConnection) -> bool:
    """Whether a connection is open, and a ping on it is answered in time."""
    with suppress(ConnectionClosed):
        return await _answers(socket, STILL_SECONDS)
    return False


def _connection(server: Server, client_id: str) -> connect:
    return _Connect(
        server.ws_url(client_id),
        additional_headers=dict(server.headers) | dict(server.cookie_for(server.http_url("/ws"))),
        user_agent_header="comfytui",
        ssl=server.tls,
        proxy=proxy_of(server),
        open_timeout=OPEN_SECONDS,
        close_timeout=CLOSE_SECONDS,
        ping_interval=None,
        max_size=FRAME_LIMIT,
        create_connection=BoundedConnection,
        logger=_SILENT,
    )


def _as_text_or_binary(frame: bytes) -> str | bytes:
    """A binary frame begins with a small big-endian number, so with a zero; text may hold invalid UTF-8."""
    binary = frame.startswith(b"\0") or len(frame) > TEXT_FRAME_LIMIT
    return frame if binary else frame.decode("utf-8", "replace")


def _spoken(error: ConnectionClosed) -> str:
    """Why a connection ended, in words."""
    match error.rcvd, error.sent:
        case _, Close(code=CloseCode.MESSAGE_TOO_BIG, reason=reason):
            too_big = f"{REFUSED} a frame of more than {FRAME_LIMIT // MIB} MiB."
            return reason if reason.startswith(REFUSED) else too_big
        case None, _:
            return "The connection broke."
    return "The server closed the connection."


def _fault(server: Server, error: Exception) -> ComfyError:
    """Why there is no connection; raises what no further try would mend."""
    match error:
        case ProxyError() | InvalidProxy() | ImportError():
            return bad_proxy(server)
        case InvalidStatus(response=response) if response.status_code in _LOGIN:
            raise refused_entry(server, response.status_code) from None
        case InvalidStatus(response=response) if response.status_code >= 500 or response.status_code in _PASSING:
            status = response.status_code
            return ServerError(f"{server.shown} answered with status {status}: is ComfyUI running there?", status)
        case InvalidMessage(__cause__=EOFError() | OSError()):
            # A forwarded port whose far end is down looks like this.
            return Unreachable(f"{server.shown} closes the connection at once: is ComfyUI running there?")
        case InvalidMessage():
            raise not_comfyui(server) from None
        case InvalidHandshake():
            answered = error.response.status_code if isinstance(error, InvalidStatus) else None
            raise upgrade_refused(server, answered) from None
        case TimeoutError():
            return TimedOut(f"{server.shown} did not answer: it may be busy, or the connection is broken.")
        case _:
            return unreachable(server, error, proxied=proxy_of(server) is not None)
