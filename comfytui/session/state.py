"""The state of one session, and the run of the prompt that executes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from comfytui.session.jobs.index import Jobs
from comfytui.session.model import Batch, Job, Link, Phase, RunTimes, WorkloadKey
from comfytui.timings import DEFAULT, SessionTimings

if TYPE_CHECKING:
    from comfytui.comfy.protocol.capabilities import Capabilities
    from comfytui.comfy.protocol.models import SystemStats


@dataclass(frozen=True, slots=True)
class Run:
    """The running prompt of mine; kept outside the job map, so that a step copies nothing that grows.

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
    run: Run | None = None
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
