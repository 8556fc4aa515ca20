"""Where a prompt stands on its way to the server, and the events of each step."""

from collections.abc import Collection
from dataclasses import dataclass, replace
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
class Evidence:
    """What the server's process has just before a POST, and keeps until it ends."""

    prompt_ids: tuple[str, ...] = ()
    """Prompts of its queue and history."""
    log_times: tuple[str, ...] = ()
    """When it wrote lines of its log."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.prompt_ids or self.log_times)

    def without(self, prompt_ids: Collection[str]) -> "Evidence":
        """Return the evidence without these prompts."""
        return replace(self, prompt_ids=tuple(each for each in self.prompt_ids if each not in prompt_ids))


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class Post:
    """A POST that has no answer so far, with what it takes to find out whether it arrived."""

    began: float
    """The monotonic second in which it began."""
    wall: float
    """The wall-clock second in which it began."""
    evidence: Evidence = NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class PromptSending:
    """The POST of a prompt is about to begin, under this client id."""

    prompt_id: str
    client_id: str
    evidence: Evidence = NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class PromptUnconfirmed:
    """The POST of a prompt ended without an answer that says whether the server has it."""

    prompt_id: str
    server_failed: bool = False
    """Whether the answer was an error of the server's own, of which the prompt may be the cause."""


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
