"""Browsers that have shown the token: each has a random id in a cookie, and never the token."""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

LIFETIME_SECONDS = 30 * 24 * 3600
MAX_SESSIONS = 256
"""Sessions that are kept; the oldest ends first."""


class BrowserSessions:
    """The sessions of browsers, which end with the relay.

    Args:
        clock: Returns seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By digest: how long a lookup takes says nothing about an id.
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def begin(self) -> str:
        """Begin a session and return its id."""
        session_id = secrets.token_urlsafe(32)
        self._ends[_digest(session_id)] = self._clock() + LIFETIME_SECONDS
        if len(self._ends) > MAX_SESSIONS:
            self._ends.popitem(last=False)
        return session_id

    def is_open(self, session_id: str) -> bool:
        """Return whether a session has begun and not ended."""
        return self._ends.get(_digest(session_id), 0.0) > self._clock()

    def end(self, session_id: str) -> None:
        """End a session, if it is open."""
        self._ends.pop(_digest(session_id), None)


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).digest()
