"""Fault injection for the simulated server: tests add and end faults while it runs."""

from collections.abc import Iterable
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from comfytui.sim.faults.fault_types import (
    AddressedFrame,
    Fault,
    FrameFault,
    FrameFaultKind,
    FrameFilter,
    Handler,
    HandshakeFault,
    ResponseFault,
)
from comfytui.sim.faults.tcp_faults import TcpConnections

UPGRADE_REFUSED = 'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".'

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

    def block_loop(self) -> None:
        """Simulate a blocked event loop: connections are accepted, but nothing is answered, not even a ping."""
        self.connections.pause()

    def unblock_loop(self) -> None:
        """Unblock the event loop."""
        self.connections.resume()

    def clear(self) -> None:
        """End every fault."""
        for fault in (*self._response_faults, *self._handshake_faults, *self._frame_faults):
            fault.end()
        self._response_faults, self._handshake_faults, self._frame_faults = [], [], []
        self.unblock_loop()

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
            return await handler(request) if fault is None else await fault.respond(request, handler)

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
