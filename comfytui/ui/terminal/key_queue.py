"""Keys that arrive in a burst, as they do on a slow line, act one after another.

Textual hands a key to what has the focus and goes on to the next key, while the first still travels up to the binding
that it means: after tab or escape, the next letters would go where the focus no longer is.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste

KeyEvent = Key | Paste

PATIENCE = 2.0
"""Seconds that a key waits for the one before it, which may have closed what it was on its way through."""


class KeyQueue:
    """Lets one key through at a time; `handle` is what does something with it."""

    def __init__(self, app: App[None], handle: Callable[[KeyEvent], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[KeyEvent] = deque()
        self._under_way_until = 0.0
        self.received = 0
        """How many keys and pastes came so far, those included that wait."""

    async def put(self, typed: KeyEvent) -> None:
        """Act on it now, or when those before it are through."""
        self.received += 1
        if isinstance(typed, Key) and _joins(typed.character):
            typed = Paste(typed.character or "")
        self._waiting.append(typed)
        if asyncio.get_running_loop().time() >= self._under_way_until:
            await self._next()

    async def _next(self) -> None:
        self._under_way_until = 0.0
        if not self._waiting:
            return
        self._under_way_until = asyncio.get_running_loop().time() + PATIENCE
        way = [*(self._app.focused or self._app.screen).ancestors_with_self]
        await self._handle(self._waiting.popleft())
        # Twice through the app: moving the focus is itself a message to it.
        await self._follow([*way, self._app])

    async def _follow(self, way: Sequence[DOMNode]) -> None:
        """Go the way that the key goes, behind it, and let the next one through at its end."""
        for at, node in enumerate(way, 1):
            if node.call_later(self._follow, way[at:]):
                return
        await self._next()


def _joins(character: str | None) -> bool:
    """Whether it joins emoji and letters of some scripts: Textual takes such characters from a paste alone."""
    return character in {"\u200c", "\u200d"}
