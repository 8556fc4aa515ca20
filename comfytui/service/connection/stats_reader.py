"""Reads the server's system statistics: its memory, and whether it is still the known server."""

from collections.abc import Callable

from comfytui.clock import Clock
from comfytui.comfy.errors import ComfyError, Unauthorized
from comfytui.service.backend import Backend
from comfytui.service.connection.identity import IdentityCheck
from comfytui.service.connection.poll_schedule import is_busy
from comfytui.session.events import HttpFailed, SessionEvent, StatsRead
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import PollTimings


class StatsReader:
    """Reads `/system_stats`.

    Args:
        apply: Receives the session events.
        state: Returns the session's state.
        identity: Checks the figures.
        on_mismatch: Called if they are another server's.
        on_unauthorized: Receives the error if the server rejects the credentials.
        timings: How often it reads.
        clock: Waits in between.
    """

    def __init__(
        self,
        apply: Callable[[SessionEvent], None],
        state: Callable[[], SessionState],
        identity: IdentityCheck,
        on_mismatch: Callable[[], None],
        on_unauthorized: Callable[[Unauthorized], None],
        timings: PollTimings,
        clock: Clock,
    ) -> None:
        self._timings = timings
        self._clock = clock
        self._apply = apply
        self._state = state
        self._identity = identity
        self._on_mismatch = on_mismatch
        self._on_unauthorized = on_unauthorized

    async def read(self, client: Backend) -> None:
        """Read the figures once, and check whose they are.

        Raises:
            ComfyError: if the request fails.
        """
        socket_count = self._identity.socket_count
        stats = await client.system_stats()
        if self._identity.check(stats, socket_count):
            self._apply(StatsRead(stats))
        elif self._identity.fingerprint:
            self._on_mismatch()

    async def run(self, client: Backend) -> None:
        """Read the figures forever, while the server can be reached."""
        while True:
            if self._state().link.kind in {LinkKind.LIVE, LinkKind.POLLING}:
                try:
                    await self.read(client)
                except Unauthorized as error:
                    self._apply(HttpFailed(str(error), LinkKind.UNAUTHORISED))
                    self._on_unauthorized(error)
                except ComfyError:
                    pass  # The next poll says what is wrong.
            await self._clock.sleep(self._timings.stats_busy if is_busy(self._state()) else self._timings.stats_idle)
