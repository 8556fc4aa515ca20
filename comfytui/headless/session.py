"""A session for code that runs in an event loop of its own: its states, its notifications, its commands."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import thread_time
from types import TracebackType
from typing import Self, TypeVar

from comfytui.service.notifications import Notification, SessionChanged
from comfytui.service.thread import ServiceThread
from comfytui.session.state import SessionState

T = TypeVar("T")

MIN_INTERVAL = 0.05
"""Seconds between two changes that are passed on, at least; what changes in between is one change."""
MAX_INTERVAL = 0.2
"""The same where passing on costs much."""
MAX_SHARE = 1 / 6
"""Share of a core above which the interval grows."""


class HeadlessSession:
    """Runs a `ServiceThread` as long as the context lasts, and passes on what changes.

    A change after a rest is passed on at once. The interval to the next one grows with the processor time that the
    loop's thread uses, followers included: few of them see each step, and many do not use up a core.

    Args:
        service: The service; it is started and stopped here.
        on_change: Called with the newest state, once for all that changed meanwhile, before those who wait are woken.
        on_notification: Called with each other notification, in order.
        min_interval: The shortest interval between two changes that are passed on, in seconds.
    """

    def __init__(
        self,
        service: ServiceThread,
        on_change: Callable[[SessionState], object] = lambda _: None,
        on_notification: Callable[[Notification], object] = lambda _: None,
        *,
        min_interval: float = MIN_INTERVAL,
    ) -> None:
        self.service = service
        self._on_change = on_change
        self._on_notification = on_notification
        self._min_interval = min_interval
        self.is_paced = True
        """Whether there is an interval between two changes that are passed on."""
        self._changed = asyncio.Event()
        self._pump: asyncio.Task[None]
        self.revision = 0
        """Grows with each change that is passed on."""

    @property
    def state(self) -> SessionState:
        """The newest state."""
        return self.service.state

    @property
    def is_running(self) -> bool:
        """Whether changes are passed on: neither the service nor what it is passed on to has failed."""
        return self.service.is_running and not self._pump.done()

    async def __aenter__(self) -> Self:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._mailbox = self.service.subscribe(lambda: loop.call_soon_threadsafe(woken.set))
        self._pump = loop.create_task(self._pass_on(woken))
        self._pump.add_done_callback(lambda _: self.wake())
        self.service.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.service.stop)
        self._pump.cancel()
        with suppress(asyncio.CancelledError):
            await self._pump

    async def changed(self) -> None:
        """Wait for the next change of the state, or the next notification."""
        await self.changed_since(self.revision)

    async def changed_since(self, revision: int) -> None:
        """Wait for a change after the one that `revision` counted, which may have been while the caller did not wait.

        Raises:
            Exception: What the function that is called with changes raised, after which none is passed on.
        """
        while self.revision == revision:
            if self._pump.done():
                self._pump.result()
            await self._changed.wait()

    def wake(self) -> None:
        """Wake all who wait, as after a change."""
        self.revision += 1
        # Those who wait now, and nobody later.
        self._changed.set()
        self._changed.clear()

    async def until(self, condition: Callable[[SessionState], T | None]) -> T:
        """Wait until a condition of the state is neither None nor false, and return what it is."""
        while not (result := condition(self.state)):
            await self.changed()
        return result

    async def _pass_on(self, woken: asyncio.Event) -> None:
        while True:
            await woken.wait()
            woken.clear()
            began = thread_time()
            for notification in self._mailbox.take():
                if isinstance(notification, SessionChanged):
                    # The mailbox may be behind what the caller has read, and a state is never followed by an older one.
                    self._on_change(self.state)
                else:
                    self._on_notification(notification)
            self.wake()
            if self.is_paced:
                await self._rest(began)

    async def _rest(self, began: float) -> None:
        """Wait until the next change may be passed on; `began` is the thread's time when this one was."""
        await asyncio.sleep(self._min_interval)
        # By now, those who were woken have used the loop's thread, and may have sent their next requests.
        interval = min((thread_time() - began) / MAX_SHARE, MAX_INTERVAL)
        await asyncio.sleep(interval - self._min_interval)


def is_current(state: SessionState) -> bool:
    """Return whether the server answers, and its queue was read since it does."""
    return state.unobserved_since is None
