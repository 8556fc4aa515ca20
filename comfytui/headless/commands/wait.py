"""`comfytui wait`: wait until jobs have ended, save their files, and tell how, one line each."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import connected
from comfytui.headless.commands.output import Writer, open_writer, write_last_line
from comfytui.headless.commands.saving import ImageSaver
from comfytui.headless.commands.selection import ID_LIMIT, Selection, selected, until_known
from comfytui.headless.documents.events import EndEvent, Event, ImageEvent, ProgressEvent, image_event, job_end
from comfytui.headless.documents.jobs import End
from comfytui.headless.feed import Feed
from comfytui.headless.subscription import Subject, Subscription
from comfytui.sanitize import sanitize
from comfytui.session.model import Job, JobStatus


async def wait(
    server: Server, selection: Selection, *, as_json: bool, seconds: float | None = None, output: Path | None = None
) -> tuple[End, ...] | None:
    """Wait until all jobs of a selection have ended, and write how each did.

    Args:
        server: The server.
        selection: Which jobs.
        as_json: Write JSON: of a job its last event, of a batch also that of each image.
        seconds: How long to wait at most.
        output: Where to save the files; None leaves them on the server.

    Returns:
        How each job or batch ended, as failed if its files could not be saved; None if the time is over.

    Raises:
        ConnectError: There is no session with the server.
        UnknownJobsError: A job or the batch is unknown.
    """
    writer = open_writer(as_json=as_json, plain=True, label=label_of)
    feed = Feed()
    shortfall = "The server did not answer"
    try:
        async with asyncio.timeout(seconds), connected(server, feed.update) as session:
            report = Report(writer, feed, ImageSaver(session.service, output, writer.note) if output else None)
            subjects = await selected(session, feed, selection)
            if not subjects:
                writer.note("None of your jobs is open.")
            shortfall = "Not all have ended" if output is None else "Not all have ended and been saved"
            await until_known(session, subjects)
            waiting = [Waiting(feed, subject) for subject in subjects]
            while True:
                revision = session.revision
                for each in waiting:
                    await report.write(each.take(), as_json=as_json)
                if all(each.end for each in waiting):
                    return report.finish((each.end for each in waiting if each.end), as_json=as_json)
                await session.changed_since(revision)
    except TimeoutError:
        writer.note(f"{shortfall} within {seconds:g} s.")
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


class Report:
    """Writes what has ended, once its files are saved.

    Args:
        writer: Writes the events.
        feed: The events of the session.
        saver: Saves the files; None leaves them on the server.
    """

    def __init__(self, writer: Writer, feed: Feed, saver: ImageSaver | None) -> None:
        self._writer = writer
        self._feed = feed
        self._saver = saver

    async def write(self, events: Iterator[ImageEvent | EndEvent], *, as_json: bool) -> None:
        """Write events that came together, those of single jobs once: in JSON, the last event tells more."""
        together = [*events]
        ends = {event.prompt_id for event in together if isinstance(event, EndEvent) and event.prompt_id}
        for event in together:
            saved = await self._saved(event)
            if not (as_json and isinstance(event, ImageEvent) and event.prompt_id in ends):
                self._writer.write([saved])

    def finish(self, ends: Iterable[End], *, as_json: bool) -> tuple[End, ...]:
        """Write how many images could not be saved, and return how all ended."""
        if self._saver is None or not self._saver.failed:
            return tuple(ends)
        write_last_line(self._saver.summary, as_json=as_json)
        return tuple("failed" if end == "done" else end for end in ends)

    async def _saved(self, event: ImageEvent | EndEvent) -> ImageEvent | EndEvent:
        """Save the files of an image, and return its event with their paths; or the last event with those of all."""
        if self._saver is None:
            return event
        batch = self._feed.state.batches.get(event.batch_id or "")
        if isinstance(event, EndEvent) and event.prompt_id is None:
            return await self._saver.finish(event, self._feed.state, batch) if batch else event
        job = self._feed.job(event.prompt_id or "")
        if job is None or not event.outputs:
            return event
        if isinstance(event, ImageEvent):
            return await self._saver.save(event, job)
        return self._saver.with_paths(event, [job])


def label_of(event: Event) -> str:
    """Return what a line about an event begins with: the id of the job, or of the batch."""
    prompt_id, batch_id = sanitize(event.prompt_id or "", ID_LIMIT), sanitize(event.batch_id or "", ID_LIMIT)
    return f"{prompt_id}  " if prompt_id else f"Batch {batch_id}  "
