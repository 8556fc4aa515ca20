"""What a connection wants done."""

from dataclasses import dataclass

from comfytui.session.connection.link_events import LinkChanged


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open a socket as this client id; none is open. `SocketOpened`, `SocketClosed` or both answer it."""

    client_id: str


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close the socket of this client id, or give up opening it; `SocketClosed` answers it."""

    client_id: str


@dataclass(frozen=True, slots=True)
class EndSocket:
    """No socket of this client id is open, and none is to be opened any more."""

    client_id: str


@dataclass(frozen=True, slots=True)
class Poll:
    """Read the queue, and how the jobs ended that left it; `PollSucceeded` or `PollFailed` answers it."""

    light: bool
    """Whether light requests may find that nothing changed, and that is all."""
    history: bool
    """Whether the newest entries of the history are read, too."""
    stats: bool = False
    """Whether the system statistics are read, too."""


@dataclass(frozen=True, slots=True)
class ReleaseFrames:
    """Apply the buffered frames of all sockets whose frames count now."""


@dataclass(frozen=True, slots=True)
class DropFrames:
    """Drop the buffered frames of this client id's socket: they never count."""

    client_id: str


@dataclass(frozen=True, slots=True)
class ResetUnseenJobs:
    """Count anew what joins the queue: the socket whose `status` frames announce it is a new one."""


@dataclass(frozen=True, slots=True)
class FingerprintChanged:
    """The known server is the one with this fingerprint from now on."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class NotifyNotReached:
    """Tell the user that the very first attempt failed: the address is wrong, or the server is down."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskForLogin:
    """Ask the user for other credentials."""

    reason: str


Effect = (
    OpenSocket
    | CloseSocket
    | EndSocket
    | Poll
    | ReleaseFrames
    | DropFrames
    | ResetUnseenJobs
    | FingerprintChanged
    | NotifyNotReached
    | AskForLogin
    | LinkChanged
)
