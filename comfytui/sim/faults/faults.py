"""What goes wrong on the simulated server: set and ended at run time, by tests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from comfytui.sim.faults.tcp_faults import ConnectionManager

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
When = str | Callable[[str, Any], bool]
"""Frames: the name of an event (`preview` for pictures), or a test of event and data."""
Sent = tuple[str | bytes, str | None]
"""A frame, and the client that it is for, None for all."""
Disorder = Literal["drop", "duplicate", "truncate", "postpone"]

UPGRADE_REFUSED = 'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".'


@dataclass(eq=False, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong `times` times, or until it is ended; also as a context."""

    times: int | None = None
    hits: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def active(self) -> bool:
        """Whether it strikes again."""
        return not self.over.is_set() and (self.times is None or self.hits < self.times)

    def end(self) -> None:
        """Let it strike no more, and let go what it holds."""
        self.over.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


@dataclass(eq=False, slots=True, kw_only=True)
class AnswerFault(Fault):
    """A wrong or a late answer to the requests below a path."""

    path: str
    method: str
    status: int | None = None
    """What is answered instead, None for the right answer."""
    text: str | None = None
    seconds: float | None = 0.0
    """How late it is; None holds it until the fault ends."""
    lands: bool = False
    """Whether the request is worked on at once, and the answer alone is wrong or late."""

    def concerns(self, request: web.Request) -> bool:
        """Return whether a request is struck; the prefix `/api` makes no difference."""
        path = request.path.removeprefix("/api")
        return self.active and self.method in {"", request.method} and path.startswith(self.path)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request that is struck."""
        if not self.lands or "Upgrade" in request.headers:
            if request.content_type == "application/json":
                await request.read()  # It has come whole: its work is done also when the client goes away meanwhile.
            await self._wait()
            return await handler(request) if self.status is None else self._wrong()
        right = await handler(request)
        await self._wait()
        return right if self.status is None else self._wrong()

    async def _wait(self) -> None:
        if self.seconds is None:
            await self.over.wait()
        else:
            await asyncio.sleep(self.seconds)

    def _wrong(self) -> web.Response:
        assert self.status is not None
        phrase = f"{self.status}: {HTTPStatus(self.status).phrase}"
        return web.Response(status=self.status, text=phrase if self.text is None else self.text)


@dataclass(eq=False, slots=True, kw_only=True)
class HandshakeFault(Fault):
    """Websockets that are accepted and closed."""

    greeted: bool
    code: int | None


@dataclass(eq=False, slots=True, kw_only=True)
class FrameFault(Fault):
    """Frames that do not come as they were sent."""

    kind: Disorder
    when: When

    def concerns(self, event: str, data: Any) -> bool:
        """Return whether a frame is struck."""
        return self.active and (self.when in {"", event} if isinstance(self.when, str) else self.when(event, data))


F = TypeVar("F", bound=Fault)


class Faults:
    """All that goes wrong just now; without any, the server is in health."""

    def __init__(self) -> None:
        self.lines = ConnectionManager()
        self._answers: list[AnswerFault] = []
        self._doors: list[HandshakeFault] = []
        self._frames: list[FrameFault] = []
        self._late: list[Sent] = []

    def fail(
        self, status: int = 500, path: str = "", *, method: str = "", times: int | None = None, lands: bool = False
    ) -> AnswerFault:
        """Answer with an error; `lands` does the work before, as behind a proxy that loses its server."""
        fault = AnswerFault(path=_bare(path), method=method, times=times, status=status, lands=lands)
        self._answers.append(fault)
        return fault

    def delay(
        self, seconds: float, path: str = "", *, method: str = "", times: int | None = None, lands: bool = False
    ) -> AnswerFault:
        """Answer late by so many seconds; `lands` does the work at once."""
        fault = AnswerFault(path=_bare(path), method=method, times=times, seconds=seconds, lands=lands)
        self._answers.append(fault)
        return fault

    def hold_answers(
        self, path: str = "", *, method: str = "", times: int | None = None, lands: bool = False
    ) -> AnswerFault:
        """Answer when the fault ends; `lands` does the work at once."""
        fault = AnswerFault(path=_bare(path), method=method, times=times, seconds=None, lands=lands)
        self._answers.append(fault)
        return fault

    def refuse_sockets(self, status: int = 400, *, times: int | None = None) -> AnswerFault:
        """Refuse websockets as behind a proxy that strips the upgrade (400), or that knows no such path (404)."""
        text = UPGRADE_REFUSED if status == 400 else None
        fault = AnswerFault(path="/ws", method="", times=times, status=status, text=text)
        self._answers.append(fault)
        return fault

    def close_sockets(
        self, *, greeted: bool = False, code: int | None = 1001, times: int | None = None
    ) -> HandshakeFault:
        """Accept websockets and close them, after the first `status` if `greeted`; code None cuts without a word."""
        fault = HandshakeFault(times=times, greeted=greeted, code=code)
        self._doors.append(fault)
        return fault

    def drop(self, when: When = "", *, times: int | None = None) -> FrameFault:
        """Never send these frames."""
        return self._disorder("drop", when, times)

    def duplicate(self, when: When = "", *, times: int | None = None) -> FrameFault:
        """Send these frames twice."""
        return self._disorder("duplicate", when, times)

    def truncate(self, when: When = "", *, times: int | None = None) -> FrameFault:
        """Send the first half of these frames."""
        return self._disorder("truncate", when, times)

    def postpone(self, when: When = "", *, times: int | None = None) -> FrameFault:
        """Send each of these frames after the one that follows it, whenever that comes."""
        return self._disorder("postpone", when, times)

    def hold_loop(self) -> None:
        """Let the loop stand still: connections are taken, but nothing is answered, not even a ping."""
        self.lines.hold()

    def release_loop(self) -> None:
        """Let the loop go on."""
        self.lines.release()

    def clear(self) -> None:
        """End every fault."""
        for fault in (*self._answers, *self._doors, *self._frames):
            fault.end()
        self._answers, self._doors, self._frames = [], [], []
        self.release_loop()

    def at_the_door(self) -> HandshakeFault | None:
        """Return what happens to a websocket that was just accepted."""
        return _strike(fault for fault in self._doors if fault.active)

    def disturbed(self, event: str, data: Any, sent: Sent) -> list[Sent]:
        """Return what is sent in the place of a frame."""
        frame, target = sent
        late, self._late = self._late, []
        fault = _strike(
            fault for fault in self._frames if fault.concerns(event, data) and not (late and fault.kind == "postpone")
        )
        match fault.kind if fault is not None else None:
            case "drop":
                self._late = late
                return []
            case "duplicate":
                return [sent, sent, *late]
            case "truncate":
                return [(frame[: len(frame) // 2], target), *late]
            case "postpone":
                self._late = [sent]
                return []
        return [sent, *late]

    def forget_late(self) -> None:
        """Never send what is postponed just now."""
        self._late = []

    def middleware(self) -> Middleware:
        """Make the middleware that gives the wrong answers."""

        @web.middleware
        async def disturb(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = _strike(fault for fault in self._answers if fault.concerns(request))
            return await handler(request) if fault is None else await fault.answer(request, handler)

        return disturb

    def _disorder(self, kind: Disorder, when: When, times: int | None) -> FrameFault:
        fault = FrameFault(kind=kind, when=when, times=times)
        self._frames.append(fault)
        return fault


def _strike(faults: Iterable[F]) -> F | None:
    """Return the first of these faults, having counted it."""
    for fault in faults:
        fault.hits += 1
        return fault
    return None


def _bare(path: str) -> str:
    return path.removeprefix("/api")
