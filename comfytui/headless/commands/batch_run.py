"""One batch of a command: submitted, followed, and saved, until it has ended."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Literal

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import connected, request_error
from comfytui.headless.commands.output import Writer, open_writer, write_documents, write_last_line, write_lines
from comfytui.headless.commands.run_text import left_lines, rejection_line, submitted_event, submitted_lines, wait_line
from comfytui.headless.commands.saving import ImageSaver
from comfytui.headless.conversion import with_graph
from comfytui.headless.documents.events import EndEvent, ImageEvent
from comfytui.headless.documents.jobs import End, end_of
from comfytui.headless.feed import Feed
from comfytui.headless.generate import GenerateRequest, prepare, prompt_tools, server_specs
from comfytui.headless.session import HeadlessSession
from comfytui.headless.subscription import Subject, Subscription
from comfytui.presentation.command_text import cancellation_message
from comfytui.presentation.notification_text import message_for
from comfytui.sanitize import sanitize
from comfytui.service.notifications import Notification
from comfytui.service.results import BatchCancelled, SubmitResult, Submitted
from comfytui.session.model import Batch, LinkKind
from comfytui.session.selectors import jobs_of
from comfytui.session.state import SessionState
from comfytui.workflow.conversion import warnings
from comfytui.workflow.fields import Field, FieldKey
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec

INTERVAL = 0.25
"""Seconds between two changes that are written, and so between two repaints of the bars."""
NOTE_LIMIT = 1_000
"""Characters of a message to the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run a batch."""

    output: Path | None = None
    """Where to save the files; None leaves them on the server."""
    detach: bool = False
    """Whether to end once the server has accepted the batch."""
    as_json: bool = False
    plain: bool = False
    """Whether to write lines of text to a terminal, too."""
    timeout: float | None = None
    """Seconds after which to end; the jobs go on."""


class BatchRun:
    """A batch that is asked for, and what is written about it.

    Args:
        server: The server.
        request: The images.
        options: How to run it.
    """

    def __init__(self, server: Server, request: GenerateRequest, options: RunOptions) -> None:
        self._server = server
        self._request = request
        self._options = options
        self._feed = Feed()
        self._writer: Writer = open_writer(as_json=options.as_json, plain=options.plain)
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._link = LinkKind.LIVE  # the state of the connection that the user knows
        self._session: HeadlessSession
        self._batch_id = ""
        self._warnings: tuple[str, ...] = ()

    @property
    def batch(self) -> Batch | None:
        """The batch as it is now; None until it is submitted."""
        return self._session.state.batches.get(self._batch_id) if self._batch_id else None

    @property
    def is_submitted(self) -> bool:
        """Whether the batch was given to the session, which sends it."""
        return bool(self._batch_id)

    @property
    def has_ended(self) -> bool:
        """Whether all jobs of the batch have ended, so that there is nothing to detach from or to cancel."""
        batch = self.batch
        return batch is not None and all(job.status.ended for job in jobs_of(self._session.state, batch))

    async def work(self) -> End | Literal["detached"]:
        """Submit the batch and write its events until it has ended; or only its ids, to detach.

        Raises:
            ConnectError: There is no session with the server.
            FieldError: A value of the request cannot be used.
            WorkflowError: The workflow cannot be queued on this server.
            BrokenPipeError: Nobody reads standard output any more.
        """
        async with connected(self._server, self._update, self._receive) as session:
            self._session = session
            self._request = replace(self._request, workflow=await self._workflow())
            specs, tools = await self._specs(), await prompt_tools(session.service, self._request)
            prepared = partial(prepare, self._request, specs, SystemRandom(), previews=False, tools=tools)
            request, _ = await asyncio.to_thread(prepared)
            self._feed.register(request.batch_id, request.prompt_ids)
            result = asyncio.wrap_future(session.service.submit(request))
            self._batch_id = request.batch_id
            if self._options.detach:
                return self._detach(await result)
            batch = await session.until(lambda _: self.batch)
            if self._options.as_json:
                await result
                write_documents([submitted_event(session.state, self.batch or batch, self._warnings)])
            return await self._follow(batch)

    async def _workflow(self) -> Workflow:
        """Return the workflow as the server takes it, and say what is wrong with it all the same."""
        try:
            workflow = await with_graph(self._session.service, self._request.workflow, SystemRandom())
        except ComfyError as error:
            raise request_error(error) from None
        given = [*self._request.values, *([Field.SEED] if self._request.seed is not None else [])]
        self._warnings = warnings(workflow, given)
        for message in self._warnings:
            self.note(message)
        return workflow

    async def _specs(self) -> Mapping[FieldKey, InputSpec]:
        try:
            return await server_specs(self._session.service, self._request.workflow, self._request.values)
        except ComfyError as error:
            self.note(f"The server's choices could not be read: {error}")
            return {}

    async def _follow(self, batch: Batch) -> End:
        subscription = Subscription(self._feed, Subject(batch_id=batch.id))
        saver = None
        if folder := self._options.output:
            saver = ImageSaver(self._session.service, folder, self.note)
        while True:
            await self._may_write.wait()
            if not (events := subscription.take()):
                await self._session.changed()
                continue
            for event in [each.event for each in events]:
                if isinstance(event, EndEvent):
                    return await self._finish(event, batch, saver)
                job = self._feed.state.jobs.get(event.prompt_id or "")
                if saver and job and isinstance(event, ImageEvent) and event.outputs:
                    saver.add(event, job, lambda saved: self._writer.write([saved]))
                else:
                    self._writer.write([event])
            await asyncio.sleep(INTERVAL)

    async def _finish(self, event: EndEvent, batch: Batch, saver: ImageSaver | None) -> End:
        if saver:
            event = await saver.finish(event, self._feed.state, batch)
        self._writer.write([event])
        if saver:
            write_last_line(saver.summary, as_json=self._options.as_json)
        return "failed" if saver and saver.failed and event.event == "done" else event.event

    def _detach(self, result: SubmitResult) -> End | Literal["detached"]:
        """Write what was submitted, or why nothing was."""
        state, batch = self._session.state, self.batch
        assert batch, "it was submitted"
        if not isinstance(result, Submitted):
            jobs = jobs_of(state, batch)
            failure = next((job.failure for job in jobs if job.failure), None)
            self.note(rejection_line(failure) if failure else "The server has none of the jobs.")
            self.explain_how_to_wait()
            return end_of(job for job in jobs if job.status.ended)
        event = submitted_event(state, batch, self._warnings)
        if self._options.as_json:
            write_documents([event])
        else:
            write_lines(submitted_lines(event), sys.stdout)
        self._writer.note(wait_line(state, batch, self._server.label, durable=self._session.service.is_durable))
        return "detached"

    def _update(self, state: SessionState) -> None:
        """Take the newest state, and say how the connection has changed since the batch was submitted."""
        self._feed.update(state)
        kind = state.link.kind
        if self._batch_id and kind not in {self._link, LinkKind.CONNECTING}:
            self._link = kind
            self.note(f"Connection: {kind}. {state.link.reason}".strip())

    def _receive(self, notification: Notification) -> None:
        if message := message_for(notification):
            self.note(message[0])

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        self._writer.note(sanitize(text, NOTE_LIMIT))

    def pause(self) -> None:
        """Write no events until `resume`, and remove the bars."""
        self._may_write.clear()
        self._writer.close()

    def resume(self) -> None:
        """Write the events that came meanwhile, and those that come."""
        self._may_write.set()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._writer.close()

    async def cancel(self) -> bool:
        """Cancel the jobs that have not ended; return whether all of them will end."""
        try:
            result: BatchCancelled | ComfyError = await asyncio.wrap_future(
                self._session.service.cancel_batch(self._batch_id)
            )
        except ComfyError as error:
            result = error
        text, severity = cancellation_message(result)
        self.note(text)
        return severity == "information"

    def explain_how_to_wait(self) -> None:
        """Say which jobs go on, and the command that waits for them; nothing if none does."""
        if batch := self.batch:
            durable = self._session.service.is_durable
            for line in left_lines(self._session.state, batch, self._server.label, durable=durable):
                self._writer.note(line)
