"""Events of a websocket connection itself, besides those that the server sends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from comfytui.comfy.errors import ComfyError


async def _not_alive() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection was opened."""

    is_alive: Callable[[], Awaitable[bool]] = field(default=_not_alive, compare=False, repr=False)
    """Asks with a ping whether the server still answers on this very connection, and so is still the same process."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A connection ended, or could not be opened."""

    reason: str
    error: ComfyError | None = None
    """Why it could not be opened; None if it was open."""
    silent_seconds: float = field(default=0.0, compare=False)
    """Seconds since anything was received."""
    had_frames: bool = field(default=False, compare=False)
    """Whether any frame was received."""


@dataclass(frozen=True, slots=True)
class PingTimedOut:
    """The server answers no pings, but the connection is kept, since the server is only busy."""

    silent_seconds: float = field(default=0.0, compare=False)
    """Seconds since anything was received."""


@dataclass(frozen=True, slots=True)
class PingRestored:
    """Pings are answered again."""


ConnectionEvent = Opened | Closed | PingTimedOut | PingRestored
