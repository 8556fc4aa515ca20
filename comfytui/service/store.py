"""The state of one session and its only writer: reduces events, records and publishes what they change."""

from collections.abc import Callable

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.service.mailbox import Mailbox, Subscribers
from comfytui.service.notifications import JobEnded, Notification, SessionChanged
from comfytui.service.submission.recorder import Recorder
from comfytui.session.events import SessionEvent
from comfytui.session.model import JobStatus, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.selectors import just_ended
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, SessionTimings


class SessionStore:
    """Holds the state of a session.

    Args:
        label: What notifications call the server.
        recorder: Records what becomes of my jobs.
        subscribers: Get the state, from the empty one on, and the other notifications.
        timings: After how long the state says that something is late.
        clock: The time source for the arrival of events.
    """

    def __init__(
        self,
        label: str,
        recorder: Recorder,
        subscribers: Subscribers,
        timings: SessionTimings = DEFAULT.session,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self.label = label
        """What notifications call the server."""
        self._recorder = recorder
        self._subscribers = subscribers
        self._follow: Callable[[SessionEvent, SessionState], None] | None = None
        self._closed = False
        self.state = SessionState(timings=timings)
        """The newest state; other threads may read it."""
        self.post(SessionChanged(label, self.state))

    def subscribe(self, mailbox: Mailbox) -> None:
        """Put the present state, and the notifications that follow, into a mailbox."""
        self._subscribers.add(mailbox)
        mailbox.put(SessionChanged(self.label, self.state))

    def post(self, notification: Notification) -> None:
        """Send a notification to every subscriber."""
        self._subscribers.put(notification)

    def follow_with(self, follow: Callable[[SessionEvent, SessionState], None]) -> None:
        """Call a function after each change, with the event and the state before it."""
        self._follow = follow

    def apply(self, event: SessionEvent) -> None:
        """Reduce an event into the state, record and publish the change."""
        if self._closed:
            return
        before = self.state
        self.state = state = reduce(before, event, Stamp(self._clock.monotonic(), self._clock.wall()))
        if state is before:
            return
        self._recorder.record(before, state)
        self.post(SessionChanged(self.label, state))
        if state.jobs is not before.jobs:
            for job in just_ended(before, state):
                if job.status is not JobStatus.LOST or job.owner not in state.held_elsewhere:
                    self.post(JobEnded(self.label, job))
        if self._follow is not None:
            self._follow(event, before)

    def close(self) -> None:
        """End the session: later events, such as those of a command that is still under way, change nothing."""
        self._closed = True
