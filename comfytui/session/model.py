"""Immutable values of a session: jobs, batches and the link."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from comfytui.session.delivery import Delivery, Post
from comfytui.workflow.parameters import GenerationParameters

if TYPE_CHECKING:  # The screen is painted before these are loaded.
    from comfytui.comfy.protocol.events import Output
    from comfytui.comfy.protocol.models import NodeError

MAY_HAVE_FINISHED = "may have finished"
"""The note on a job that `may_have_finished`."""


class JobStatus(StrEnum):
    """Status of a job. An end that the server stated is final; LOST is inferred, and can be revised."""

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
        """The status as the screen shows it."""
        return _LABELS.get(self, self.value)

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of the job."""
        return self not in _OPEN

    @property
    def final(self) -> bool:
        """Whether no later event may change the status."""
        return self.ended and self is not JobStatus.LOST


_OPEN = frozenset({JobStatus.SUBMITTING, JobStatus.QUEUED, JobStatus.RUNNING})
RAN = frozenset({JobStatus.SUCCEEDED, JobStatus.CACHED, JobStatus.FAILED, JobStatus.INTERRUPTED})
"""Ends of jobs that ran; the server keeps these in its history."""
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
    """When an event was received, in seconds: `monotonic` for durations, `wall` for display."""

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
    """Why a job did not succeed: the server's message, and the nodes and inputs it names."""

    message: str
    node_id: str = ""
    node_type: str = ""
    cause: str = ""
    """The type of the exception."""
    traceback: tuple[str, ...] = ()
    node_errors: tuple["NodeError", ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt. Times are wall seconds of this machine unless stated otherwise."""

    prompt_id: str
    status: JobStatus
    mine: bool = False
    """Whether one of my client ids submitted it."""
    owner: str | None = None
    """The client id that submitted it."""
    batch_tag: BatchTag | None = None
    number: float | None = None
    """Its priority in the server's queue; lower numbers run first."""
    parameters: GenerationParameters = field(default_factory=GenerationParameters)
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Class names of the graph's nodes, by node id."""
    created: float | None = None
    ended: float | None = None
    seconds: float | None = None
    """How long it ran on the server."""
    outputs: tuple["Output", ...] = ()
    text: tuple[str, ...] = ()
    failure: Failure | None = None
    delivery: Delivery = Delivery.ACCEPTED
    """Where it stands on its way to the server; ACCEPTED unless the status is SUBMITTING."""
    post: Post | None = None
    """Its POST while that has no answer: while it is SENDING or UNCONFIRMED."""
    server_failures: int = 0
    """How many of its POSTs the server failed on, until it is known what became of it."""
    cancel_requested: bool = False
    """Whether it is to be cancelled as soon as the server is known to have it."""
    delay_reason: str = ""
    """Why it could not be sent yet."""
    may_have_finished: bool = False
    """Whether it may have run unseen, so that its loss does not mean that its images are missing."""
    loss_recorded: bool = False
    """Whether the comfytui that owns it has recorded that it is lost."""
    dismissed: bool = False
    """Whether it was lost when it was cancelled."""
    last_confirmed: float | None = None
    """The monotonic second in which the server last showed that it has the prompt."""
    presence: Presence = Presence.EXPECTED
    missed_polls: int = 0
    """Polls of queue and history in a row that both missed it."""
    results_incomplete: bool = False
    """Whether frames with its results may have been missed, so that the history may have more."""

    @property
    def left_queue(self) -> bool:
        """Whether the queue no longer has it, according to polls and frames."""
        return self.presence is not Presence.EXPECTED

    @property
    def settled(self) -> bool:
        """Whether it has ended for good, with all of its results."""
        return self.status.final and not self.results_incomplete

    @property
    def note(self) -> str:
        """What to show beside the status; empty where there is nothing to add."""
        return MAY_HAVE_FINISHED if self.may_have_finished else self.delay_reason


@dataclass(frozen=True, slots=True)
class Batch:
    """Images that were submitted together."""

    id: str
    total: int
    title: str
    prompt_ids: tuple[str, ...]
    """Prompt ids in image order, keys of `SessionState.jobs`."""
    created: float
    adopted: bool = False
    """Whether only the server knows of it: it was submitted neither in this session nor according to the journal."""
    resumed: bool = field(default=False, compare=False)
    """Whether it is from the journal: an earlier session submitted it."""


class Phase(StrEnum):
    """What a running prompt is doing, as the screen shows it."""

    STARTING = "starting"
    LOADING = "loading model"
    ENCODING = "reading prompt"
    SAMPLING = "sampling"
    DECODING = "decoding"
    UPSCALING = "upscaling"
    SAVING = "saving"
    WORKING = "working"


class LinkKind(StrEnum):
    """How the server is reached at present."""

    CONNECTING = "connecting"
    """A socket is being opened, or is open while the server's identity is not verified."""
    LIVE = "live"
    """A socket is open, the server's identity was verified after that, and frames arrive."""
    POLLING = "polling"
    """There is no socket, but the server answers over HTTP."""
    BUSY = "busy"
    """The server answers neither pings nor HTTP in time; an open socket is kept."""
    ORPHANED = "orphaned"
    """A socket is open, but its frames do not arrive although the server works; it is replaced."""
    OFFLINE = "offline"
    """The server cannot be reached."""
    UNAUTHORISED = "unauthorised"
    """The server rejects the credentials."""
    NOT_COMFYUI = "not a ComfyUI"
    """What answers is not a ComfyUI."""
    OTHER_SERVER = "different server"
    """A server other than the known one answers."""

    @property
    def away(self) -> bool:
        """Whether nothing observes the server in this state."""
        return self not in {LinkKind.LIVE, LinkKind.POLLING, LinkKind.ORPHANED}


@dataclass(frozen=True, slots=True)
class Link:
    """State of the connection; times are monotonic seconds."""

    kind: LinkKind = LinkKind.CONNECTING
    since: float | None = None
    retry_at: float | None = None
    """When the socket is tried again; None if it is not."""
    reason: str = ""
    """One sentence about why the link is in this state."""
    poll_interval: float | None = None
    """Seconds between two polls while there is no socket."""
    socket_open: bool = False
    lag_seconds: int = 0
    """Whole seconds by which frames are late; 0 if the delay is too short to report."""
