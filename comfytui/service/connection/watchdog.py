"""Detects a run whose frames do not arrive, and renews the sockets if the server has lost track of them."""

from collections.abc import Awaitable, Callable

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError
from comfytui.session.events import SessionEvent, SocketRecovered, SocketSilent
from comfytui.session.model import LinkKind
from comfytui.session.runs.stall import stall_since
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, PollTimings

MAX_RENEWALS = 2
"""Times that the sockets are renewed for one run: ComfyUI files a new socket only when the old one has gone."""
ORPHANED_REASON = "Your job runs, but no messages about it arrive: the server has lost track of this connection."


class Watchdog:
    """Distinguishes an orphaned socket, which is renewed, from a server that makes no progress, which is only reported.

    Args:
        state: Returns the session's state.
        apply: Receives the session events.
        poll: Reads queue, history and memory over HTTP.
        renew: Closes the sockets and connects again.
        timings: How often it checks.
        clock: Measures the silence, and waits.
    """

    def __init__(
        self,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        poll: Callable[[], Awaitable[None]],
        renew: Callable[[], None],
        timings: PollTimings = DEFAULT.poll,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._timings = timings
        self._clock = clock
        self._state = state
        self._apply = apply
        self._poll = poll
        self._renew = renew
        self._last_run_frame = self._clock.monotonic()
        self._renewals = 0
        self._renewed_for: str | None = None

    def message_received(self, *, of_run: bool) -> None:
        """Note that a socket received something; only frames of a run prove that frames of runs arrive."""
        if of_run:
            self._last_run_frame = self._clock.monotonic()
            self._renewals = 0
        if self._state().link.kind is LinkKind.BUSY or (of_run and self._state().link.kind is LinkKind.ORPHANED):
            self._apply(SocketRecovered())

    def socket_opened(self) -> None:
        """Measure the silence of a socket that opened from now on."""
        self._last_run_frame = self._clock.monotonic()

    async def run(self) -> None:
        """Check forever."""
        while True:
            await self._clock.sleep(self._timings.watchdog_interval)
            if self._is_overdue():
                await self._diagnose()

    def _is_overdue(self) -> bool:
        state = self._state()
        if state.run and state.run.prompt_id != self._renewed_for:
            self._renewed_for, self._renewals = state.run.prompt_id, 0
        given_up = self._renewals >= MAX_RENEWALS
        # Frames that are late are on their way.
        in_time = state.link.kind is LinkKind.LIVE and not state.link.lag_seconds
        return (
            not given_up and in_time and stall_since(state, self._last_run_frame, self._clock.monotonic()) is not None
        )

    async def _diagnose(self) -> None:
        """Poll before a silent socket is called orphaned: a server that loads a model is silent, too."""
        run_before, last_run_frame, began = self._state().run, self._last_run_frame, self._clock.monotonic()
        try:
            await self._poll()
        except ComfyError:
            return  # The pings find out whether the server is busy or gone.
        duration = self._clock.monotonic() - began
        # What was held up together with the answer is on its way.
        await self._clock.sleep(self._timings.watchdog_interval)
        state = self._state()
        if self._last_run_frame != last_run_frame or run_before is None or state.link.kind is not LinkKind.LIVE:
            return
        went_on = state.run is None or state.run.prompt_id != run_before.prompt_id
        silence = stall_since(state, last_run_frame, self._clock.monotonic())
        if went_on or (silence is not None and not silence.memory_changing):
            self._apply(SocketSilent(orphaned=True, reason=ORPHANED_REASON))
            self._renewals += 1
            self._renew()
        # A huge queue is not read without a break while a model loads.
        await self._clock.sleep(self._timings.rest_factor * duration)
