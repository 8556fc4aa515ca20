"""One subscriber's notifications: states and previews are replaced by newer ones, all others are kept in order."""

from collections import deque
from collections.abc import Callable
from threading import Lock

from comfytui.service.notifications import Notification, PreviewReceived, SessionChanged

MAX_QUEUED = 1_000
"""Notifications queued for a subscriber that takes none; the oldest are dropped first, the newest state never."""


class Mailbox:
    """A thread-safe queue of notifications, filled by the service's thread.

    Args:
        wake: Called when a notification arrives, once until the next `take`.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = Lock()
        self._queued: deque[Notification] = deque(maxlen=MAX_QUEUED)
        self._newest: dict[type[Notification], Notification] = {}
        self._woken = False

    def put(self, notification: Notification) -> None:
        """Add a notification, and wake the subscriber if it is not awake yet."""
        with self._lock:
            if isinstance(notification, SessionChanged | PreviewReceived):
                self._newest[type(notification)] = notification
            else:
                self._queued.append(notification)
            wake, self._woken = not self._woken, True
        if wake:
            self._wake()

    def take(self) -> tuple[Notification, ...]:
        """Remove and return the newest state, the newest preview, and the other notifications in order."""
        with self._lock:
            notifications = (*self._newest.values(), *self._queued)
            self._newest.clear()
            self._queued.clear()
            self._woken = False
        return notifications


class Subscribers:
    """The mailboxes of all subscribers."""

    def __init__(self) -> None:
        self._mailboxes: tuple[Mailbox, ...] = ()

    def add(self, mailbox: Mailbox) -> None:
        """Add a mailbox for the notifications from now on."""
        self._mailboxes = (*self._mailboxes, mailbox)

    def put(self, notification: Notification) -> None:
        """Put a notification into every mailbox."""
        for mailbox in self._mailboxes:
            try:
                mailbox.put(notification)
            except RuntimeError:
                # Its loop is closed; a subscriber that left must not end the service for the others.
                self._mailboxes = tuple(other for other in self._mailboxes if other is not mailbox)
