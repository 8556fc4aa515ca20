"""Frames of a socket that opened before the server showed, since then, which one it is: they wait, or are dropped."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from comfytui.comfy.protocol.events import Event, PreviewImage
from comfytui.service.connection.identity import IdentityCheck

MOST_FRAMES = 16
"""Frames of a socket that are held; what comes then stays unread for a while."""
PROOF_SECONDS = 2.0
"""Seconds that it stays unread: a client that does not read holds up all others."""

NEVER = sys.maxsize
"""The number of a socket whose frames never count."""


class EarlyFrames:
    """`receive` gets the frames, in their order, once they count; a socket that closes before takes its own along."""

    def __init__(self, door: IdentityCheck, receive: Callable[[str, Event], None]) -> None:
        self._door = door
        self._receive = receive
        self._sockets: dict[str, int] = {}
        self._frames: dict[str, list[Event] | None] = {}  # None: no longer waited for, so dropped

    def opened(self, client_id: str) -> None:
        """A socket opened: its frames wait for the proof."""
        self._sockets[client_id] = self._door.socket_opened()
        self._frames[client_id] = []

    def closed(self, client_id: str) -> None:
        """It closed, and nothing it said was proven."""
        self._frames.pop(client_id, None)

    def drop(self) -> None:
        """All sockets are given up: what one said that is not proven never counts, nor what it says until it closes."""
        for client_id in [each for each in self._sockets if not self._proven(each)]:
            self._sockets[client_id] = NEVER
            self._frames.pop(client_id, None)

    def hold(self, client_id: str, frame: Event) -> bool:
        """Keep a frame that does not count yet, unless it is a preview, which is large; whether it does not count."""
        if self._proven(client_id):
            return False
        if (held := self._frames.get(client_id)) is not None and not isinstance(frame, PreviewImage):
            held.append(frame)
        return True

    async def room(self, client_id: str) -> None:
        """Wait a while where too many are held already."""
        held = self._frames.get(client_id)
        if held is None or len(held) < MOST_FRAMES:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PROOF_SECONDS):
                await self._door.proven(self._sockets[client_id])
        if not self._proven(client_id):
            self._frames[client_id] = None

    def release(self) -> None:
        """The server showed which one it is: hand out what waited for that."""
        for client_id in [each for each in self._frames if self._proven(each)]:
            for frame in self._frames.pop(client_id) or ():
                self._receive(client_id, frame)

    def _proven(self, client_id: str) -> bool:
        return self._door.counts(self._sockets.get(client_id, 0))
