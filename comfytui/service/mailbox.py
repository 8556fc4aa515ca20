"""One subscriber's notices: snapshots and previews are replaced by newer ones, facts are kept in order."""

from collections import deque
from collections.abc import Callable
from threading import Lock

from comfytui.service.notifications import Notice, PreviewReceived, SessionChanged

FACTS_KEPT = 1_000
"""Facts that wait for a subscriber that takes nothing; the oldest go first, the newest state is never lost."""


class Mailbox:
    """Filled by the service's thread, emptied by the subscriber's; `wake` is called once until the next `take`."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = Lock()
        self._facts: deque[Notice] = deque(maxlen=FACTS_KEPT)
        self._newest: dict[type[Notice], Notice] = {}
        self._woken = False

    def put(self, notice: Notice) -> None:
        """Add a notice and wake the subscriber if it is not awake yet."""
        with self._lock:
            if isinstance(notice, SessionChanged | PreviewReceived):
                self._newest[type(notice)] = notice
            else:
                self._facts.append(notice)
            wake, self._woken = not self._woken, True
        if wake:
            self._wake()

    def take(self) -> tuple[Notice, ...]:
        """Everything since the last take: the newest state, the newest preview, then the facts in order."""
        with self._lock:
            notices = (*self._newest.values(), *self._facts)
            self._newest.clear()
            self._facts.clear()
            self._woken = False
        return notices


class Subscribers:
    """The mailboxes of all who are told."""

    def __init__(self) -> None:
        self._mailboxes: tuple[Mailbox, ...] = ()

    def add(self, mailbox: Mailbox) -> None:
        """Tell one more, from now on."""
        self._mailboxes = (*self._mailboxes, mailbox)

    def put(self, notice: Notice) -> None:
        """Hand a notice to each."""
        for mailbox in self._mailboxes:
            try:
                mailbox.put(notice)
            except RuntimeError:
                # Its loop is gone, and a subscriber that left must not end the service for the others.
                self._mailboxes = tuple(other for other in self._mailboxes if other is not mailbox)
