"""One subscriber's notices: states and previews are replaced by newer ones, all others are kept in order."""

from collections import deque
from collections.abc import Callable
from threading import Lock

from comfytui.service.notifications import Notice, PreviewReceived, SessionChanged

MAX_QUEUED = 1_000
"""Notices queued for a subscriber that takes none; the oldest are dropped first, the newest state never."""


class Mailbox:
    """A thread-safe queue of notices, filled by the service's thread.

    Args:
        wake: Called when a notice arrives, once until the next `take`.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = Lock()
        self._queued: deque[Notice] = deque(maxlen=MAX_QUEUED)
        self._newest: dict[type[Notice], Notice] = {}
        self._woken = False

    def put(self, notice: Notice) -> None:
        """Add a notice, and wake the subscriber if it is not awake yet."""
        with self._lock:
            if isinstance(notice, SessionChanged | PreviewReceived):
                self._newest[type(notice)] = notice
            else:
                self._queued.append(notice)
            wake, self._woken = not self._woken, True
        if wake:
            self._wake()

    def take(self) -> tuple[Notice, ...]:
        """Remove and return the newest state, the newest preview, and the other notices in order."""
        with self._lock:
            notices = (*self._newest.values(), *self._queued)
            self._newest.clear()
            self._queued.clear()
            self._woken = False
        return notices


class Subscribers:
    """The mailboxes of all subscribers."""

    def __init__(self) -> None:
        self._mailboxes: tuple[Mailbox, ...] = ()

    def add(self, mailbox: Mailbox) -> None:
        """Add a mailbox for the notices from now on."""
        self._mailboxes = (*self._mailboxes, mailbox)

    def put(self, notice: Notice) -> None:
        """Put a notice into every mailbox."""
        for mailbox in self._mailboxes:
            try:
                mailbox.put(notice)
            except RuntimeError:
                # Its loop is closed; a subscriber that left must not end the service for the others.
                self._mailboxes = tuple(other for other in self._mailboxes if other is not mailbox)
