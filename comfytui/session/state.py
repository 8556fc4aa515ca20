"""The state of one session, and the live numbers of the prompt that runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from comfytui.session.jobs.index import Jobs
from comfytui.session.model import Batch, Job, Link, Phase, RunTimes, WorkloadKey

if TYPE_CHECKING:
    from comfytui.comfy.protocol.capabilities import Capabilities
    from comfytui.comfy.protocol.models import SystemStats


@dataclass(frozen=True, slots=True)
class Run:
    """The running prompt of mine, kept outside the job map so that a step copies nothing that grows.

    `step` of `steps` is the running pass (`passes` counts them from 1, 0 before the first), `pass_node` and `weight`
    its node and share. `fraction` is the whole prompt, 0 to 1, and never falls; `left` is the weight still to do.
    The last `recent_steps` took `recent_seconds`, both fading with time; `stalled` seconds count for neither. Times
    are monotonic seconds; `started_ms` is the server's clock. `done` nodes include the `cached` ones. `whole`: the
    run was seen from its start; `cut`: the link broke meanwhile. `started` is when it was first seen, `began` when it
    really began, None while that is not known; `created` is when the server took the prompt, in its wall seconds.
    """

    prompt_id: str
    first_seen: float
    seen_from_start: bool = True
    started_ms: int | None = None
    node: str | None = None
    phase: Phase = Phase.STARTING
    step: int = 0
    steps: int = 0
    passes: int = 0
    pass_node: str | None = None
    pass_weight: float = 0.0
    fraction: float = 0.0
    weight_left: float = 0.0
    recent_steps: float = 0.0
    recent_seconds: float = 0.0
    first_step_at: float | None = None
    last_step_at: float | None = None
    stalled_seconds: float = 0.0
    finished_nodes: frozenset[str] = frozenset()
    cached_nodes: frozenset[str] = frozenset()
    had_gap: bool = False
    started: float | None = None
    created: float | None = None

    @property
    def step_seconds(self) -> float | None:
        """Seconds a step, of late; None before the second step of a pass."""
        return self.recent_seconds / self.recent_steps if self.recent_seconds > 0 else None

    @property
    def rate(self) -> float | None:
        """Steps a second, of late; None before the second step of a pass."""
        return self.recent_steps / self.recent_seconds if self.recent_seconds > 0 else None


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything known of one server; `jobs` by prompt_id, `batches` by batch id, both in order of arrival.

    Jobs of `client_ids` are mine; those of them that are `elsewhere` are held by another running comfytui of the same
    user, which alone gets their frames and sends their prompts. `run_times` holds the measured parts of runs, by
    workload; `memory_moved` is the monotonic second in which the server's memory last changed visibly, to `moved_to`,
    `capabilities` what the server can do, None until that is known. `unobserved_since` is the monotonic second since
    which nobody saw what the server does, None while somebody does.
    """

    client_ids: frozenset[str] = frozenset()
    held_elsewhere: frozenset[str] = frozenset()
    link: Link = field(default_factory=Link)
    jobs: Mapping[str, Job] = field(default_factory=Jobs)
    batches: Mapping[str, Batch] = field(default_factory=lambda: MappingProxyType({}))
    run: Run | None = None
    queue_remaining: int = 0
    stats: "SystemStats | None" = None
    run_times: Mapping[WorkloadKey, RunTimes] = field(default_factory=lambda: MappingProxyType({}))
    memory_changed_at: float | None = None
    memory_changed_to: "SystemStats | None" = None
    capabilities: "Capabilities | None" = None
    unobserved_since: float | None = -inf
