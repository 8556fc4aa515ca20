"""Inputs of the connection's state machine: what happens to it, and what the user wants."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from comfytui.comfy.protocol.events import Event
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState


class ErrorKind(Enum):
    """Why a request failed, or a socket could not be opened, as far as it matters for what to do next."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    LOGIN_REQUIRED = "login required"
    """The credentials were rejected, and others may help."""
    FORBIDDEN = "forbidden"
    """The server rejects the request whatever the credentials are."""
    UPGRADE_REFUSED = "upgrade refused"
    """It answered the handshake without opening a websocket."""
    NOT_COMFYUI = "not ComfyUI"
    OTHER = "other"

    @property
    def link_kind(self) -> LinkKind:
        """The state of the link after a poll failed so."""
        return _LINK_KINDS.get(self, LinkKind.OFFLINE)

    @property
    def is_unauthorised(self) -> bool:
        """Whether the server does not let this client in."""
        return self in {ErrorKind.LOGIN_REQUIRED, ErrorKind.FORBIDDEN}

    @property
    def is_permanent(self) -> bool:
        """Whether opening a socket again soon cannot help."""
        return self.is_unauthorised or self in {ErrorKind.UPGRADE_REFUSED, ErrorKind.NOT_COMFYUI}


_LINK_KINDS = {
    ErrorKind.LOGIN_REQUIRED: LinkKind.UNAUTHORISED,
    ErrorKind.FORBIDDEN: LinkKind.UNAUTHORISED,
    ErrorKind.NOT_COMFYUI: LinkKind.NOT_COMFYUI,
    ErrorKind.TIMED_OUT: LinkKind.BUSY,
}


@dataclass(frozen=True, slots=True)
class RequestError:
    """Why a request failed; `reason` is a sentence for the user."""

    kind: ErrorKind
    reason: str


@dataclass(frozen=True, slots=True)
class Started:
    """Sockets are to be kept open for these client ids; none is open, and no poll is under way."""

    client_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClientIdAdded:
    """A socket is to be kept open for one more client id."""

    client_id: str


@dataclass(frozen=True, slots=True)
class ClientIdRemoved:
    """No socket is needed any more for a client id; never the first one, whose frames are compared with the polls."""

    client_id: str


@dataclass(frozen=True, slots=True)
class SocketOpened:
    """A socket opened."""

    client_id: str


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """A socket closed, or could not be opened; also the answer to `CloseSocket`, after which no other is open."""

    client_id: str
    reason: str = ""
    error: RequestError | None = None
    """Why it could not be opened; None if it was open."""
    silent_seconds: float = 0.0
    """Seconds since anything was received."""
    had_frames: bool = False
    """Whether it received any frame."""
    jitter: float = 1.0
    """A random number between 0 and 1, which spreads the next attempts of all clients over time."""


@dataclass(frozen=True, slots=True)
class PingsUnanswered:
    """The server answers no pings on an open socket, and accepts connections that it does not answer: it is busy."""

    silent_seconds: float


@dataclass(frozen=True, slots=True)
class PingsAnswered:
    """The server answers pings again."""


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A socket received a frame."""

    client_id: str
    frame: Event


@dataclass(frozen=True, slots=True)
class LagMeasured:
    """The frames that a socket receives left the server `seconds` ago."""

    client_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ServerExpected:
    """The server that was served here last has this `fingerprint`; empty if that is not known."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """The server named its `fingerprint`, before its capabilities are read; `description` tells it from others."""

    fingerprint: str
    description: str


@dataclass(frozen=True, slots=True)
class ServerVerified:
    """The known server answered, and its capabilities are known.

    The two numbers are those of the gate when the first request was sent.
    """

    sockets_opened: int
    breaks: int


@dataclass(frozen=True, slots=True)
class StatsReceived:
    """The server named its `fingerprint` once more; `sockets_opened` is the gate's number before the request."""

    fingerprint: str
    sockets_opened: int


@dataclass(frozen=True, slots=True)
class VerificationFailed:
    """A request that was to identify the server failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class StatsFailed:
    """No response showed whether the known server is still the one that answers."""


@dataclass(frozen=True, slots=True)
class PollRequested:
    """Something may have changed on the server; with `history` also in its history."""

    history: bool = False


@dataclass(frozen=True, slots=True)
class PollSucceeded:
    """The poll ended after `seconds`; `session` is what is known now."""

    seconds: float
    session: SessionState
    light: bool = False
    """Whether it found by light requests that nothing changed."""


@dataclass(frozen=True, slots=True)
class PollFailed:
    """The poll failed after `seconds`."""

    error: RequestError
    seconds: float
    history_unread: bool = False
    """Whether the history was to be read, and is still to be read."""


@dataclass(frozen=True, slots=True)
class RequestUnauthorised:
    """Another request than a poll was rejected for its credentials."""

    error: RequestError
    ask_for_login: bool = True


@dataclass(frozen=True, slots=True)
class ReconnectRequested:
    """The user wants all sockets to be opened anew, and a poll."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The user gave other credentials; a `Started` follows."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """A fault of this program closed everything; it starts again in `retry_in` seconds."""

    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The time of `Connection.wake_at` has come; `session` is what is known now."""

    session: SessionState


SocketInput = SocketOpened | SocketClosed | PingsUnanswered | PingsAnswered | FrameReceived | LagMeasured
IdentityInput = ServerExpected | ServerSeen | ServerVerified | StatsReceived | VerificationFailed | StatsFailed
HttpInput = PollSucceeded | PollFailed | RequestUnauthorised
ServiceInput = Started | ClientIdAdded | ClientIdRemoved | Crashed
UserInput = PollRequested | ReconnectRequested | LoggedIn
Input = SocketInput | IdentityInput | HttpInput | ServiceInput | UserInput | TimerDue
