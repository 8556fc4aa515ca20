"""Opens and closes the websocket of one client id, and holds frames back that do not count yet."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from comfytui.comfy.cancellation import run_to_completion
from comfytui.comfy.errors import NotComfyUI, Unauthorized, UpgradeRefused
from comfytui.comfy.protocol.events import Event, PreviewImage
from comfytui.comfy.websocket.connection_events import Closed, Lag, Opened, PingRestored, PingTimedOut
from comfytui.service.backend import Backend
from comfytui.service.connection.request_errors import request_error
from comfytui.session.connection.inputs import SocketClosed

SocketMessage = Event | Opened | PingTimedOut | PingRestored | Lag
"""What a socket reports: frames, and changes of the connection."""

MAX_HELD_FRAMES = 16
"""Frames held for one socket; while it has that many, it is not read for a while."""


class SocketTask:
    """The socket of one client id.

    Args:
        backend: The server.
        client_id: The client id.
        receive: Receives the client id and each message.
        on_closed: Receives how each socket ended, also those that are closed on request.
        until_counted: Waits until the frames of this client id's socket count.
        verify_seconds: For how long a socket with many frames that do not count is not read.
    """

    def __init__(
        self,
        backend: Backend,
        client_id: str,
        receive: Callable[[str, SocketMessage], None],
        on_closed: Callable[[SocketClosed], None],
        until_counted: Callable[[str], Awaitable[None]],
        verify_seconds: float,
    ) -> None:
        self.client_id = client_id
        self._backend = backend
        self._receive = receive
        self._on_closed = on_closed
        self._until_counted = until_counted
        self._verify_seconds = verify_seconds
        self._to_open, self._to_close = asyncio.Event(), asyncio.Event()
        self._held: list[Event] | None = None  # None: frames are dropped
        self.is_alive: Callable[[], Awaitable[bool]] | None = None
        """Asks whether the server still answers on the socket that opened last."""

    def open(self) -> None:
        """Open a socket; the one before is closed."""
        self._held = []
        self._to_open.set()

    def close(self) -> None:
        """Close the socket, or give up opening it."""
        self._to_close.set()

    async def run(self) -> None:
        """Open sockets when that is wanted, forever."""
        while True:
            await self._to_open.wait()
            self._to_open.clear()
            closed = await self._until_closed()
            self.is_alive = None
            self._on_closed(closed)

    def hold(self, frame: Event) -> None:
        """Keep a frame that does not count yet, unless it is a preview, which is large."""
        if self._held is not None and not isinstance(frame, PreviewImage):
            self._held.append(frame)

    def drop_held(self) -> None:
        """Drop the frames that were held, and those that follow until the next socket."""
        self._held = None

    def take_held(self) -> list[Event]:
        """Return the frames that were held, in their order."""
        held, self._held = self._held, None
        return held or []

    async def _until_closed(self) -> SocketClosed:
        """Read a socket until it ends, or is to be closed."""
        reading = asyncio.ensure_future(self._read())
        closing = asyncio.ensure_future(self._to_close.wait())
        try:
            await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else SocketClosed(self.client_id)
        finally:
            # Closed before a newer one is opened.
            await run_to_completion(_cancel(reading, closing))
            self._to_close.clear()

    async def _read(self) -> SocketClosed:
        # Closed by the task that opened it, so that no socket outlives a crash.
        stream = self._backend.events(self.client_id, lambda seconds: self._receive(self.client_id, Lag(seconds)))
        async with aclosing(stream):
            try:
                async for message in stream:
                    if isinstance(message, Closed):
                        break
                    if isinstance(message, Opened):
                        self.is_alive = message.is_alive
                    self._receive(self.client_id, message)
                    await self._wait_for_space()
            except (Unauthorized, UpgradeRefused, NotComfyUI) as error:
                return SocketClosed(self.client_id, str(error), request_error(error))
        assert isinstance(message, Closed)
        return SocketClosed(
            self.client_id,
            message.reason,
            request_error(message.error) if message.error else None,
            message.silent_seconds,
            message.had_frames,
            random.random(),
        )

    async def _wait_for_space(self) -> None:
        """Wait until frames count if too many are held, but not for long: then they are dropped."""
        if self._held is None or len(self._held) < MAX_HELD_FRAMES:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._verify_seconds):
                await self._until_counted(self.client_id)
                return
        self.drop_held()


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
