"""One server's session, kept true: the socket, the looks, the outbox and the single writer of the state."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar
from uuid import uuid4

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Unauthorized, Unreachable
from comfytui.comfy.events import (
    Event,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    PreviewImage,
    Progress,
    ProgressState,
    Status,
)
from comfytui.comfy.server import Server
from comfytui.comfy.socket import Closed, Opened, Unheard
from comfytui.service.cancel import Outcome, cancel, cancel_all
from comfytui.service.door import Door
from comfytui.service.looks import Looker
from comfytui.service.mailbox import Mailbox
from comfytui.service.notices import (
    BatchRefused,
    JobEnded,
    Notice,
    NotReached,
    PreviewReceived,
    ServiceFailed,
    SessionChanged,
    Severity,
    Told,
)
from comfytui.service.orders import Order, plan
from comfytui.service.outbox import LOOK_PAUSE, Outbox
from comfytui.service.watchdog import Watchdog
from comfytui.service.wire import News, Wire
from comfytui.session.events import (
    BatchPlanned,
    Connected,
    Disconnected,
    PromptDelayed,
    Quiet,
    SessionEvent,
    Unanswered,
)
from comfytui.session.model import Failure, Job, JobStatus, LinkKind, Stamp
from comfytui.session.reduce import reduce
from comfytui.session.state import SessionState

T = TypeVar("T")

BUSY = "The server takes connections but answers nothing just now: it may be loading a model."
RUN_FRAMES = (
    ExecutionStart,
    ExecutionCached,
    Executing,
    Progress,
    ProgressState,
    Executed,
    ExecutionSuccess,
    ExecutionError,
    ExecutionInterrupted,
)
"""Frames that are sent to the socket of whoever submitted the prompt."""


class SocketService:
    """Owns socket, HTTP client and state of one server; only `state` is for other threads."""

    def __init__(self, server: Server, client_id: str | None = None) -> None:
        self.server = server
        self.client_id = client_id or uuid4().hex
        self.state = SessionState(client_ids=frozenset({self.client_id}))
        self._mailboxes: tuple[Mailbox, ...] = ()
        self._client: ComfyClient | None = None
        self._door = Door(self._apply)
        self._outbox = Outbox(
            self._apply, self._is_unsent, self.client_id, self._refused, self._tell, self.cancel, self._sendable
        )
        self._looker = Looker(self._apply, lambda: self.state, self._door)
        self._watchdog = Watchdog(lambda: self.state, self._apply, self._look_closely, self._renew)
        self._wires: tuple[Wire, ...] = ()
        self._tried = False
        self._was_live = False

    def subscribe(self, mailbox: Mailbox) -> None:
        """Put the present state, and what follows, into a mailbox."""
        self._mailboxes = (*self._mailboxes, mailbox)
        mailbox.put(SessionChanged(self.server.shown, self.state))

    async def run(self) -> None:
        """Serve until cancelled; a fault of our own ends it with an exception, and the next run goes on from there."""
        try:
            async with ComfyClient(self.server) as client, asyncio.TaskGroup() as tasks:
                self._client = client
                self._wires = (Wire(self.server, self.client_id, self._receive, self._no_socket, self._hopeful),)
                for wire in self._wires:
                    tasks.create_task(wire.run())
                tasks.create_task(self._watchdog.run())
                tasks.create_task(self._looker.run(client))
                tasks.create_task(self._looker.watch_box(client))
                tasks.create_task(self._outbox.run(client))
        finally:
            self._client = None

    def submit(self, order: Order) -> None:
        """Plan a batch and send it as the server takes it."""
        batch, jobs, parcels = plan(order, self.client_id, time.time())
        self._apply(BatchPlanned(batch, jobs))
        self._outbox.add(parcels)

    async def cancel(self, prompt_id: str) -> None:
        """Cancel one job and tell what came of it."""
        await self._cancelled(lambda client: cancel(prompt_id, self.state, client, self._outbox, self._apply))

    async def cancel_batch(self, batch: str) -> None:
        """Cancel what is still to end of a batch and tell what came of it."""
        prompts = self.state.batches[batch].prompts if batch in self.state.batches else ()
        known = (self.state.jobs.get(prompt_id) for prompt_id in prompts)
        jobs = [job for job in known if job and not job.status.ended]
        await self._cancelled(lambda client: cancel_all(jobs, client, self._outbox, self._apply))

    async def _cancelled(self, order: Callable[[ComfyClient], Awaitable[Outcome]]) -> None:
        try:
            told = await order(self._require_client())
        except ComfyError as error:
            told = f"Not cancelled: {error}", "error"
        self._tell(*told)
        self._looker.want()

    async def answer(self, question: Callable[[ComfyClient], Awaitable[T]], answer: Future[T]) -> None:
        """Answer a question of the subscriber's own with this service's client, unless it is no longer asked."""
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(await question(self._require_client()))
        except Exception as error:
            answer.set_exception(error)

    def reconnect(self) -> None:
        """Close the sockets that are open, and connect now."""
        self._door.close()
        self._renew()
        self._looker.want()

    def post(self, notice: Notice) -> None:
        """Hand a notice to every subscriber."""
        for mailbox in self._mailboxes:
            try:
                mailbox.put(notice)
            except RuntimeError:
                # Its loop is gone, and a subscriber that left must not end the service for the others.
                self._mailboxes = tuple(other for other in self._mailboxes if other is not mailbox)

    def broke(self, reason: str, retry_in: float) -> None:
        """Tell that a fault of our own ended `run`, which begins again in `retry_in` seconds."""
        self.post(ServiceFailed(self.server.shown, reason, retry_in))
        self._apply(Disconnected(f"A fault in comfytui: {reason}.", retry_in))
        self._apply(Unanswered(f"A fault in comfytui: {reason}."))

    def _require_client(self) -> ComfyClient:
        if self._client is None:
            raise Unreachable("comfytui is not connected just now: try again in a moment.")
        return self._client

    def _apply(self, event: SessionEvent) -> None:
        before = self.state
        self.state = state = reduce(before, event, Stamp(time.monotonic(), time.time()))
        if state is before:
            return
        self.post(SessionChanged(self.server.shown, state))
        if state.jobs is not before.jobs:
            for job in _just_ended(before, state):
                self.post(JobEnded(self.server.shown, job))

    def _is_unsent(self, prompt_id: str) -> bool:
        job = self.state.jobs.get(prompt_id)
        return job is not None and job.status is JobStatus.SUBMITTING

    async def _sendable(self, prompt_id: str) -> bool:
        """Whether the server is there and the right one; waits for it a while, and says what a prompt waits for."""
        if not self._door.is_open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._door.wait(), LOOK_PAUSE)
        if not self._door.is_open:
            self._apply(PromptDelayed(prompt_id, self.state.link.reason or "waiting for the server"))
        return self._door.is_open

    def _refused(self, batch: str, failure: Failure) -> None:
        self.post(BatchRefused(self.server.shown, batch, failure))

    def _renew(self) -> None:
        for wire in self._wires:
            wire.renew()

    async def _look_closely(self) -> None:
        """Look at the queue and the memory now."""
        client = self._require_client()
        await self._looker.look(client)
        await self._looker.read_box(client)

    def _tell(self, text: str, severity: Severity) -> None:
        self.post(Told(self.server.shown, text, severity))

    def _hopeful(self) -> bool:
        """Whether a socket that nothing seemed to mend may come to life: the server was or is one."""
        return self._was_live or self.state.link.kind is LinkKind.POLLING

    def _no_socket(self, error: ComfyError) -> None:
        """The server will not have a socket of ours; perhaps it answers over HTTP."""
        kind = LinkKind.UNAUTHORISED if isinstance(error, Unauthorized) else LinkKind.NOT_COMFYUI
        self._apply(Disconnected(str(error), kind=kind))
        self._looker.want()

    def _missed(self, error: ComfyError) -> None:
        """Tell it if the first try of all found nothing: the address is wrong, or the box is down."""
        if not self._tried:
            self._tried = True
            self.post(NotReached(self.server.shown, str(error)))

    def _receive(self, client_id: str, news: News) -> None:
        match news:
            case Opened():
                self._tried = self._was_live = True
                self._watchdog.opened()
                self._apply(Connected(client_id))
                self._looker.want(history=True)
            case Closed(reason=reason, retry_in=retry_in, error=error):
                self._door.close()
                self._apply(Disconnected(reason, retry_in))
                if isinstance(error, Unreachable):
                    self._missed(error)
                self._tried = True
                self._looker.want()
            case Unheard():
                self._apply(Quiet(deaf=False, reason=BUSY))
            case PreviewImage(image=image, prompt_id=prompt_id):
                self._watchdog.hear(of_a_run=True)
                live = self.state.live
                if live and prompt_id in {None, live.prompt_id}:
                    self.post(PreviewReceived(self.server.shown, live.prompt_id, image))
            case _:
                self._watchdog.hear(of_a_run=_of_a_run(news))
                self._apply(news)
                if _worth_a_look(news):
                    self._looker.want()


def _of_a_run(event: Event) -> bool:
    """Whether a frame proves that frames of runs get through; the greeting after a reconnect names no prompt."""
    return isinstance(event, RUN_FRAMES) and event.prompt_id is not None


def _worth_a_look(event: Event) -> bool:
    """Whether the queue or the history may tell more than the frame does."""
    match event:
        case Status() | ExecutionSuccess() | ExecutionError() | ExecutionInterrupted() | Executing(node=None):
            return True
        case _:
            return False


def _just_ended(before: SessionState, after: SessionState) -> list[Job]:
    """My jobs that were open in `before` and are not in `after`."""
    return [
        job
        for prompt_id, job in after.jobs.items()
        if job.mine and job.status.ended and (old := before.jobs.get(prompt_id)) and not old.status.ended
    ]
