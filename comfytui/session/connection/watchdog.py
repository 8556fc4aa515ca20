"""Whether the sockets still bring the frames of my runs.

A server that loads a model is silent, too: before silent sockets are called orphaned, a poll tells whether the prompt
still runs, and whether the server's memory changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType

from comfytui.session.model import Link, LinkKind
from comfytui.session.runs.stall import stall_since
from comfytui.session.state import Run, SessionState, active_runs
from comfytui.timings import PollTimings

FRAME_RESOLUTION = 0.1
"""Seconds within which later frames count as one with the first: much shorter than any stall."""
MAX_RENEWALS = 2
"""Times that the sockets are renewed for one run: ComfyUI files a new socket only when the old one has gone."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A run whose frames may be lost, while a poll finds out."""

    run: Run
    owner: str | None
    """The client id that gets its frames."""
    last_frame: float
    is_polled: bool = False
    """Whether the poll has begun."""
    poll_seconds: float | None = None
    """How long the poll took, once it ended."""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """What is known of the frames of runs; times are monotonic seconds."""

    check_at: float = 0.0
    opened_at: float = 0.0
    """When the last socket opened: silence is measured from then on."""
    last_frames: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """When a frame of any run was received, by client id: each has a socket of its own."""
    renewals: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How often the sockets were renewed without a frame of any run since, by prompt id."""
    suspicion: Suspicion | None = None

    @property
    def wake_at(self) -> float | None:
        """When it is to be checked; None while a poll is waited for."""
        return None if self.suspicion is not None and self.suspicion.poll_seconds is None else self.check_at

    def last_frame(self, client_id: str | None) -> float:
        """Return when a client last received a frame of any run, or a socket opened."""
        return max(self.last_frames.get(client_id or "", 0.0), self.opened_at)

    def restarted(self, check_at: float) -> "Watchdog":
        """Return the watchdog without a suspicion; a poll that was to confirm one is not waited for."""
        return replace(self, suspicion=None, check_at=check_at)

    def socket_opened(self, now: float) -> "Watchdog":
        """Return the watchdog after a socket opened."""
        return replace(self, opened_at=now)

    def run_frame_received(self, client_id: str, now: float) -> "Watchdog":
        """Return the watchdog after a client received a frame of a run; the same object for one soon after another."""
        if not self.renewals and now - self.last_frames.get(client_id, -inf) < FRAME_RESOLUTION:
            return self
        last_frames = MappingProxyType({**self.last_frames, client_id: now})
        return replace(self, last_frames=last_frames, renewals=MappingProxyType({}))

    def without(self, client_id: str) -> "Watchdog":
        """Return the watchdog without what is known of a client that has no socket any more."""
        last_frames = {key: last_frame for key, last_frame in self.last_frames.items() if key != client_id}
        return replace(self, last_frames=MappingProxyType(last_frames))

    def poll_begun(self) -> "Watchdog":
        """Return the watchdog while a poll is under way that a suspicion waits for."""
        return replace(self, suspicion=replace(self.suspicion, is_polled=True)) if self.suspicion else self

    def poll_succeeded(self, now: float, seconds: float, timings: PollTimings) -> "Watchdog":
        """Return the watchdog after a poll: what was held up together with the answer is on its way."""
        if self.suspicion is None or not self.suspicion.is_polled or self.suspicion.poll_seconds is not None:
            return self
        suspicion = replace(self.suspicion, poll_seconds=seconds)
        return replace(self, suspicion=suspicion, check_at=now + timings.watchdog_interval)

    def poll_failed(self, now: float, timings: PollTimings) -> "Watchdog":
        """Return the watchdog after a poll that failed: the pings find out whether the server is busy or gone."""
        if self.suspicion is None or not self.suspicion.is_polled:
            return self
        return self.restarted(now + timings.watchdog_interval)

    def suspected(self, session: SessionState, link: Link, now: float) -> Suspicion | None:
        """Return the suspicion of a run whose client has received no frame for too long, and may get new sockets."""
        # Frames that are late are on their way.
        if link.kind is not LinkKind.LIVE or link.lag_seconds:
            return None
        for run in active_runs(session):
            owner = session.jobs[run.prompt_id].owner
            last_frame = self.last_frame(owner)
            if self.renewals.get(run.prompt_id, 0) < MAX_RENEWALS and stall_since(session, run, last_frame, now):
                return Suspicion(run, owner, last_frame)
        return None

    def confirms(self, suspicion: Suspicion, session: SessionState, link: Link, now: float) -> bool:
        """Return whether what the poll found confirms that the sockets are orphaned."""
        run, last_frame = suspicion.run, suspicion.last_frame
        if self.last_frame(suspicion.owner) != last_frame or link.kind is not LinkKind.LIVE:
            return False
        if run.prompt_id not in session.runs or session.jobs[run.prompt_id].left_queue:
            return True  # It went on without a frame.
        stall = stall_since(session, run, last_frame, now)
        return stall is not None and not stall.memory_changing

    def renewed(self, suspicion: Suspicion, session: SessionState) -> "Watchdog":
        """Return the watchdog after the sockets were renewed, which counts for all runs."""
        prompt_ids = {suspicion.run.prompt_id, *session.runs}
        return replace(self, renewals=MappingProxyType({key: self.renewals.get(key, 0) + 1 for key in prompt_ids}))
