"""Runs the session with one server: joins its connection, its submissions and its state."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.cancellation import run_in_task, suppress_group
from comfytui.comfy.errors import Unreachable
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.service.backend import Backend, BackendFactory
from comfytui.service.connection.manager import ConnectionManager
from comfytui.service.definitions import DefinitionReader, ServerDefinitions
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.prompt_history import UsedPrompt
from comfytui.service.mailbox import Mailbox, Subscribers
from comfytui.service.notifications import Notification, ServiceFailed
from comfytui.service.store import SessionStore
from comfytui.service.submission.batch import GraphStore
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.job_commands import JobCommands
from comfytui.service.submission.manager import SubmissionManager
from comfytui.service.submission.recorder import Recorder
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, Timings

T = TypeVar("T")


class SessionService:
    """The session with one server; belongs to one event loop, but for `state`, which other threads may read.

    A different server that the user accepts at the same address has a service of its own, see `successor`.

    Args:
        server: The server.
        new_backend: Opens the connection to it.
        journal: Keeps my jobs, and the fingerprint of the known server; it is opened before `run`.
        subscribers: Get the state and the other notifications.
        client_id: The client id to use; else those that the journal has, or a new one.
        fresh: Leave alone what the journal has of earlier runs.
        fingerprint: The fingerprint of the known server, if it is not the one that the journal has for this address.
        login: The number of the login that the server's credentials are from, see `log_in`.
        definitions: Reads the definitions of all node classes; None: nothing of them outlives the process.
        timings: How long it waits for what.
        clock: The time source.
    """

    def __init__(
        self,
        server: Server,
        new_backend: BackendFactory,
        journal: AsyncJournal,
        subscribers: Subscribers,
        *,
        client_id: str | None = None,
        fresh: bool = False,
        fingerprint: str = "",
        login: int = 0,
        definitions: DefinitionReader | None = None,
        timings: Timings = DEFAULT,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.server = server
        self._new_backend = new_backend
        self._journal = journal
        self._subscribers = subscribers
        self._client_id = client_id
        self._fingerprint = fingerprint
        self._login = login
        self._definitions = definitions or DefinitionReader()
        self._timings = timings
        self._clock = clock
        self._backend: Backend | None = None
        self._client_ids = ClientIds(journal, server, fresh=fresh, client_id=client_id)
        graphs = GraphStore()
        recorder = Recorder(journal, lambda: self._client_ids.endpoint, graphs)
        self._store = SessionStore(server.label, recorder, subscribers, timings.session, clock)
        self.commands = JobCommands(self._store, graphs, journal, self._require_backend, self._poll, timings.submission)
        """Cancels, resends and recovers jobs."""
        self._connection = self._new_connection()
        self.submissions = SubmissionManager(
            self._store,
            self._client_ids,
            graphs,
            recorder,
            journal,
            self._connection,
            self.commands.cancel,
            timings=timings.submission,
            clock=clock,
        )
        """Submits batches."""
        self._store.follow_with(self.submissions.follow)
        self._reconnect_all = asyncio.Event()
        self.accepted = ""
        """The fingerprint of the other server that the user accepted; empty before."""

    def _new_connection(self) -> ConnectionManager:
        return ConnectionManager(
            self.server,
            lambda: self.state,
            self._store.apply,
            self.post,
            self._identified,
            self.commands.apply_cancelled_elsewhere,
            login=self._login,
            timings=self._timings,
            clock=self._clock,
        )

    @property
    def state(self) -> SessionState:
        """The newest state."""
        return self._store.state

    def subscribe(self, mailbox: Mailbox) -> None:
        """Put the present state, and the notifications that follow, into a mailbox."""
        self._store.subscribe(mailbox)

    def post(self, notification: Notification) -> None:
        """Send a notification to every subscriber."""
        self._store.post(notification)

    async def run(self) -> None:
        """Serve until the user accepts another server; after a crash, the next run continues from there."""
        if not self._client_ids.client_ids:
            await self._start()
        while not self.accepted:
            self._reconnect_all.clear()
            with suppress_group(_ReconnectAllError):
                await run_in_task(self._serve())

    def successor(self) -> "SessionService":
        """Close this service, and return one for the server that was accepted.

        It starts with an empty session, and has this one's journal, subscribers and credentials.
        """
        self._store.close()
        self.submissions.close()
        return SessionService(
            self.server,
            self._new_backend,
            self._journal,
            self._subscribers,
            client_id=self._client_id,
            fingerprint=self.accepted,
            login=self._login,
            definitions=self._definitions,
            timings=self._timings,
            clock=self._clock,
        )

    async def _start(self) -> None:
        """Acquire the client ids of the server that was accepted, or else of the one that last answered here."""
        fingerprint = self._fingerprint or await self._client_ids.last_fingerprint()
        self._connection.expect(fingerprint)
        await self.submissions.acquire_client_ids(fingerprint)
        if self._fingerprint:
            self.submissions.identified(fingerprint)

    async def _serve(self) -> None:
        try:
            async with self._new_backend(self.server) as backend, asyncio.TaskGroup() as tasks:
                self._backend = backend

                def open_socket(client_id: str) -> None:
                    tasks.create_task(self._connection.run_socket(backend, client_id))

                for coroutine in self._connection.coroutines(backend, self._client_ids.client_ids):
                    tasks.create_task(coroutine)
                for coroutine in self.submissions.coroutines(backend, open_socket, self._connection.end_socket):
                    tasks.create_task(coroutine)
                tasks.create_task(_reconnect_all_after(self._reconnect_all))
        finally:
            self._backend = None

    def accept_server(self) -> None:
        """End `run` in favour of the other server that was reported, even if a third one answers by now."""
        if self.state.link.kind is LinkKind.OTHER_SERVER:
            self.accepted = self._connection.connection.gate.other_fingerprint
            self._reconnect_all.set()

    def log_in(self, authorization: str, number: int) -> None:
        """Reconnect with this Authorization header, in every request and handshake until the program ends.

        Args:
            authorization: The value of the header.
            number: What `LoginRequired` calls this login, should the server refuse it.
        """
        before, self.server = self.server, self.server.with_authorization(authorization)
        redactor_of(self.server, before)
        self._login = number
        self._connection.log_in(self.server, number)
        self._reconnect_all.set()

    def reconnect(self) -> None:
        """Close the sockets that are open, and connect now."""
        self._connection.reconnect()

    async def call(self, request: Callable[[Backend], Awaitable[T]]) -> T:
        """Return the result of a request of the caller's own with this service's backend.

        Raises:
            Unreachable: if there is no backend just now.
        """
        return await request(self._require_backend())

    async def definitions(self, class_types: Collection[str]) -> ServerDefinitions:
        """Return the definitions of all node classes; arguments and errors as for `ServiceThread.definitions`."""
        gate = self._connection.connection.gate
        if self._backend is None and (earlier := await self._definitions.read_earlier(gate.fingerprint)) is not None:
            return ServerDefinitions(earlier, is_current=False)
        return await self._definitions.read(
            self._require_backend(), class_types, fingerprint=gate.fingerprint, breaks=gate.breaks
        )

    async def used_prompts(self, *, negative: bool = False) -> list[UsedPrompt]:
        """Return the prompts of my batches; arguments as for `ServiceThread.used_prompts`."""
        return await (self._journal.used_negatives() if negative else self._journal.used_prompts())

    async def find_ended(self, ids: Sequence[str]) -> None:
        """Have jobs in the state that ended long ago; arguments and errors as for `ServiceThread.find_ended`."""
        await self.submissions.find_ended(ids)
        await self.commands.find_ended([each for each in ids if each not in self.state.jobs])

    async def recognised(self) -> None:
        """Wait until every client id is looked up that jobs in the queue and the history have.

        The history is then read once more if ended jobs there turned out to be mine.
        """
        poller = self._connection.poller
        await poller.has_read_history.wait()
        await self.submissions.recognised()
        jobs, client_ids = self.state.jobs, self.state.client_ids
        if any(job.status.ended and not job.mine and job.owner in client_ids for job in jobs.values()):
            await poller.reread_history()
        await self.submissions.recognised()  # How jobs ended that are neither in the queue nor in the history.

    def report_crash(self, reason: str, retry_in: float) -> None:
        """Report that a crash ended `run`, which begins again in `retry_in` seconds."""
        self.post(ServiceFailed(self.server.label, reason, retry_in))
        self._connection.crashed(f"A fault in comfytui: {reason}.", retry_in)

    def _require_backend(self) -> Backend:
        if self._backend is None:
            raise Unreachable("comfytui is not connected right now: try again in a moment.")
        return self._backend

    def _poll(self) -> None:
        self._connection.poller.request()

    def _identified(self, fingerprint: str) -> None:
        self.submissions.identified(fingerprint)


class _ReconnectAllError(Exception):
    """The user accepted another server, or logged in: all connections are made anew."""


async def _reconnect_all_after(event: asyncio.Event) -> None:
    await event.wait()
    raise _ReconnectAllError
