"""A queue that handles keys strictly one after another, also when they arrive in a burst on a slow connection.

Textual passes a key to the focused widget and goes on to the next key while the first still bubbles up to its binding:
the letters after a tab or an escape would go to the widget that had the focus before.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste

KeyEvent = Key | Paste
Work = Callable[[], Awaitable[None]]


class KeyQueue:
    """Passes keys and pastes to `handle`, each when the one before has been handled."""

    def __init__(self, app: App[None], handle: Callable[[KeyEvent], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._pending: deque[KeyEvent | Work] = deque()
        self._carrier: DOMNode | None = None
        """The node that the key being handled bubbles through, or None if no key is being handled."""
        self._screen: DOMNode | None = None
        """The screen that took the last key."""
        self.received = 0
        """How many keys and pastes have been put into the queue so far."""

    async def put(self, event: KeyEvent) -> None:
        """Handle a key or paste now, or when those before it have been handled."""
        self.received += 1
        if isinstance(event, Key) and _is_joiner(event.character):
            event = Paste(event.character or "")
        elif isinstance(event, Key) and event.character and event.key.startswith("alt+"):
            event = Key(event.key, None)  # With its character, a text field would take it for a letter.
        self._pending.append(event)
        await self._begin()

    async def run_between_keys(self, work: Work) -> None:
        """Do some work after the keys that were typed until now and before the next ones, which wait for it.

        Only a worker may wait for this: the work begins when the app handles its messages.
        """
        done = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                await work()
            finally:
                if not done.done():
                    done.set_result(None)

        async def put() -> None:
            self._pending.append(run)
            await self._begin()

        if self._app.call_later(put):
            await done

    def hold(self, work: Work) -> None:
        """Have the next keys wait for some work; for an action of a key, before the keys behind it are handled."""
        self._pending.appendleft(work)
        self._app.call_later(self._begin)

    async def _begin(self) -> None:
        # No clock tells that a key is stuck, since the whole program may have been held up; a closed widget does.
        if self._carrier is None or self._carrier._closed:
            await self._handle_next()

    async def _handle_next(self) -> None:
        self._carrier = None
        if not self._pending:
            return
        self._carrier = self._app
        path: list[DOMNode] = []
        match self._pending.popleft():
            case Key() | Paste() as event:
                self._screen = self._app.screen
                path = [*(self._app.focused or self._screen).ancestors_with_self]
                await self._handle(event)
            case work:
                await work()
        # Twice through the app: a change of focus is itself a message to it.
        await self._follow([*path, self._app])

    async def _follow(self, path: Sequence[DOMNode]) -> None:
        """Queue a callback behind the key in each widget that it bubbles through, then handle the next key."""
        for index, node in enumerate(path, 1):
            self._carrier = node
            if node.call_later(self._follow, path[index:]):
                return
        if self._screen is not (screen := self._app.screen):
            # The key opened it: it has no focus before it has handled its first messages.
            self._screen = screen
            await self._follow([screen, self._app])
        else:
            await self._handle_next()


def _is_joiner(character: str | None) -> bool:
    """Whether a character joins emoji or letters of some scripts: Textual accepts these only from a paste."""
    return character in {"\u200c", "\u200d"}
