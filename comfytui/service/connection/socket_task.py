"""Holds the websocket of one client id open: renews it on request, and retries after it was given up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from comfytui.clock import Clock
from comfytui.comfy.cancellation import run_to_completion
from comfytui.comfy.errors import ComfyError, NotComfyUI, Unauthorized, UpgradeRefused
from comfytui.comfy.protocol.events import Event
from comfytui.comfy.websocket.connection_events import Closed, Lag, Opened, PingRestored, PingTimedOut
from comfytui.service.backend import Backend
from comfytui.timings import ConnectionTimings

SocketMessage = Event | Opened | Closed | PingTimedOut | PingRestored | Lag
"""What a socket reports: frames, and changes of the connection."""


class SocketTask:
    """The socket of one client id.

    Args:
        backend: The server.
        client_id: The client id.
        receive: Receives the client id and each message.
        wait_for_space: Awaited after each message, before the next one is read.
        on_ended: Called when a socket brings no more messages, also where it ends without a `Closed` because it is
            renewed or the task is cancelled.
        on_given_up: Receives the error after which retrying cannot help.
        may_retry: Returns whether a later try may help after all.
        timings: How long it waits after it was given up.
        clock: Waits for that.
    """

    def __init__(
        self,
        backend: Backend,
        client_id: str,
        receive: Callable[[str, SocketMessage], None],
        wait_for_space: Callable[[str], Awaitable[None]],
        on_ended: Callable[[str], None],
        on_given_up: Callable[[ComfyError], None],
        may_retry: Callable[[], bool],
        timings: ConnectionTimings,
        clock: Clock,
    ) -> None:
        self.client_id = client_id
        self._backend = backend
        self._receive = receive
        self._wait_for_space = wait_for_space
        self._on_ended = on_ended
        self._on_given_up = on_given_up
        self._may_retry = may_retry
        self._timings = timings
        self._clock = clock
        self._renewal = asyncio.Event()

    def renew(self) -> None:
        """Close the socket if it is open, and connect now."""
        self._renewal.set()

    async def run(self) -> None:
        """Read forever."""
        while True:
            try:
                await self._until_renewed(self._read())
            except (Unauthorized, UpgradeRefused, NotComfyUI) as error:
                self._on_given_up(error)
                await self._until_renewed(self._pause())

    async def _read(self) -> None:
        # Closed by the task that opened it, so that no socket outlives a crash or a newer socket.
        stream = self._backend.events(self.client_id, lambda seconds: self._receive(self.client_id, Lag(seconds)))
        async with aclosing(stream):
            try:
                async for message in stream:
                    self._receive(self.client_id, message)
                    await self._wait_for_space(self.client_id)
            finally:
                self._on_ended(self.client_id)

    async def _pause(self) -> None:
        """Wait for the next try, or forever if none can help."""
        await self._clock.sleep(self._timings.given_up_pause)
        if not self._may_retry():
            await asyncio.Event().wait()

    async def _until_renewed(self, work: Awaitable[None]) -> None:
        """Await some work, and cancel it when the socket is to be renewed."""
        working = asyncio.ensure_future(work)
        renewal = asyncio.ensure_future(self._renewal.wait())
        try:
            await asyncio.wait({working, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            self._renewal.clear()
            await run_to_completion(_cancel(working, renewal))


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
