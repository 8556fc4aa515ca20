"""What the service tells its subscribers; every notice names its server by the label that may be shown."""

from dataclasses import dataclass, field
from typing import Literal

from comfytui.session.model import Failure, Job
from comfytui.session.state import SessionState

Severity = Literal["information", "warning", "error"]


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The newest state; an older one that nobody took is dropped for it."""

    server: str
    state: SessionState = field(repr=False)


@dataclass(frozen=True, slots=True)
class PreviewReceived:
    """The newest picture of the running image; an older one that nobody took is dropped for it."""

    server: str
    prompt_id: str
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job of mine came to an end."""

    server: str
    job: Job


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """The server refused a batch; nothing of it that was unsent will be sent."""

    server: str
    batch: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class UserMessage:
    """One sentence for the user: what an order came to."""

    server: str
    text: str
    severity: Severity = "information"


@dataclass(frozen=True, slots=True)
class ServiceFailed:
    """The service broke by a fault of its own and starts again in `retry_in` seconds."""

    server: str
    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class NotReached:
    """The very first try found no ComfyUI; `reason` says why and what to do."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoginRequired:
    """The server asks for user and password, or a token; `refused` if it was given some. `reason` says what to do.

    `login` is the number of the login that the refused request carried, as `ServiceThread.log_in` gave it; 0 for none.
    """

    server: str
    reason: str
    refused: bool
    login: int = 0


Notice = (
    SessionChanged
    | PreviewReceived
    | JobEnded
    | BatchRefused
    | UserMessage
    | ServiceFailed
    | NotReached
    | LoginRequired
)
