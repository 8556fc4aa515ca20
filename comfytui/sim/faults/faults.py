"""Fault injection for the simulated server: tests add and end faults while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from comfytui.sim.faults.tcp_faults import TcpConnections

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FrameFilter = str | Callable[[str, Any], bool]
"""Selects frames by event name (`preview` for preview images, "" for all), or by a predicate of event and data."""
AddressedFrame = tuple[str | bytes, str | None]
"""A frame, and the client to send it to; None for all."""
FrameFaultKind = Literal["drop", "duplicate", "truncate", "postpone"]

UPGRADE_REFUSED = 'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".'


@dataclass(eq=False, slots=True, kw_only=True)
class Fault:
    """A fault that applies `times` times, or until it is ended; as a context manager it ends on exit."""

    times: int | None = None
    hits: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def active(self) -> bool:
        """Whether the fault still applies."""
        return not self.ended.is_set() and (self.times is None or self.hits < self.times)

    def end(self) -> None:
        """End the fault, and release the responses that it holds."""
        self.ended.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


@dataclass(eq=False, slots=True, kw_only=True)
class ResponseFault(Fault):
    """A wrong or late response to requests whose path starts with `path`."""

    path: str
    method: str
    status: int | None = None
    """Status of the wrong response; None for the right response."""
    text: str | None = None
    seconds: float | None = 0.0
    """Delay of the response in seconds; None holds it until the fault ends."""
    processed: bool = False
    """Whether the request is processed at once, and only its response is wrong or late."""

    def matches(self, request: web.Request) -> bool:
        """Return whether the fault applies to a request; the prefix `/api` is ignored."""
        path = request.path.removeprefix("/api")
        return self.active and self.method in {"", request.method} and path.startswith(self.path)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Respond to a request that the fault applies to."""
        if not self.processed or "Upgrade" in request.headers:
            if request.content_type == "application/json":
                await request.read()  # With its body read, it is processed even if the client disconnects meanwhile.
            await self._wait()
            return await handler(request) if self.status is None else self._wrong_response()
        right = await handler(request)
        await self._wait()
        return right if self.status is None else self._wrong_response()

    async def _wait(self) -> None:
        if self.seconds is None:
            await self.ended.wait()
        else:
            await asyncio.sleep(self.seconds)

    def _wrong_response(self) -> web.Response:
        assert self.status is not None
        phrase = f"{self.status}: {HTTPStatus(self.status).phrase}"
        return web.Response(status=self.status, text=phrase if self.text is None else self.text)


@dataclass(eq=False, slots=True, kw_only=True)
class HandshakeFault(Fault):
    """WebSockets that are accepted and then closed."""

    greeted: bool
    """Whether the first `status` is sent before."""
    code: int | None
    """The close code; None resets the connection."""


@dataclass(eq=False, slots=True, kw_only=True)
class FrameFault(Fault):
    """Frames that are lost, duplicated, truncated or sent out of order."""

    kind: FrameFaultKind
    when: FrameFilter

    def matches(self, event: str, data: Any) -> bool:
        """Return whether the fault applies to a frame."""
        return self.active and (self.when in {"", event} if isinstance(self.when, str) else self.when(event, data))


F = TypeVar("F", bound=Fault)


class Faults:
    """The active faults of a server."""

    def __init__(self) -> None:
        self.connections = TcpConnections()
        self._response_faults: list[ResponseFault] = []
        self._handshake_faults: list[HandshakeFault] = []
        self._frame_faults: list[FrameFault] = []
        self._postponed: list[AddressedFrame] = []

    def fail(
        self, status: int = 500, path: str = "", *, method: str = "", times: int | None = None, processed: bool = False
    ) -> ResponseFault:
        """Respond with an error status.

        Args:
            status: HTTP status of the response.
            path: Prefix of the affected paths, with or without `/api`.
            method: Affected HTTP method; all if empty.
            times: Number of affected requests; None for no limit.
            processed: Process the request before, as behind a proxy that loses its server.
        """
        fault = ResponseFault(
            path=_without_prefix(path), method=method, times=times, status=status, processed=processed
        )
        self._response_faults.append(fault)
        return fault

    def delay(
        self, seconds: float, path: str = "", *, method: str = "", times: int | None = None, processed: bool = False
    ) -> ResponseFault:
        """Respond `seconds` late; `processed` processes the request at once."""
        fault = ResponseFault(
            path=_without_prefix(path), method=method, times=times, seconds=seconds, processed=processed
        )
        self._response_faults.append(fault)
        return fault

    def hold_responses(
        self, path: str = "", *, method: str = "", times: int | None = None, processed: bool = False
    ) -> ResponseFault:
        """Respond only when the fault ends; `processed` processes the request at once."""
        fault = ResponseFault(path=_without_prefix(path), method=method, times=times, seconds=None, processed=processed)
        self._response_faults.append(fault)
        return fault

    def refuse_sockets(self, status: int = 400, *, times: int | None = None) -> ResponseFault:
        """Refuse WebSockets, as a proxy that strips the upgrade (400) or does not know the path (404)."""
        text = UPGRADE_REFUSED if status == 400 else None
        fault = ResponseFault(path="/ws", method="", times=times, status=status, text=text)
        self._response_faults.append(fault)
        return fault

    def close_sockets(
        self, *, greeted: bool = False, code: int | None = 1001, times: int | None = None
    ) -> HandshakeFault:
        """Accept WebSockets and close them, after the first `status` if `greeted`; code None resets the connection."""
        fault = HandshakeFault(times=times, greeted=greeted, code=code)
        self._handshake_faults.append(fault)
        return fault

    def drop(self, when: FrameFilter = "", *, times: int | None = None) -> FrameFault:
        """Never send these frames."""
        return self._add_frame_fault("drop", when, times)

    def duplicate(self, when: FrameFilter = "", *, times: int | None = None) -> FrameFault:
        """Send these frames twice."""
        return self._add_frame_fault("duplicate", when, times)

    def truncate(self, when: FrameFilter = "", *, times: int | None = None) -> FrameFault:
        """Send the first half of these frames."""
        return self._add_frame_fault("truncate", when, times)

    def postpone(self, when: FrameFilter = "", *, times: int | None = None) -> FrameFault:
        """Send each of these frames after the one that follows it, whenever that comes."""
        return self._add_frame_fault("postpone", when, times)

    def hold_loop(self) -> None:
        """Simulate a blocked event loop: connections are accepted, but nothing is answered, not even a ping."""
        self.connections.hold()

    def release_loop(self) -> None:
        """Unblock the event loop."""
        self.connections.release()

    def clear(self) -> None:
        """End every fault."""
        for fault in (*self._response_faults, *self._handshake_faults, *self._frame_faults):
            fault.end()
        self._response_faults, self._handshake_faults, self._frame_faults = [], [], []
        self.release_loop()

    def handshake_fault(self) -> HandshakeFault | None:
        """Return the fault for a WebSocket that was just accepted, if any."""
        return _take_first(fault for fault in self._handshake_faults if fault.active)

    def outgoing(self, event: str, data: Any, sent: AddressedFrame) -> list[AddressedFrame]:
        """Return the frames to send in place of a frame."""
        frame, target = sent
        late, self._postponed = self._postponed, []
        fault = _take_first(
            fault
            for fault in self._frame_faults
            if fault.matches(event, data) and not (late and fault.kind == "postpone")
        )
        match fault.kind if fault is not None else None:
            case "drop":
                self._postponed = late
                return []
            case "duplicate":
                return [sent, sent, *late]
            case "truncate":
                return [(frame[: len(frame) // 2], target), *late]
            case "postpone":
                self._postponed = [sent]
                return []
        return [sent, *late]

    def discard_postponed(self) -> None:
        """Drop the postponed frame."""
        self._postponed = []

    def middleware(self) -> Middleware:
        """Return the middleware that applies the response faults."""

        @web.middleware
        async def apply_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = _take_first(fault for fault in self._response_faults if fault.matches(request))
            return await handler(request) if fault is None else await fault.answer(request, handler)

        return apply_faults

    def _add_frame_fault(self, kind: FrameFaultKind, when: FrameFilter, times: int | None) -> FrameFault:
        fault = FrameFault(kind=kind, when=when, times=times)
        self._frame_faults.append(fault)
        return fault


def _take_first(faults: Iterable[F]) -> F | None:
    """Return the first of these faults, and count the hit."""
    for fault in faults:
        fault.hits += 1
        return fault
    return None


def _without_prefix(path: str) -> str:
    return path.removeprefix("/api")
