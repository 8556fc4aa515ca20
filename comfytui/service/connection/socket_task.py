"""The socket of one client id, held open: renewed when its frames go astray, tried again after it was given up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from comfytui.comfy.cancellation import run_to_completion
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, TimedOut, Unauthorized, UpgradeRefused
from comfytui.comfy.protocol.events import Event
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Lag, Opened, PingRestored, PingTimedOut
from comfytui.comfy.websocket.event_stream import stream_events

News = Event | Opened | Closed | PingTimedOut | PingRestored | Lag
"""What comes over a wire."""

PROBE_SECONDS = 7.0
"""Seconds to find out whether a server that answers no ping is busy: a little more than a connect may take."""
GIVEN_UP_PAUSE = 60.0
"""Seconds until a wire is tried again that no further try seemed to mend, while the server answers otherwise."""


class Wire:
    """`receive` gets the news, `given_up` why there is no point in trying on; `hopeful` says if there is one later.

    After each piece of news the next one is read when `room` returns; `left` is told when no more will come from a
    socket, also where it ends without a `Closed` because the wire is renewed or its task is cancelled.
    """

    def __init__(
        self,
        server: Server,
        client_id: str,
        receive: Callable[[str, News], None],
        room: Callable[[str], Awaitable[None]],
        left: Callable[[str], None],
        given_up: Callable[[ComfyError], None],
        hopeful: Callable[[], bool],
    ) -> None:
        self.client_id = client_id
        self._server = server
        self._receive = receive
        self._room = room
        self._left = left
        self._given_up = given_up
        self._hopeful = hopeful
        self._renewed = asyncio.Event()

    def renew(self) -> None:
        """Close the socket if it is open, and connect now."""
        self._renewed.set()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                await self._unless_renewed(self._read())
            except (Unauthorized, UpgradeRefused, NotComfyUI) as error:
                self._given_up(error)
                await self._unless_renewed(self._rest())

    async def _read(self) -> None:
        # Closed with the loop that made it, so that no socket outlives a fault or a newer one.
        stream = stream_events(
            self._server,
            self.client_id,
            keep_unanswered=self._is_busy,
            report_lag=lambda seconds: self._receive(self.client_id, Lag(seconds)),
        )
        async with aclosing(stream):
            try:
                async for news in stream:
                    self._receive(self.client_id, news)
                    await self._room(self.client_id)
            finally:
                self._left(self.client_id)

    async def _rest(self) -> None:
        await asyncio.sleep(GIVEN_UP_PAUSE)
        if not self._hopeful():
            await asyncio.Event().wait()

    async def _unless_renewed(self, work: Awaitable[None]) -> None:
        """Do something, and leave it when the wire is to be renewed."""
        working = asyncio.ensure_future(work)
        renewal = asyncio.ensure_future(self._renewed.wait())
        try:
            await asyncio.wait({working, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            self._renewed.clear()
            await run_to_completion(_ended(working, renewal))

    async def _is_busy(self) -> bool:
        """Whether the server takes a new connection and does not answer on it: it is held up, say by loading a model.

        One that answers holds our socket for dead; over one that takes no connection nothing comes anyway.
        """
        async with ComfyClient(self._server) as client:
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await client.queue_count()
            except (TimedOut, TimeoutError):
                return True
            except ComfyError:
                return False
        return False


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they are over."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
