"""`comfytui watch`: one line for each change, for ever."""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import suppress

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import REASON_LIMIT, connected
from comfytui.headless.commands.event_text import event_text
from comfytui.headless.commands.other_jobs import other_job_events, other_job_text
from comfytui.headless.commands.output import write_documents, write_lines
from comfytui.headless.documents.events import EndEvent, Event, ProgressEvent
from comfytui.headless.documents.other_events import link_event
from comfytui.headless.feed import Feed
from comfytui.headless.subscription import Subject, Subscription
from comfytui.presentation.notification_text import message_for
from comfytui.sanitize import sanitize
from comfytui.service.notifications import Notification, ServiceFailed, UserMessage
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState

TITLE_LIMIT = 60
"""Characters of a batch's title that a line begins with."""


async def watch(server: Server, *, as_json: bool, interval: float) -> None:
    """Write a line for each change until cancelled, also while the server is away.

    Args:
        server: The server.
        as_json: Write JSON: the same changes as events.
        interval: Least seconds between two lines about the progress of one batch.

    Raises:
        ConnectError: There is no session with the server at first.
        BrokenPipeError: Nobody reads standard output any more.
    """
    feed = Feed()
    async with connected(server, feed.update, _note) as session:
        feed.update(session.state)
        feed.begin()
        watching = Watching(feed, as_json=as_json, interval=interval)
        while True:
            pause = watching.write()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await session.changed()


class Watching:
    """Writes what changes from now on.

    Args:
        feed: The events of the session.
        as_json: Write JSON.
        interval: Least seconds between two lines about the progress of one batch.
        clock: The time source.
    """

    def __init__(self, feed: Feed, *, as_json: bool, interval: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._feed = feed
        self._as_json = as_json
        self._interval = interval
        self._clock = clock
        self._subscription = Subscription(feed, Subject())
        self._state = feed.state
        self._link: LinkKind | None = None
        self._waiting: dict[str, ProgressEvent] = {}  # the progress that is still to be written
        self._written: dict[str, float] = {}  # when progress of a batch was last written

    def write(self) -> float | None:
        """Write what is due; return in how many seconds more is due, or None if nothing waits."""
        before, self._state = self._state, self._feed.state
        self._write_link()
        events = [fact.event for fact in self._subscription.take()]
        ends = [event for event in events if not isinstance(event, ProgressEvent)]
        for event in events:
            if isinstance(event, ProgressEvent):
                self._waiting[event.batch_id or ""] = event
        for end in ends:
            if isinstance(end, EndEvent):
                self._waiting.pop(end.batch_id or "", None)
                self._written.pop(end.batch_id or "", None)
        self._write(ends)
        self._write_others(before)
        return self._write_progress()

    def _write_link(self) -> None:
        link = self._state.link
        if link.kind is self._link:
            return
        self._link = link.kind
        if self._as_json:
            write_documents([link_event(self._state)])
        else:
            reason = sanitize(link.reason, REASON_LIMIT)
            write_lines([f"Connection: {link.kind}. {reason}".rstrip()], sys.stdout)

    def _write_others(self, before: SessionState) -> None:
        events = other_job_events(before, self._state)
        if self._as_json:
            write_documents(events)
        else:
            write_lines(map(other_job_text, events), sys.stdout)

    def _write_progress(self) -> float | None:
        now = self._clock.monotonic()
        due_in = {key: self._written[key] + self._interval - now for key in self._waiting if key in self._written}
        ready = [key for key in self._waiting if due_in.get(key, 0.0) <= 0]
        self._write(self._waiting.pop(key) for key in ready)
        self._written |= dict.fromkeys(ready, now)
        return min((due_in[key] for key in self._waiting), default=None)

    def _write(self, events: Iterable[Event]) -> None:
        if self._as_json:
            write_documents(events)
        else:
            write_lines([self._line(event) for event in events], sys.stdout)

    def _line(self, event: Event) -> str:
        batch = self._state.batches.get(event.batch_id or "")
        title = sanitize(batch.title, TITLE_LIMIT) if batch else ""
        return f"{title or 'untitled'}: {event_text(event)}"


def _note(notification: Notification) -> None:
    """Write a warning to standard error."""
    if isinstance(notification, UserMessage | ServiceFailed) and (text := message_for(notification)):
        write_lines([text[0]], sys.stderr)
