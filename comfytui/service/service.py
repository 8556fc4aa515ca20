"""One server's session, kept true: the lines to it, the outbox, the journal and the single writer of the state."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from comfytui.comfy.cancellation import run_in_task, suppress_group
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.service.connection.manager import ConnectionManager
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import SavedBatch
from comfytui.service.mailbox import Mailbox, Subscribers
from comfytui.service.notifications import (
    BatchRefused,
    JobEnded,
    Notice,
    ServiceFailed,
    SessionChanged,
    Severity,
    UserMessage,
)
from comfytui.service.submission.batch import BatchRequest, Submission, plan
from comfytui.service.submission.cancel import Outcome, cancel, cancel_all
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.graph_lookup import kept_graph, server_graph
from comfytui.service.submission.outbox import Outbox
from comfytui.service.submission.recorder import catch_up, record
from comfytui.service.submission.recovery import found, in_history, parcels_of
from comfytui.service.submission.resumption import Resumption, resume
from comfytui.session.events import (
    BatchPlanned,
    ClientIdsAcquired,
    Disconnected,
    HistorySnapshot,
    HttpFailed,
    JobCancelled,
    JobsResent,
    SessionEvent,
)
from comfytui.session.model import Failure, JobStatus, LinkKind, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.selectors import just_ended, lost_jobs
from comfytui.session.state import SessionState
from comfytui.workflow.graph import Graph

T = TypeVar("T")


class SocketService:
    """Owns socket, HTTP client and state of one server; only `state` is for other threads."""

    def __init__(
        self, server: Server, client_id: str | None = None, *, folder: Path | None = None, fresh: bool = False
    ) -> None:
        self.server = server
        self.state = SessionState()
        self._subscribers = Subscribers()
        self._client: ComfyClient | None = None
        self._journal = AsyncJournal(lambda sentence: self._tell(sentence, "warning"), folder)
        self._tenancy = ClientIds(self._journal, server, fresh=fresh, client_id=client_id)
        self._lines = ConnectionManager(
            server, lambda: self.state, self._apply, self.post, self._learned, self._learn_cancelled
        )
        self._outbox = self._new_outbox()
        self._orders: list[BatchRequest] = []
        self._kept: dict[str, Submission] = {}
        self._moved = asyncio.Event()
        self._logged_in = asyncio.Event()
        self._recognition = Resumption(
            self._tenancy,
            lambda: self.state,
            self._take_over,
            lambda: self._lines.poller.request(history=True),
        )

    def subscribe(self, mailbox: Mailbox) -> None:
        """Put the present state, and what follows, into a mailbox."""
        self._subscribers.add(mailbox)
        mailbox.put(SessionChanged(self.server.shown, self.state))

    async def run(self) -> None:
        """Serve until cancelled; a fault of our own ends it with an exception, and the next run goes on from there."""
        await self._journal.open()
        while True:
            if not self._tenancy.client_ids:
                await self._move_in()
            self._logged_in.clear()
            with suppress_group(_ServeAnewError):
                await run_in_task(self._serve())
            if self._moved.is_set():
                self._move_out()

    async def close(self) -> None:
        """Write down what is left, and let others have the ids."""
        await self._journal.close()

    async def _serve(self) -> None:
        try:
            async with ComfyClient(self.server) as client, asyncio.TaskGroup() as tasks:
                self._client = client
                for work in self._lines.coroutines(client, self._tenancy.client_ids):
                    tasks.create_task(work)
                tasks.create_task(self._outbox.run(client))
                tasks.create_task(_serve_anew_after(self._moved))
                tasks.create_task(_serve_anew_after(self._logged_in))
                tasks.create_task(self._recognition.run(lambda each: tasks.create_task(self._lines.run_socket(each))))
        finally:
            self._client = None

    async def _move_in(self) -> None:
        """Take the ids of the box over, and all that is known of their prompts."""
        self._lines.identity.fingerprint = self._lines.identity.fingerprint or await self._tenancy.known_box()
        saved = await self._tenancy.move_in(self._lines.identity.fingerprint)
        self._take_over(saved)
        orders, self._orders = self._orders, []
        for order in orders:
            self.submit(order)

    def _learned(self, fingerprint: str) -> None:
        """The server has shown which one it is: batches of before may be known of it."""
        self._tenancy.learned(fingerprint)
        self._recognition.want()

    async def _learn_cancelled(self) -> None:
        """Take from the journal which of my jobs that left the queue another comfytui cancelled."""
        left = [
            job for job in self.state.jobs.values() if job.mine and (job.left_queue or job.status is JobStatus.LOST)
        ]
        gone = [job.prompt_id for job in left if not job.status.final]
        for prompt_id in await self._journal.cancelled_among(gone) if gone else ():
            self._apply(JobCancelled(prompt_id))

    def _take_over(self, saved: Sequence[SavedBatch]) -> None:
        """Go on with batches of before where they were left, as whose jobs are mine."""
        self._apply(ClientIdsAcquired(self._tenancy.mine, self._tenancy.elsewhere))
        for batch in saved:
            self._tenancy.own(batch.batch.id, batch.client_id)
            self._kept |= resume(batch, self._apply, self._outbox)
            catch_up(self._journal, batch, self.state)

    def _move_out(self) -> None:
        """Forget the box of before, whose prompts the journal has."""
        self._tenancy.move_out()
        self._outbox = self._new_outbox()
        self._kept.clear()
        self._moved.clear()
        self._recognition.forget()
        self._lines.identity.invalidate()
        self.state = SessionState(link=self.state.link)
        self.post(SessionChanged(self.server.shown, self.state))

    @property
    def is_durable(self) -> bool:
        """Whether what is not sent yet is sent by the next start."""
        return self._tenancy.is_durable and not self._orders

    def accept_server(self) -> None:
        """Serve the other box that answers at this address from now on."""
        if self.state.link.kind is LinkKind.OTHER_BOX:
            self._lines.identity.accept()
            self._moved.set()

    def log_in(self, authorization: str, number: int) -> None:
        """Connect anew with this Authorization header, in every request and handshake until the program ends.

        Args:
            authorization: The value of the header.
            number: What `LoginRequired` calls this login, should the server refuse it.
        """
        before, self.server = self.server, self.server.with_authorization(authorization)
        redactor_of(self.server, before)
        self._lines.log_in(self.server, number)
        self._logged_in.set()

    def submit(self, order: BatchRequest) -> None:
        """Plan a batch and send it as the server takes it."""
        if not self._tenancy.client_ids:
            self._orders.append(order)
            return
        batch, jobs, submissions = plan(order, self._tenancy.client_id, time.time())
        self._tenancy.plan(batch, submissions)
        self._kept |= {submission.prompt_id: submission for submission in submissions}
        self._apply(BatchPlanned(batch, jobs))
        self._outbox.add(submissions)
        self._lines.poller.request()

    async def resend(self, prompt_ids: Sequence[str]) -> None:
        """Send jobs that the server forgot once more, as they were and in their order."""
        await self._learn_cancelled()
        jobs = [job for job in lost_jobs(self.state) if job.prompt_id in prompt_ids]
        submissions = await parcels_of(jobs, self._kept, self._journal)
        self._kept |= {submission.prompt_id: submission for submission in submissions}
        self._journal.resent({submission.prompt_id for submission in submissions})
        self._apply(JobsResent(tuple(submission.prompt_id for submission in submissions)))
        self._outbox.add(submissions)
        missing = len(jobs) - len(submissions)
        if missing:
            self._tell(f"{missing} of them cannot be resent: their workflows were not kept.", "warning")

    async def recover_outputs(self, prompt_ids: Sequence[str], client: ComfyClient) -> int:
        """Look for pictures of jobs that the server forgot; how many jobs were finished after all."""
        await self._learn_cancelled()
        jobs = [job for job in lost_jobs(self.state) if job.prompt_id in prompt_ids]
        known = await in_history([job.prompt_id for job in jobs], client)
        ids = {past.prompt.prompt_id for past in known}
        rest = [job for job in jobs if job.prompt_id not in ids]
        finished = (*known, *await found(await parcels_of(rest, self._kept, self._journal), client))
        self._apply(HistorySnapshot(finished))
        return len(finished)

    async def graph_of(self, prompt_id: str) -> Graph | None:
        """The graph of a job, anybody's, to make it again; None where neither this machine nor the server has it."""
        if graph := await kept_graph(prompt_id, self._kept, self._journal):
            return graph
        job = self.state.jobs.get(prompt_id)
        return await server_graph(job, self._require_client()) if job else None

    async def cancel(self, prompt_id: str, *, force: bool = False) -> None:
        """Cancel one job and tell what came of it; only if `force` where a server can but stop whatever runs."""
        await self._cancelled(
            lambda client: cancel(prompt_id, self.state, client, self._outbox, self._apply, force=force)
        )

    async def cancel_batch(self, batch: str, *, force: bool = False) -> None:
        """Cancel what is still to end or lost of a batch and tell what came of it; `force` as above."""
        prompts = self.state.batches[batch].prompts if batch in self.state.batches else ()
        known = (self.state.jobs.get(prompt_id) for prompt_id in prompts)
        jobs = [job for job in known if job and not job.status.final]
        await self._cancelled(
            lambda client: cancel_all(jobs, self.state, client, self._outbox, self._apply, force=force)
        )

    async def _cancelled(self, order: Callable[[ComfyClient], Awaitable[Outcome]]) -> None:
        try:
            told = await order(self._require_client())
        except ComfyError as error:
            told = f"Not cancelled: {error}", "error"
        self._tell(*told)
        self._lines.poller.request()

    async def answer(self, question: Callable[[ComfyClient], Awaitable[T]], answer: Future[T]) -> None:
        """Answer a question of the subscriber's own with this service's client, unless it is no longer asked."""
        await self.fulfil(lambda: question(self._require_client()), answer)

    async def fulfil(self, work: Callable[[], Awaitable[T]], answer: Future[T]) -> None:
        """Do some work and give its result, or its error, to whoever waits for it; none where nobody does any more."""
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(await work())
        except Exception as error:
            answer.set_exception(error)

    def reconnect(self) -> None:
        """Close the sockets that are open, and connect now."""
        self._lines.reconnect()

    def post(self, notice: Notice) -> None:
        """Hand a notice to every subscriber."""
        self._subscribers.put(notice)

    def report_crash(self, reason: str, retry_in: float) -> None:
        """Tell that a fault of our own ended `run`, which begins again in `retry_in` seconds."""
        self.post(ServiceFailed(self.server.shown, reason, retry_in))
        self._apply(Disconnected(f"A fault in comfytui: {reason}.", retry_in))
        self._apply(HttpFailed(f"A fault in comfytui: {reason}."))

    def _require_client(self) -> ComfyClient:
        if self._client is None:
            raise Unreachable("comfytui is not connected right now: try again in a moment.")
        return self._client

    def _apply(self, event: SessionEvent) -> None:
        before = self.state
        self.state = state = reduce(before, event, Stamp(time.monotonic(), time.time()))
        if state is before:
            return
        self._recognition.follow(event, state)
        record(self._journal, before, state)
        self.post(SessionChanged(self.server.shown, state))
        if state.jobs is not before.jobs:
            for job in just_ended(before, state):
                if job.status is not JobStatus.LOST or job.owner not in state.held_elsewhere:
                    self.post(JobEnded(self.server.shown, job))
            for key in [key for key in self._kept if (kept := state.jobs.get(key)) and kept.status.final]:
                del self._kept[key]

    def _new_outbox(self) -> Outbox:
        return Outbox(
            self._apply,
            self._is_unsent,
            lambda submission: self._tenancy.owner_of(submission.batch),
            self._previews_of,
            self._refused,
            self._tell,
            self.cancel,
            self._lines.sendable,
            self._lines.poller.evidence,
            self._journal,
            connected_since=self._lines.connected_since,
        )

    def _is_unsent(self, prompt_id: str) -> bool:
        job = self.state.jobs.get(prompt_id)
        return job is not None and job.status is JobStatus.SUBMITTING

    def _previews_of(self, submission: Submission) -> str | None:
        """What previews a prompt asks for: none while the link cannot keep up with those that come."""
        return "none" if self.state.link.behind else submission.preview_method

    def _refused(self, batch: str, failure: Failure) -> None:
        self.post(BatchRefused(self.server.shown, batch, failure))

    def _tell(self, text: str, severity: Severity) -> None:
        self.post(UserMessage(self.server.shown, text, severity))


class _ServeAnewError(Exception):
    """The user took another box, or logged in: all connections are made anew."""


async def _serve_anew_after(event: asyncio.Event) -> None:
    await event.wait()
    raise _ServeAnewError
