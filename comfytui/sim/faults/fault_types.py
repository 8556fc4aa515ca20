"""The kinds of faults: wrong or late responses, closed handshakes, and faulty frames."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FrameFilter = str | Callable[[str, Any], bool]
"""Selects frames by event name (`preview` for preview images, "" for all), or by a predicate of event and data."""
AddressedFrame = tuple[str | bytes, str | None]
"""A frame, and the client to send it to; None for all."""
FrameFaultKind = Literal["drop", "duplicate", "truncate", "postpone"]


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

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
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
