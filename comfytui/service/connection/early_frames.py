"""Holds frames back that a socket receives before the server's identity is verified."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from comfytui.comfy.protocol.events import Event, PreviewImage
from comfytui.service.connection.identity import IdentityCheck
from comfytui.timings import DEFAULT

MAX_HELD_FRAMES = 16
"""Frames held for one socket; while it has that many, it is not read for a while."""
NEVER_VERIFIED = sys.maxsize
"""The number of a socket whose frames never count."""


class EarlyFrames:
    """Frames that wait until the server is verified after their socket opened; when that closes first, they are lost.

    Args:
        identity: Numbers the sockets, and says which of them a verification covers.
        receive: Receives the client id and each frame, in their order, once they count.
        verify_seconds: Seconds for which a socket is not read that has too many frames.
    """

    def __init__(
        self,
        identity: IdentityCheck,
        receive: Callable[[str, Event], None],
        verify_seconds: float = DEFAULT.connection.verify,
    ) -> None:
        self._identity = identity
        self._receive = receive
        self._verify_seconds = verify_seconds
        self._sockets: dict[str, int] = {}
        self._frames: dict[str, list[Event] | None] = {}  # None: the verification took too long, frames are dropped

    def opened(self, client_id: str) -> None:
        """Hold the frames of a socket that opened."""
        self._sockets[client_id] = self._identity.socket_opened()
        self._frames[client_id] = []

    def closed(self, client_id: str) -> None:
        """Drop the frames of a socket that closed."""
        self._frames.pop(client_id, None)

    def drop(self) -> None:
        """Drop the frames of all sockets that are not verified, also those that come until the sockets close."""
        for client_id in [each for each in self._sockets if not self._is_verified(each)]:
            self._sockets[client_id] = NEVER_VERIFIED
            self._frames.pop(client_id, None)

    def hold(self, client_id: str, frame: Event) -> bool:
        """Return whether a frame does not count yet; if so keep it, unless it is a preview, which is large."""
        if self._is_verified(client_id):
            return False
        if (held := self._frames.get(client_id)) is not None and not isinstance(frame, PreviewImage):
            held.append(frame)
        return True

    async def wait_for_space(self, client_id: str) -> None:
        """Wait for a verification if too many frames are held, but not for long: then they are dropped."""
        held = self._frames.get(client_id)
        if held is None or len(held) < MAX_HELD_FRAMES:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._verify_seconds):
                await self._identity.wait_verified_since(self._sockets[client_id])
        if not self._is_verified(client_id):
            self._frames[client_id] = None

    def release(self) -> None:
        """Deliver the frames of all sockets that are verified now."""
        for client_id in [each for each in self._frames if self._is_verified(each)]:
            for frame in self._frames.pop(client_id) or ():
                self._receive(client_id, frame)

    def _is_verified(self, client_id: str) -> bool:
        return self._identity.verified_since(self._sockets.get(client_id, 0))
