"""`comfytui wait`: wait until jobs have ended, and tell how, one line each."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import connected
from comfytui.headless.commands.output import Writer, open_writer
from comfytui.headless.commands.selection import ID_LIMIT, Selection, selected
from comfytui.headless.documents.events import EndEvent, Event, ImageEvent, ProgressEvent, image_event, job_end
from comfytui.headless.documents.jobs import End
from comfytui.headless.feed import Feed
from comfytui.headless.subscription import Subject, Subscription
from comfytui.sanitize import sanitize
from comfytui.session.model import Job, JobStatus


async def wait(
    server: Server, selection: Selection, *, as_json: bool, seconds: float | None = None
) -> tuple[End, ...] | None:
    """Wait until all jobs of a selection have ended, and write how each did.

    Args:
        server: The server.
        selection: Which jobs.
        as_json: Write JSON: of a job its last event, of a batch also that of each image.
        seconds: How long to wait at most.

    Returns:
        How each job or batch ended; None if the time is over.

    Raises:
        ConnectError: There is no session with the server.
        UnknownJobsError: A job or the batch is unknown.
    """
    writer = open_writer(as_json=as_json, plain=True, label=label_of)
    feed = Feed()
    try:
        async with asyncio.timeout(seconds), connected(server, feed.update) as session:
            waiting = [Waiting(feed, subject) for subject in await selected(session, feed, selection)]
            if not waiting:
                writer.note("None of your jobs is open.")
            while True:
                for each in waiting:
                    _write(writer, each.take(), as_json=as_json)
                if all(each.end for each in waiting):
                    return tuple(each.end for each in waiting if each.end)
                await session.changed()
    except TimeoutError:
        writer.note(f"Not all have ended within {seconds:g} s.")
        return None


class Waiting:
    """The wait for one job or batch.

    Args:
        feed: The events of the session.
        subject: The job or batch.
    """

    def __init__(self, feed: Feed, subject: Subject) -> None:
        self._feed = feed
        self._subject = subject
        self._subscription = Subscription(feed, subject)
        self._last_seen: Job | None = None
        self.end: End | None = None
        """How it ended; None while it has not."""

    def take(self) -> Iterator[ImageEvent | EndEvent]:
        """Yield the new events about what has ended."""
        for fact in self._subscription.take():
            if not isinstance(fact.event, ProgressEvent):
                yield fact.event
            if isinstance(fact.event, EndEvent):
                self.end = fact.event.event
        if self._subject.prompt_id is not None and not self.end:
            yield from self._gone(self._subject.prompt_id)

    def _gone(self, prompt_id: str) -> Iterator[ImageEvent | EndEvent]:
        """Yield that a job is lost if the session dropped it: another user deleted it before it ran."""
        if job := self._feed.job(prompt_id):
            self._last_seen = job
        elif self._last_seen:
            lost = replace(self._last_seen, status=JobStatus.LOST)
            self.end = "lost"
            yield image_event(self._feed.state, lost, urls=False)
            yield job_end(self._feed.state, lost, urls=False)


def _write(writer: Writer, events: Iterator[ImageEvent | EndEvent], *, as_json: bool) -> None:
    # Of a single job, the last event tells more than that of its image, which as text is the other way round.
    single = [*events]
    ends = {event.prompt_id for event in single if isinstance(event, EndEvent) and event.prompt_id}
    writer.write(
        event for event in single if not (as_json and isinstance(event, ImageEvent) and event.prompt_id in ends)
    )


def label_of(event: Event) -> str:
    """Return what a line about an event begins with: the id of the job, or of the batch."""
    prompt_id, batch_id = sanitize(event.prompt_id or "", ID_LIMIT), sanitize(event.batch_id or "", ID_LIMIT)
    return f"{prompt_id}  " if prompt_id else f"Batch {batch_id}  "
