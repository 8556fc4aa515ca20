"""The notifications that the service sends its subscribers; `server` is the label that the screen may show."""

from dataclasses import dataclass, field
from typing import Literal

from comfytui.comfy.errors import ComfyError
from comfytui.service.results import Cancelled
from comfytui.session.model import Failure, Job
from comfytui.session.state import SessionState

Severity = Literal["information", "warning", "error"]


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The newest state; it replaces an older one that was not taken."""

    server: str
    state: SessionState = field(repr=False)


@dataclass(frozen=True, slots=True)
class PreviewReceived:
    """The newest preview of the running prompt; it replaces an older one that was not taken."""

    server: str
    prompt_id: str
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job of mine has ended."""

    server: str
    job: Job


@dataclass(frozen=True, slots=True)
class BatchRejected:
    """The server rejected a prompt of a batch that no caller waits for: one of an earlier start, or a resent one."""

    server: str
    batch: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class CancelledOnArrival:
    """A job that was to be cancelled when the server has it has arrived there."""

    server: str
    prompt_id: str
    result: Cancelled | ComfyError
    """The error if the server could not be asked."""


@dataclass(frozen=True, slots=True)
class UserMessage:
    """A warning for the user."""

    server: str
    text: str
    severity: Severity = "information"


@dataclass(frozen=True, slots=True)
class ServiceFailed:
    """The service crashed and starts again in `retry_in` seconds."""

    server: str
    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class NotReached:
    """The first connection attempt found no ComfyUI; `reason` says why and what to do."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoginRequired:
    """The server requires credentials: user and password, or a token."""

    server: str
    reason: str
    """What to do."""
    refused: bool
    """Whether the request carried credentials."""
    login: int = 0
    """The number of the login that the request carried, as `ServiceThread.log_in` returned it; 0 for none."""


Notification = (
    SessionChanged
    | PreviewReceived
    | JobEnded
    | BatchRejected
    | CancelledOnArrival
    | UserMessage
    | ServiceFailed
    | NotReached
    | LoginRequired
)
