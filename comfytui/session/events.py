"""Events of a session besides the server's frames: HTTP answers, submissions, and changes of the connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.events import Event, Output
from comfytui.comfy.protocol.models import SystemStats
from comfytui.session.connection.link_events import LinkChanged
from comfytui.session.delivery import DeliveryEvent
from comfytui.session.model import Batch, BatchTag, Failure, Job
from comfytui.workflow.parameters import GenerationParameters


@dataclass(frozen=True, slots=True)
class ClientIdsAcquired:
    """Jobs of `client_ids` are mine from now on; those `held_elsewhere` belong to another running comfytui."""

    client_ids: frozenset[str]
    held_elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CapabilitiesRead:
    """The server's capabilities were read."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class BatchPlanned:
    """The user submitted a batch; its jobs are SUBMITTING until the server accepts them."""

    batch: Batch
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class EndsRecorded:
    """Jobs of mine have ended according to the journal: another comfytui, or an earlier one, submitted them."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class PromptAccepted:
    """The server accepted a prompt; `accepted_id` differs from `prompt_id` on servers that assign their own ids."""

    prompt_id: str
    accepted_id: str
    number: float


@dataclass(frozen=True, slots=True)
class PromptRejected:
    """The server rejected a prompt."""

    prompt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class PromptDelayed:
    """A prompt could not be sent yet; `reason` says why in a few words, and is empty once it is being sent again."""

    prompt_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PromptLost:
    """It can no longer be found out whether the server got this prompt, nor whether it ran."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """A poll proved that the job will not run: it was deleted while pending, or never sent."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class JobsResent:
    """Lost jobs are to be sent once more, unchanged."""

    prompt_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueuedPrompt:
    """A prompt as the queue or the history shows it, summarised; `created` in wall seconds."""

    prompt_id: str
    number: float
    client_id: str | None = None
    batch_tag: BatchTag | None = None
    parameters: GenerationParameters = field(default_factory=GenerationParameters)
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    created: float | None = None


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The whole queue; `requested_at` is the monotonic second in which the request was sent."""

    running: tuple[QueuedPrompt, ...]
    pending: tuple[QueuedPrompt, ...]
    requested_at: float


@dataclass(frozen=True, slots=True)
class FinishedPrompt:
    """How a prompt ended, according to the history; times in wall seconds."""

    prompt: QueuedPrompt
    outcome: Literal["success", "error", "interrupted"] | None
    outputs: tuple[Output, ...] = ()
    all_cached: bool = False
    failure: Failure | None = None
    seconds: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class HistorySnapshot:
    """Entries of the history; ids in `requested_ids` without an entry are not in the history."""

    entries: tuple[FinishedPrompt, ...]
    requested_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatsRead:
    """The server's system figures were read."""

    stats: SystemStats


SessionEvent = (
    Event
    | LinkChanged
    | ClientIdsAcquired
    | CapabilitiesRead
    | BatchPlanned
    | EndsRecorded
    | PromptAccepted
    | PromptRejected
    | PromptDelayed
    | PromptLost
    | JobCancelled
    | JobsResent
    | DeliveryEvent
    | QueueSnapshot
    | HistorySnapshot
    | StatsRead
)
