"""What happens to a session besides the server's frames: HTTP answers, the user's orders, the link and the clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.events import Event, Output
from comfytui.comfy.protocol.models import SystemStats
from comfytui.session.model import Batch, BatchTag, Failure, Job, LinkKind
from comfytui.workflow.parameters import GenerationParameters


@dataclass(frozen=True, slots=True)
class Connected:
    """A socket of `client_id` is open."""

    client_id: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket is gone; the next try comes in `retry_in` seconds, or never (None) where retrying cannot help.

    It brought nothing for `silent` seconds before. `vague`: one was tried and not answered, so the box may be busy.
    """

    reason: str
    retry_in: float | None = None
    kind: LinkKind = LinkKind.OFFLINE
    silent: float = 0.0
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class ClientIdsAcquired:
    """Jobs of these client ids are mine from now on; those `elsewhere` are held by another running comfytui."""

    client_ids: frozenset[str]
    held_elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HttpSucceeded:
    """The server answers over HTTP, and is asked again in `pause` seconds."""

    poll_interval: float


@dataclass(frozen=True, slots=True)
class HttpFailed:
    """The server does not answer over HTTP either."""

    reason: str
    kind: LinkKind = LinkKind.OFFLINE


@dataclass(frozen=True, slots=True)
class SocketSilent:
    """An open socket brings nothing, `silent` seconds: `deaf`, since its frames go astray, or the server is busy."""

    deaf: bool
    reason: str
    silent: float = 0.0


@dataclass(frozen=True, slots=True)
class SocketRecovered:
    """The socket that was quiet brought something."""


@dataclass(frozen=True, slots=True)
class Lagging:
    """What comes over the socket now left the server so many seconds ago."""

    seconds: float


@dataclass(frozen=True, slots=True)
class IdentityMismatch:
    """A server other than the known one answers at this address; `reason` describes it."""

    reason: str


@dataclass(frozen=True, slots=True)
class IdentityAccepted:
    """The server that answers is the known one, or the user accepted it in its place."""


@dataclass(frozen=True, slots=True)
class CapabilitiesRead:
    """What the server can do."""

    capabilities: Capabilities


LinkEvent = (
    Connected
    | Disconnected
    | HttpSucceeded
    | HttpFailed
    | SocketSilent
    | SocketRecovered
    | Lagging
    | IdentityMismatch
    | IdentityAccepted
)
"""What changes the link."""


@dataclass(frozen=True, slots=True)
class BatchPlanned:
    """The user asked for a batch: its jobs, mine and marked, are SUBMITTING until the server took them."""

    batch: Batch
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class PromptQueued:
    """The server took a prompt; `accepted_id` differs from `prompt_id` on servers that mint their own."""

    prompt_id: str
    accepted_id: str
    number: float


@dataclass(frozen=True, slots=True)
class PromptRejected:
    """The server refused a prompt."""

    prompt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class PromptDelayed:
    """A prompt could not be sent yet; `reason` says why in a few words (empty: it is being sent again)."""

    prompt_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PromptLost:
    """Whether the server ever got a prompt cannot be known any more, nor whether it made its images."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """A look at the server proved that the job will not run: deleted while pending, or never sent."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class JobsResent:
    """Jobs that the server forgot are sent once more, as they were."""

    prompt_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueuedPrompt:
    """One prompt as the queue or the history shows it, its graph boiled down; `created` in wall seconds."""

    prompt_id: str
    number: float
    client_id: str | None = None
    batch_tag: BatchTag | None = None
    parameters: GenerationParameters = field(default_factory=GenerationParameters)
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    created: float | None = None


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The whole queue; `asked` is the monotonic second in which the question was sent."""

    running: tuple[QueuedPrompt, ...]
    pending: tuple[QueuedPrompt, ...]
    requested_at: float


@dataclass(frozen=True, slots=True)
class FinishedPrompt:
    """How one prompt ended, by the server's history; times in wall seconds."""

    prompt: QueuedPrompt
    outcome: Literal["success", "error", "interrupted"] | None
    outputs: tuple[Output, ...] = ()
    all_cached: bool = False
    failure: Failure | None = None
    seconds: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class HistorySnapshot:
    """Answers from the history; ids in `asked` without an entry in `past` are not in the history."""

    entries: tuple[FinishedPrompt, ...]
    requested_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatsRead:
    """The box's own figures."""

    stats: SystemStats


SessionEvent = (
    Event
    | LinkEvent
    | ClientIdsAcquired
    | CapabilitiesRead
    | BatchPlanned
    | PromptQueued
    | PromptRejected
    | PromptDelayed
    | PromptLost
    | JobCancelled
    | JobsResent
    | QueueSnapshot
    | HistorySnapshot
    | StatsRead
)
