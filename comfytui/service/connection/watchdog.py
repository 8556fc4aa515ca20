"""Detects a run whose frames do not arrive, and renews the sockets if the server has lost track of them."""

from collections import Counter
from collections.abc import Awaitable, Callable

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError
from comfytui.session.events import SessionEvent, SocketRecovered, SocketSilent
from comfytui.session.model import LinkKind
from comfytui.session.runs.stall import stall_since
from comfytui.session.state import Run, SessionState
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
        self._opened_at = self._clock.monotonic()
        self._last_run_frame: dict[str, float] = {}  # by client id: each has a socket of its own
        self._renewals: Counter[str] = Counter()  # by prompt id

    def message_received(self, client_id: str, *, of_run: bool) -> None:
        """Note that a client's socket received something; only frames of a run prove that frames of runs arrive."""
        if of_run:
            self._last_run_frame[client_id] = self._clock.monotonic()
            self._renewals.clear()
        if self._state().link.kind is LinkKind.BUSY or (of_run and self._state().link.kind is LinkKind.ORPHANED):
            self._apply(SocketRecovered())

    def socket_opened(self) -> None:
        """Measure the silence of a socket that opened from now on."""
        self._opened_at = self._clock.monotonic()

    async def run(self) -> None:
        """Check forever."""
        while True:
            await self._clock.sleep(self._timings.watchdog_interval)
            if (run := self._overdue_run()) is not None:
                await self._diagnose(run)

    def _overdue_run(self) -> Run | None:
        """Return a run whose client has received no frame of any run for too long, and may get new sockets."""
        state, now = self._state(), self._clock.monotonic()
        # Frames that are late are on their way.
        if state.link.kind is not LinkKind.LIVE or state.link.lag_seconds:
            return None
        for run in state.runs.values():
            last_frame = self._last_frame(state.jobs[run.prompt_id].owner)
            if self._renewals[run.prompt_id] < MAX_RENEWALS and stall_since(state, run, last_frame, now):
                return run
        return None

    def _last_frame(self, client_id: str | None) -> float:
        """Return when a client last received a frame of any run, or a socket opened."""
        return max(self._last_run_frame.get(client_id or "", 0.0), self._opened_at)

    async def _diagnose(self, run: Run) -> None:
        """Poll before a silent socket is called orphaned: a server that loads a model is silent, too."""
        owner, began = self._state().jobs[run.prompt_id].owner, self._clock.monotonic()
        last_frame = self._last_frame(owner)
        try:
            await self._poll()
        except ComfyError:
            return  # The pings find out whether the server is busy or gone.
        duration = self._clock.monotonic() - began
        # What was held up together with the answer is on its way.
        await self._clock.sleep(self._timings.watchdog_interval)
        state = self._state()
        if self._last_frame(owner) != last_frame or state.link.kind is not LinkKind.LIVE:
            return
        went_on = run.prompt_id not in state.runs or state.jobs[run.prompt_id].left_queue
        silence = None if went_on else stall_since(state, run, last_frame, self._clock.monotonic())
        if went_on or (silence is not None and not silence.memory_changing):
            self._apply(SocketSilent(orphaned=True, reason=ORPHANED_REASON))
            self._renewals = Counter({key: self._renewals[key] + 1 for key in (run.prompt_id, *state.runs)})
            self._renew()
        # A huge queue is not read without a break while a model loads.
        await self._clock.sleep(self._timings.rest_factor * duration)
