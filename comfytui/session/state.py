"""The state of one session, and the runs of my prompts: which of them go on, and which one is shown or meant."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from comfytui.session.jobs.index import Jobs
from comfytui.session.model import Batch, Job, Link, Phase
from comfytui.session.run_times import RunTimes, WorkloadKey
from comfytui.timings import DEFAULT, SessionTimings

if TYPE_CHECKING:
    from comfytui.comfy.protocol.capabilities import Capabilities
    from comfytui.comfy.protocol.models import SystemStats

MAX_RUNS = 64
"""Runs that are followed at most, the newest: a server may claim that it runs every job of mine."""


@dataclass(frozen=True, slots=True)
class Run:
    """A running prompt of mine; kept outside the job map, so that a step copies nothing that grows.

    Times are monotonic seconds unless stated otherwise.
    """

    prompt_id: str
    first_seen: float
    """When this session first saw it run."""
    seen_from_start: bool = True
    """Whether it was observed from its start."""
    started_ms: int | None = None
    """When it started, in milliseconds of the server's clock."""
    node: str | None = None
    phase: Phase = Phase.STARTING
    step: int = 0
    """Steps done of the running pass."""
    steps: int = 0
    passes: int = 0
    """Number of the running pass, from 1; 0 before the first one."""
    pass_node: str | None = None
    """The node of the running pass."""
    pass_weight: float = 0.0
    """Weight of the running pass as a whole."""
    fraction: float = 0.0
    """Share of the whole prompt that is done, 0 to 1; never falls."""
    weight_left: float = 0.0
    """Weight of what is still to be done."""
    recent_steps: float = 0.0
    """Recent steps, exponentially decayed."""
    recent_seconds: float = 0.0
    """Seconds that `recent_steps` took, decayed likewise."""
    first_step_at: float | None = None
    last_step_at: float | None = None
    stalled_seconds: float = 0.0
    """Seconds spent in stalls, which count for neither of the recent figures."""
    finished_nodes: frozenset[str] = frozenset()
    """Nodes that are done, including the cached ones."""
    cached_nodes: frozenset[str] = frozenset()
    had_gap: bool = False
    """Whether the connection was interrupted during the run."""
    started: float | None = None
    """When it really started; None while that is unknown."""
    created: float | None = None
    """When the server accepted the prompt, in wall seconds of its clock."""
    clock_offset: float = 0.0
    """Wall seconds less monotonic seconds of this machine when it was first seen."""

    @property
    def percentage(self) -> int:
        """Share of the steps of the running pass, 0 to 100; 0 before the first one."""
        return 100 * self.step // self.steps if self.steps else 0

    @property
    def step_seconds(self) -> float | None:
        """Recent seconds per step; None before the second step of a pass."""
        return self.recent_seconds / self.recent_steps if self.recent_seconds > 0 else None

    @property
    def rate(self) -> float | None:
        """Recent steps per second; None before the second step of a pass."""
        return self.recent_steps / self.recent_seconds if self.recent_seconds > 0 else None


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything that is known of one server."""

    client_ids: frozenset[str] = frozenset()
    """Jobs of these client ids are mine."""
    held_elsewhere: frozenset[str] = frozenset()
    """Those of `client_ids` that another running comfytui of this user holds.

    Only that one gets their frames and sends their prompts.
    """
    link: Link = field(default_factory=Link)
    jobs: Mapping[str, Job] = field(default_factory=Jobs)
    """Jobs by prompt_id, in order of arrival."""
    batches: Mapping[str, Batch] = field(default_factory=lambda: MappingProxyType({}))
    """Batches by batch id, in order of arrival."""
    runs: Mapping[str, Run] = field(default_factory=lambda: MappingProxyType({}))
    """Runs of my jobs by prompt_id, in the order in which they were first seen."""
    workers: int = 1
    """How many prompts the server runs at once, as far as its queue has shown since the connection opened."""
    queue_remaining: int = 0
    """Length of the server's queue, running prompts included."""
    stats: "SystemStats | None" = None
    run_times: Mapping[WorkloadKey, RunTimes] = field(default_factory=lambda: MappingProxyType({}))
    """Measured parts of runs, by workload."""
    memory_changed_at: float | None = None
    """The monotonic second in which the server's memory last changed visibly."""
    memory_changed_to: "SystemStats | None" = None
    """The figures that were read then."""
    capabilities: "Capabilities | None" = None
    """What the server can do; None until that is known."""
    unobserved_since: float | None = -inf
    """The monotonic second since which nothing observes the server; None while something does."""
    timings: SessionTimings = DEFAULT.session
    """After how many seconds something counts as late; never changes."""


def active_runs(state: SessionState) -> list[Run]:
    """Return the runs that go on, as far as is known, in the order in which they were first seen.

    The others have left the queue; how they ended is yet to be read.
    """
    return [run for run in state.runs.values() if not state.jobs[run.prompt_id].left_queue]


def shown_run(state: SessionState) -> Run | None:
    """Return the one run to show: the first that goes on, so that it stays the same until it ends."""
    return next(iter(active_runs(state) or state.runs.values()), None)


def only_run(state: SessionState) -> Run | None:
    """Return the run that a frame without a prompt id is about; None unless there is exactly one that it can be."""
    runs = active_runs(state) or [*state.runs.values()]
    return runs[0] if len(runs) == 1 else None


def with_run(state: SessionState, run: Run) -> SessionState:
    """Return the state with a run in its place, or as the newest one. It copies as many entries as there are runs."""
    runs = {**state.runs, run.prompt_id: run}
    if len(runs) > MAX_RUNS:
        del runs[next(iter(runs))]
    return replace(state, runs=MappingProxyType(runs))


def without_runs(state: SessionState, ids: Collection[str]) -> SessionState:
    """Return the state without the runs of these prompts; the same object if there are none."""
    if state.runs.keys().isdisjoint(ids):
        return state
    return replace(state, runs=MappingProxyType({key: run for key, run in state.runs.items() if key not in ids}))
