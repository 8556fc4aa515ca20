"""Events that change the state of the link to the server."""

from dataclasses import dataclass

from comfytui.session.model import Link, LinkKind


@dataclass(frozen=True, slots=True)
class Connected:
    """A socket of `client_id` is open."""

    client_id: str
    verified: bool = True
    """Whether the server's identity was verified after a socket that is open."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket closed, or could not be opened."""

    reason: str
    retry_in: float | None = None
    """Seconds until the next attempt; None if retrying cannot help."""
    kind: LinkKind = LinkKind.OFFLINE
    silent: float = 0.0
    """Seconds without a frame before the socket closed."""
    unanswered: bool = False
    """Whether a connection attempt timed out, so that the server may only be busy."""


@dataclass(frozen=True, slots=True)
class HttpSucceeded:
    """The server answered over HTTP; the next poll follows in `poll_interval` seconds."""

    poll_interval: float


@dataclass(frozen=True, slots=True)
class HttpFailed:
    """The server did not answer over HTTP."""

    reason: str
    kind: LinkKind = LinkKind.OFFLINE


@dataclass(frozen=True, slots=True)
class SocketSilent:
    """An open socket has brought no frame for `silent` seconds."""

    orphaned: bool
    """Whether the socket no longer gets its frames; otherwise the whole server is busy."""
    reason: str
    silent: float = 0.0


@dataclass(frozen=True, slots=True)
class SocketVerified:
    """The server's identity was verified after a socket opened."""


@dataclass(frozen=True, slots=True)
class SocketRecovered:
    """The silent socket brought a frame again."""

    verified: bool = True
    """Whether the server's identity was verified after a socket that is open."""


@dataclass(frozen=True, slots=True)
class Lagging:
    """Frames now arrive `seconds` after the server sent them."""

    seconds: float


@dataclass(frozen=True, slots=True)
class IdentityMismatch:
    """A server other than the known one answers at this address; `reason` describes it."""

    reason: str


@dataclass(frozen=True, slots=True)
class IdentityAccepted:
    """The server that answers is the known one."""


LinkEvent = (
    Connected
    | Disconnected
    | HttpSucceeded
    | HttpFailed
    | SocketSilent
    | SocketVerified
    | SocketRecovered
    | Lagging
    | IdentityMismatch
    | IdentityAccepted
)
"""Events that change the link."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """What `event` made of the link; it may be the same as before."""

    link: Link
    event: LinkEvent
