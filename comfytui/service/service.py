"""Runs the session with one server: joins its connection, its submissions, its journal and its state."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.cancellation import run_in_task, suppress_group
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import Unreachable
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.service.connection.manager import ConnectionManager
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.mailbox import Mailbox
from comfytui.service.notifications import Notification, ServiceFailed, UserMessage
from comfytui.service.store import SessionStore
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.manager import SubmissionManager
from comfytui.session.events import Disconnected, HttpFailed, SessionEvent
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, Timings

T = TypeVar("T")


class SessionService:
    """The session with one server; belongs to one event loop, but for `state`, which other threads may read.

    Args:
        server: The server.
        client_id: The client id to use; else those that the journal has, or a new one.
        folder: Where the journal is kept; None: nothing outlives the process.
        fresh: Leave alone what the journal has of earlier runs.
        timings: How long it waits for what.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        server: Server,
        client_id: str | None = None,
        *,
        folder: Path | None = None,
        fresh: bool = False,
        timings: Timings = DEFAULT,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.server = server
        self._timings = timings
        self._client: ComfyClient | None = None
        self._journal = AsyncJournal(self._warn, folder, timings.journal)
        self._store = SessionStore(server.label, self._journal, timings.session, clock)
        self._client_ids = ClientIds(self._journal, server, fresh=fresh, client_id=client_id)
        self._connection = ConnectionManager(
            server,
            lambda: self.state,
            self._apply,
            self.post,
            self._identified,
            self._apply_cancelled_elsewhere,
            timings=timings,
            clock=clock,
        )
        self.submissions = SubmissionManager(
            server.label,
            self._store,
            self._apply,
            self._client_ids,
            self._journal,
            self._connection,
            self._require_client,
            timings=timings.submission,
            clock=clock,
        )
        """Submits, resends and cancels jobs."""
        self._server_accepted = asyncio.Event()
        self._logged_in = asyncio.Event()

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
        """Serve until cancelled; a crash ends it with an exception, and the next run continues from there."""
        await self._journal.open()
        while True:
            if not self._client_ids.client_ids:
                identity = self._connection.identity
                identity.fingerprint = identity.fingerprint or await self._client_ids.last_fingerprint()
                await self.submissions.acquire_client_ids(identity.fingerprint)
            self._logged_in.clear()
            with suppress_group(_ReconnectAllError):
                await run_in_task(self._serve())
            if self._server_accepted.is_set():
                self._reset()

    async def close(self) -> None:
        """Write what is left to the journal, and release the client ids."""
        await self._journal.close()

    async def _serve(self) -> None:
        try:
            async with ComfyClient(self.server, self._timings.http) as client, asyncio.TaskGroup() as tasks:
                self._client = client

                def open_socket(client_id: str) -> None:
                    tasks.create_task(self._connection.run_socket(client_id))

                for coroutine in self._connection.coroutines(client, self._client_ids.client_ids):
                    tasks.create_task(coroutine)
                for coroutine in self.submissions.coroutines(client, open_socket):
                    tasks.create_task(coroutine)
                tasks.create_task(_reconnect_all_after(self._server_accepted))
                tasks.create_task(_reconnect_all_after(self._logged_in))
        finally:
            self._client = None

    def _reset(self) -> None:
        """Start over with the server that was accepted."""
        self.submissions.reset()
        self._server_accepted.clear()
        self._connection.identity.invalidate()
        self._store.reset()

    def accept_server(self) -> None:
        """Serve the other server that answers at this address from now on."""
        if self.state.link.kind is LinkKind.OTHER_SERVER:
            self._connection.identity.accept()
            self._server_accepted.set()

    def log_in(self, authorization: str, number: int) -> None:
        """Reconnect with this Authorization header, in every request and handshake until the program ends.

        Args:
            authorization: The value of the header.
            number: What `LoginRequired` calls this login, should the server refuse it.
        """
        before, self.server = self.server, self.server.with_authorization(authorization)
        redactor_of(self.server, before)
        self._connection.log_in(self.server, number)
        self._logged_in.set()

    def reconnect(self) -> None:
        """Close the sockets that are open, and connect now."""
        self._connection.reconnect()

    async def call(self, request: Callable[[ComfyClient], Awaitable[T]]) -> T:
        """Return the result of a request of the caller's own with this service's client.

        Raises:
            Unreachable: if there is no client just now.
        """
        return await request(self._require_client())

    def report_crash(self, reason: str, retry_in: float) -> None:
        """Report that a crash ended `run`, which begins again in `retry_in` seconds."""
        self.post(ServiceFailed(self.server.label, reason, retry_in))
        self._apply(Disconnected(f"A fault in comfytui: {reason}.", retry_in))
        self._apply(HttpFailed(f"A fault in comfytui: {reason}."))

    def _require_client(self) -> ComfyClient:
        if self._client is None:
            raise Unreachable("comfytui is not connected right now: try again in a moment.")
        return self._client

    def _apply(self, event: SessionEvent) -> None:
        before = self.state
        if self._store.apply(event):
            self.submissions.follow(event, before)

    def _identified(self, fingerprint: str) -> None:
        self.submissions.identified(fingerprint)

    async def _apply_cancelled_elsewhere(self) -> None:
        await self.submissions.apply_cancelled_elsewhere()

    def _warn(self, text: str) -> None:
        self.post(UserMessage(self.server.label, text, "warning"))


class _ReconnectAllError(Exception):
    """The user accepted another server, or logged in: all connections are made anew."""


async def _reconnect_all_after(event: asyncio.Event) -> None:
    await event.wait()
    raise _ReconnectAllError
