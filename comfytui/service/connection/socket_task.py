"""Opens and closes the websocket of one client id, and applies the frames that count."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from comfytui.comfy.cancellation import run_to_completion
from comfytui.comfy.errors import NotComfyUI, Unauthorized, UpgradeRefused
from comfytui.comfy.protocol.events import Event, PreviewImage, Status
from comfytui.comfy.websocket.connection_events import Closed, Opened, PingRestored, PingTimedOut
from comfytui.service.backend import Backend
from comfytui.service.connection.driver import ConnectionDriver
from comfytui.service.connection.request_errors import request_error
from comfytui.session.connection.connection import Connection
from comfytui.session.connection.inputs import (
    FrameReceived,
    LagMeasured,
    PingsAnswered,
    PingsUnanswered,
    SocketClosed,
    SocketOpened,
)

Message = Event | Opened | PingTimedOut | PingRestored
"""What a socket brings until it closes."""

MAX_BUFFERED_FRAMES = 16
"""Frames buffered for one socket; while it has that many, it is not read for a while."""


class SocketTask:
    """The socket of one client id.

    Args:
        backend: The server.
        client_id: The client id.
        driver: Holds the state of the connection, and takes what the socket reports as inputs.
        apply: Receives the frames that count.
        show_preview: Receives the previews that count.
        announce: Receives the queue length of each `status` frame that is compared with the polls.
        verify_seconds: For how long a socket with many frames that do not count yet is not read.
    """

    def __init__(
        self,
        backend: Backend,
        client_id: str,
        driver: ConnectionDriver,
        apply: Callable[[Event], None],
        show_preview: Callable[[PreviewImage], None],
        announce: Callable[[int], None],
        verify_seconds: float,
    ) -> None:
        self.client_id = client_id
        self._backend = backend
        self._driver = driver
        self._apply = apply
        self._show_preview = show_preview
        self._announce = announce
        self._verify_seconds = verify_seconds
        self._to_open, self._to_close = asyncio.Event(), asyncio.Event()
        self._ended = False
        self._buffered: list[Event] | None = None  # None: frames are dropped
        self.is_alive: Callable[[], Awaitable[bool]] | None = None
        """Asks whether the server still answers on the socket that opened last."""

    def open(self) -> None:
        """Open a socket; the one before is closed."""
        self._buffered = []
        self._to_open.set()

    def close(self) -> None:
        """Close the socket, or give up opening it."""
        self._to_close.set()

    def end(self) -> None:
        """End `run`; no socket is open."""
        self._ended = True
        self._to_open.set()

    async def run(self) -> None:
        """Open sockets when that is wanted, until the `end`."""
        while await self._to_open.wait() and not self._ended:
            self._to_open.clear()
            closed = await self._until_closed()
            self.is_alive = None
            self._driver.take(closed)

    def drop_frames(self) -> None:
        """Drop the buffered frames, and those that follow until the next socket."""
        self._buffered = None

    def release_frames(self) -> None:
        """Apply the buffered frames, in their order, if they count now."""
        if self._counts(self._driver.connection):
            buffered, self._buffered = self._buffered, None
            for frame in buffered or ():
                self._receive_frame(frame)

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
        stream = self._backend.events(self.client_id, self._receive_lag)
        async with aclosing(stream):
            try:
                async for message in stream:
                    if isinstance(message, Closed):
                        break
                    self._receive(message)
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

    def _receive(self, message: Message) -> None:
        match message:
            case Opened(is_alive=is_alive):
                self.is_alive = is_alive
                self._driver.take(SocketOpened(self.client_id))
            case PingTimedOut(silent_seconds=silent):
                self._driver.take(PingsUnanswered(silent))
            case PingRestored():
                self._driver.take(PingsAnswered())
            case frame:
                self._receive_frame(frame)

    def _receive_lag(self, seconds: float) -> None:
        self._driver.take(LagMeasured(self.client_id, seconds))

    def _receive_frame(self, frame: Event) -> None:
        """Apply a frame if the server is verified since the socket opened; else buffer it, unless it is a large one."""
        self._driver.take(FrameReceived(self.client_id, frame))
        if not self._counts(self._driver.connection):
            if self._buffered is not None and not isinstance(frame, PreviewImage):
                self._buffered.append(frame)
        elif isinstance(frame, PreviewImage):
            self._show_preview(frame)
        else:
            self._apply(frame)
            if isinstance(frame, Status) and self._driver.connection.reports_queue(self.client_id):
                self._announce(frame.queue_remaining)

    def _counts(self, connection: Connection) -> bool:
        return connection.counts(self.client_id)

    async def _wait_for_space(self) -> None:
        """Wait until frames count if too many are buffered, but not for long: then they are dropped."""
        if self._buffered is None or len(self._buffered) < MAX_BUFFERED_FRAMES:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._verify_seconds):
                await self._driver.until(self._counts)
                return
        self.drop_frames()


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
