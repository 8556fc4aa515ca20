"""One server's session, kept true: the socket, the looks, the outbox and the single writer of the state."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from typing import TypeVar
from uuid import uuid4

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, Unauthorized, Unreachable
from comfytui.comfy.events import (
    Event,
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionSuccess,
    PreviewImage,
    Status,
)
from comfytui.comfy.server import Server
from comfytui.comfy.socket import LONGEST_DELAY, Closed, Opened, events
from comfytui.service.cancel import cancel
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
from comfytui.service.outbox import Outbox
from comfytui.session.events import BatchPlanned, Connected, Disconnected, SessionEvent
from comfytui.session.model import Failure, Job, JobStatus, LinkKind, Stamp
from comfytui.session.reduce import reduce
from comfytui.session.state import SessionState

T = TypeVar("T")


class SocketService:
    """Owns socket, HTTP client and state of one server; only `state` is for other threads."""

    def __init__(self, server: Server, client_id: str | None = None) -> None:
        self.server = server
        self.client_id = client_id or uuid4().hex
        self.state = SessionState(client_ids=frozenset({self.client_id}))
        self._mailboxes: tuple[Mailbox, ...] = ()
        self._client: ComfyClient | None = None
        self._outbox = Outbox(self._apply, self._is_unsent, self.client_id, self._refused, self._tell, self.cancel)
        self._looker = Looker(self._apply, lambda: self.state)
        self._again = asyncio.Event()
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
                tasks.create_task(self._listen())
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
        try:
            told = await cancel(prompt_id, self.state, self._require_client(), self._outbox, self._apply)
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
        """Try a link that is down again now."""
        if self.state.link.kind is not LinkKind.LIVE:
            self._again.set()
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

    def _refused(self, batch: str, failure: Failure) -> None:
        self.post(BatchRefused(self.server.shown, batch, failure))

    def _tell(self, text: str, severity: Severity) -> None:
        self.post(Told(self.server.shown, text, severity))

    async def _listen(self) -> None:
        while True:
            try:
                # Closed with the loop that made it, so that no socket outlives a fault.
                async with aclosing(events(self.server, self.client_id, sleep=self._rest)) as stream:
                    async for event in stream:
                        self._receive(event)
            except (Unauthorized, NotComfyUI) as error:
                kind = LinkKind.UNAUTHORISED if isinstance(error, Unauthorized) else LinkKind.NOT_COMFYUI
                self._apply(Disconnected(str(error), kind=kind))
                self._missed(error)
            # What was a ComfyUI before may be one again by itself: a proxy restarts, a login is renewed.
            await self._rest(LONGEST_DELAY if self._was_live else None)

    async def _rest(self, seconds: float | None) -> None:
        """Wait for so long, or until the user wants the link tried again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), seconds)
        self._again.clear()

    def _missed(self, error: ComfyError) -> None:
        """Tell it if the first try of all found nothing: the address is wrong, or the box is down."""
        if not self._tried:
            self._tried = True
            self.post(NotReached(self.server.shown, str(error)))

    def _receive(self, event: Event | Opened | Closed) -> None:
        match event:
            case Opened():
                self._tried = self._was_live = True
                self._apply(Connected(self.client_id))
                self._looker.want(history=True)
            case Closed(reason=reason, retry_in=retry_in, error=error):
                self._apply(Disconnected(reason, retry_in))
                if isinstance(error, Unreachable):
                    self._missed(error)
                self._tried = True
            case PreviewImage(image=image, prompt_id=prompt_id):
                live = self.state.live
                if live and prompt_id in {None, live.prompt_id}:
                    self.post(PreviewReceived(self.server.shown, live.prompt_id, image))
            case _:
                self._apply(event)
                if _worth_a_look(event):
                    self._looker.want()


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
