"""The websocket of one client id: when it is opened, and for how long it is not."""

import sys
from dataclasses import dataclass, replace
from enum import Enum

from comfytui.timings import SocketTimings

NEVER_VERIFIED = sys.maxsize
"""The number of a socket whose frames never count."""
MAX_DOUBLINGS = 10


class SocketStatus(Enum):
    """Whether a socket exists. A new one is opened only from CLOSED, and so never beside another one."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    """A new one is opened as soon as it is closed."""
    ENDING = "ending"
    """It is forgotten as soon as it is closed."""


@dataclass(frozen=True, slots=True)
class Socket:
    """State of one socket; times are monotonic seconds."""

    status: SocketStatus = SocketStatus.CLOSED
    number: int = NEVER_VERIFIED
    """Its place among all sockets that opened: its frames count once the server was verified after that."""
    opened_at: float | None = None
    retry_at: float | None = None
    """When it is opened again, if it is closed; None: on request only."""
    failures: int = 0
    """Connections in a row that could not be opened, or were not stable."""
    given_up: bool = False
    """Whether it failed in a way that retrying soon does not mend."""
    lag_seconds: float = 0.0
    """By how much its frames are late."""

    def opened(self, number: int, now: float) -> "Socket":
        """Return the socket as one that opened."""
        return replace(self, status=SocketStatus.OPEN, number=number, opened_at=now)

    def closed(self, now: float, *, had_frames: bool, jitter: float, timings: SocketTimings) -> "Socket":
        """Return the socket as one that closed by itself, or could not be opened, and is tried again after a delay."""
        is_stable = had_frames and self.opened_at is not None and now - self.opened_at >= timings.stable_after
        failures = 0 if is_stable else self.failures
        return Socket(retry_at=now + retry_delay(failures, jitter, timings), failures=failures + 1)


def retry_delay(failures: int, jitter: float, timings: SocketTimings) -> float:
    """Return the seconds until the next attempt: doubled with each failure, with full jitter."""
    longest = min(timings.longest_delay, timings.first_delay * 2.0 ** min(failures, MAX_DOUBLINGS))
    return max(timings.first_delay / 2, jitter * longest)
