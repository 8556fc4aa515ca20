"""What is known of one server: jobs, batches, the running prompt, the link and the box. All values are immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from comfytui.workflow.parameters import GenerationParameters

if TYPE_CHECKING:  # The screen is painted before these are loaded.
    from comfytui.comfy.protocol.events import Output
    from comfytui.comfy.protocol.models import NodeError


MAY_HAVE_FINISHED = "may have finished"
"""The note on a job that `may_have_finished`."""


class JobStatus(StrEnum):
    """Where a prompt stands; an end that the server stated is final, LOST is inferred and heals."""

    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"

    @property
    def label(self) -> str:
        """The one word for it on the screen."""
        return _LABELS.get(self, self.value)

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of the job."""
        return self not in _OPEN

    @property
    def final(self) -> bool:
        """Whether no later event may change it."""
        return self.ended and self is not JobStatus.LOST


_OPEN = frozenset({JobStatus.SUBMITTING, JobStatus.QUEUED, JobStatus.RUNNING})
RAN = frozenset({JobStatus.SUCCEEDED, JobStatus.CACHED, JobStatus.FAILED, JobStatus.INTERRUPTED})
"""Ends of jobs whose turn came, which the server keeps in its history."""
_LABELS = {JobStatus.SUBMITTING: "sending", JobStatus.SUCCEEDED: "done"}


class Presence(Enum):
    """What the latest polls say about whether the server still has a job."""

    EXPECTED = "expected"
    """No poll has missed it."""
    LEFT_QUEUE = "left queue"
    """It is no longer in the queue: the history is to be asked how it ended."""
    NOT_FOUND = "not found"
    """Neither the queue nor the history has it: the queue is to be asked again."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an event was seen, in seconds: `monotonic` for measuring, `wall` for showing."""

    monotonic: float
    wall: float


@dataclass(frozen=True, slots=True)
class BatchTag:
    """What a prompt carries in `extra_data.comfytui`: image `index` (from 1) of `total` in `batch`."""

    batch: str
    index: int
    total: int
    submission: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not succeed: the server's words, and where they point."""

    message: str
    node_id: str = ""
    node_type: str = ""
    cause: str = ""
    traceback: tuple[str, ...] = ()
    node_errors: tuple["NodeError", ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt; times are wall seconds of this machine, `seconds` how long it ran on the server.

    `proven` is the monotonic second in which the server last showed that it has the prompt. `absent` counts the
    looks in a row that missed it (queue, history, queue, history): odd means that the history is to be asked.
    `unread`: it ended as a frame said, but frames with its results may have been missed, so that the history has more.
    """

    prompt_id: str
    status: JobStatus
    mine: bool = False
    owner: str | None = None
    batch_tag: BatchTag | None = None
    number: float | None = None
    parameters: GenerationParameters = field(default_factory=GenerationParameters)
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    created: float | None = None
    ended: float | None = None
    seconds: float | None = None
    outputs: tuple["Output", ...] = ()
    text: tuple[str, ...] = ()
    failure: Failure | None = None
    delay_reason: str = ""
    may_have_finished: bool = False
    dismissed: bool = False
    last_confirmed: float | None = None
    presence: Presence = Presence.EXPECTED
    missed_polls: int = 0
    results_incomplete: bool = False

    @property
    def left_queue(self) -> bool:
        """Whether the queue no longer has it, as far as polls and frames say."""
        return self.presence is not Presence.EXPECTED

    @property
    def note(self) -> str:
        """What to show beside the status; empty where there is nothing to add."""
        return MAY_HAVE_FINISHED if self.may_have_finished else self.delay_reason


@dataclass(frozen=True, slots=True)
class Batch:
    """Images asked for at once; `prompts` are their prompt_ids in image order, keys of `SessionState.jobs`.

    One that is `adopted` was neither ordered in this session nor in the journal: only the server tells of it.
    """

    id: str
    total: int
    title: str
    prompts: tuple[str, ...]
    created: float
    adopted: bool = False


class Phase(StrEnum):
    """What a running prompt is busy with, in the words that the screen uses."""

    STARTING = "starting"
    LOADING = "loading model"
    ENCODING = "reading prompt"
    SAMPLING = "sampling"
    DECODING = "decoding"
    UPSCALING = "upscaling"
    SAVING = "saving"
    WORKING = "working"


class LinkKind(StrEnum):
    """How the server is reached just now."""

    CONNECTING = "connecting"
    LIVE = "live"
    POLLING = "polling"
    BUSY = "busy"
    DEAF = "deaf"
    OFFLINE = "offline"
    UNAUTHORISED = "unauthorised"
    NOT_COMFYUI = "not a ComfyUI"
    OTHER_BOX = "different server"

    @property
    def away(self) -> bool:
        """Whether nobody sees what the server does."""
        return self in _AWAY


_AWAY = frozenset({LinkKind.OFFLINE, LinkKind.BUSY, LinkKind.UNAUTHORISED, LinkKind.NOT_COMFYUI, LinkKind.OTHER_BOX})


@dataclass(frozen=True, slots=True)
class Link:
    """The state of the link, `reason` one sentence about it.

    `since` and `retry_at` (when the socket is tried again) are monotonic seconds, `pause` the seconds between two looks
    while it polls; `socket`: whether one is open. `behind`: whole seconds that its frames are late, 0 where that is not
    worth telling.
    """

    kind: LinkKind = LinkKind.CONNECTING
    since: float | None = None
    retry_at: float | None = None
    reason: str = ""
    poll_interval: float | None = None
    socket_open: bool = False
    behind: int = 0


WorkloadKey = tuple[GenerationParameters, int]
"""Jobs that take equally long: the same settings but for words and seeds, and as many nodes."""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The parts of the latest run of a kind, in seconds, and how many `runs` were measured.

    `lead`: from its start to its first step (a cold start loads the model here), `body`: from there to its end,
    `tail`: from its last step to its end.
    """

    lead: float
    body: float
    tail: float
    runs: int = 1


def workload_key_of(job: Job) -> WorkloadKey:
    """The kind of a job."""
    return replace(job.parameters, prompt="", negative="", seed=None, more_seeds=()), len(job.classes)


def without_note(job: Job) -> Job:
    """Return the job with nothing for `note` to show, and not dismissed."""
    return replace(job, delay_reason="", may_have_finished=False, dismissed=False)


def without_doubt(job: Job) -> Job:
    """Return the job as one that no poll has missed, without a note."""
    return replace(without_note(job), presence=Presence.EXPECTED, missed_polls=0)
