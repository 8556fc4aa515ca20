"""Where a prompt stands on its way to the server, and the events of each step."""

from dataclasses import dataclass
from enum import Enum


class Delivery(Enum):
    """Where a prompt stands on its way to the server."""

    PLANNED = "planned"
    """It is to be sent: it never was, or its last POST certainly did not arrive."""
    SENDING = "sending"
    """Its POST is under way."""
    UNCONFIRMED = "unconfirmed"
    """Its POST has no answer: the server may have it."""
    ACCEPTED = "accepted"
    """The server has or had it, or it is no longer to be sent."""


@dataclass(frozen=True, slots=True)
class Post:
    """A POST that has no answer so far, with what it takes to find out whether it arrived."""

    began: float
    """The monotonic second in which it began."""
    wall: float
    """The wall-clock second in which it began."""
    evidence: tuple[str, ...] = ()
    """What the server's process had before, and keeps until it ends."""


@dataclass(frozen=True, slots=True)
class PromptSending:
    """The POST of a prompt is about to begin, under this client id; `evidence` as in `Post`."""

    prompt_id: str
    client_id: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptUnconfirmed:
    """The POST of a prompt ended without an answer that says whether the server has it."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class PromptNotAccepted:
    """The server certainly did not get the prompt: it is sent again, or ends here if it is to be cancelled."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A prompt that is on its way is to be cancelled: now if it was not sent, else once the server has it."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class CancelSent:
    """The server has been asked to cancel a prompt that arrived with a `CancelRequested`."""

    prompt_id: str


DeliveryEvent = PromptSending | PromptUnconfirmed | PromptNotAccepted | CancelRequested | CancelSent
"""Events about a prompt on its way to the server, besides its acceptance and its ends."""
