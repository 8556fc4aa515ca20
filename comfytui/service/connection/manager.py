"""Keeps the connection to one server: carries out what its state machine wants, and brings it what happens."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any, assert_never

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError, Unauthorized
from comfytui.comfy.protocol.events import PreviewImage
from comfytui.comfy.server import Server
from comfytui.service.backend import Backend
from comfytui.service.connection.driver import ConnectionDriver
from comfytui.service.connection.poller import Poller
from comfytui.service.connection.request_errors import request_error
from comfytui.service.connection.socket_task import SocketTask
from comfytui.service.notifications import LoginRequired, Notification, NotReached, PreviewReceived
from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import (
    AskForLogin,
    CloseSocket,
    DropFrames,
    Effect,
    EndSocket,
    FingerprintChanged,
    NotifyNotReached,
    OpenSocket,
    Poll,
    ReleaseFrames,
    ResetUnseenJobs,
)
from comfytui.session.connection.inputs import (
    ClientIdAdded,
    ClientIdRemoved,
    Crashed,
    LoggedIn,
    ReconnectRequested,
    RequestUnauthorised,
    ServerExpected,
    Started,
    StatsFailed,
)
from comfytui.session.connection.link_events import LinkChanged
from comfytui.session.connection.sockets import SocketStatus
from comfytui.session.events import PromptDelayed, SessionEvent
from comfytui.session.state import SessionState, only_run, shown_run
from comfytui.timings import DEFAULT, Timings


class ConnectionManager:
    """Everything that connects to one server.

    Args:
        server: The server.
        state: Returns the session's state.
        apply: Receives the session events.
        post: Receives the notifications.
        on_identified: Receives the fingerprint of the first server that answers.
        apply_cancelled: Awaited at each poll, see `Poller`.
        login: The number of the login that the server's credentials are from, see `log_in`.
        timings: How long it waits for what.
        clock: The time source.
    """

    def __init__(
        self,
        server: Server,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        post: Callable[[Notification], None],
        on_identified: Callable[[str], None],
        apply_cancelled: Callable[[], Awaitable[None]] | None = None,
        *,
        login: int = 0,
        timings: Timings = DEFAULT,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._server = server
        self._state = state
        self._apply = apply
        self._post = post
        self._on_identified = on_identified
        self._timings = timings
        self._clock = clock
        self._driver = driver = ConnectionDriver(self._carry_out, timings, clock)
        self.poller = Poller(driver, state, apply, apply_cancelled, timings=timings.poll, clock=clock)
        self._backend: Backend | None = None
        self._sockets: dict[str, SocketTask] = {}
        self._login = self._next_login = login  # the login that requests carry, and the one for the next `coroutines`

    # What the state machine wants

    @property
    def connection(self) -> Connection:
        """The state of the connection."""
        return self._driver.connection

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case LinkChanged():
                self._apply(effect)
            case OpenSocket() | CloseSocket() | EndSocket() | DropFrames():
                self._change_socket(effect)
            case ReleaseFrames():
                for socket in self._sockets.values():
                    socket.release_frames()
            case Poll():
                self.poller.begin(effect)
            case ResetUnseenJobs():
                self.poller.reset_unseen_jobs()
            case FingerprintChanged(fingerprint=fingerprint):
                self._on_identified(fingerprint)
            case NotifyNotReached(reason=reason):
                self._post(NotReached(self._server.label, reason))
            case AskForLogin(reason=reason):
                self._post(LoginRequired(self._server.label, reason, self._server.has_credentials, self._login))
            case _:
                assert_never(effect)

    def _change_socket(self, effect: OpenSocket | CloseSocket | EndSocket | DropFrames) -> None:
        socket = self._sockets[effect.client_id]
        match effect:
            case OpenSocket():
                socket.open()
            case CloseSocket():
                socket.close()
            case EndSocket():
                del self._sockets[effect.client_id]
                socket.end()
            case DropFrames():
                socket.drop_frames()
            case _:
                assert_never(effect)

    # What the service wants

    def coroutines(self, backend: Backend, client_ids: Sequence[str]) -> Iterator[Coroutine[Any, Any, None]]:
        """Reset the connection, and yield what has to run forever to keep its sockets open for these client ids."""
        self._backend = backend
        self._login = self._next_login
        self.poller.reset()
        self._sockets = {client_id: self._new_socket(backend, client_id) for client_id in client_ids}
        self._driver.take(Started(client_ids))
        yield from (socket.run() for socket in self._sockets.values())
        yield self.poller.run(backend)
        yield self.poller.stats.run(backend)
        yield self._driver.run_timer(self._state)

    def run_socket(self, backend: Backend, client_id: str) -> Coroutine[Any, Any, None]:
        """Return what has to run to keep the socket open of one more client id, until `end_socket`."""
        self._sockets[client_id] = socket = self._new_socket(backend, client_id)
        self._driver.take(ClientIdAdded(client_id))
        return socket.run()

    async def end_socket(self, client_id: str) -> None:
        """Close the socket of a client id for good; not that of the first one."""
        self._driver.take(ClientIdRemoved(client_id))
        await self._driver.until(lambda connection: client_id not in connection.sockets)

    def _new_socket(self, backend: Backend, client_id: str) -> SocketTask:
        verify_seconds = self._timings.connection.verify
        announce, show_preview = self.poller.announce, self._show_preview
        return SocketTask(backend, client_id, self._driver, self._apply, show_preview, announce, verify_seconds)

    def log_in(self, server: Server, number: int) -> None:
        """Use this server's credentials, those of the login of this number, from the next `coroutines` on."""
        self._server = server
        self._next_login = number
        self._driver.take(LoggedIn())

    def expect(self, fingerprint: str) -> None:
        """Expect the server of this fingerprint; empty if it is not known."""
        self._driver.take(ServerExpected(fingerprint))

    def crashed(self, reason: str, retry_in: float) -> None:
        """Show that a fault closed everything, and that it starts again in `retry_in` seconds."""
        self._driver.take(Crashed(reason, retry_in))

    def reconnect(self) -> None:
        """Close the sockets that are open, connect now, and poll."""
        self._driver.take(ReconnectRequested())

    # What the submissions want

    def prompt_unauthorised(self, error: Unauthorized) -> None:
        """Report that the server rejected a prompt for its credentials."""
        self._driver.take(RequestUnauthorised(request_error(error), ask_for_login=False))

    async def sendable(self, prompt_id: str) -> bool:
        """Return whether the known server is ready for a prompt; waits for it a while, and says why it is delayed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timings.connection.ready):
                await self._driver.until(lambda connection: connection.gate.is_ready)
        await self._check_without_socket()
        if not self.connection.gate.is_ready:
            why = self.connection.link.reason or self.connection.gate.reason or "waiting for the server"
            self._apply(PromptDelayed(prompt_id, why))
        return self.connection.gate.is_ready

    async def connected_since(self, since: float) -> bool:
        """Return whether a websocket that opened before this monotonic second is still answered on.

        A websocket ends with the server's process, so that the process is then still the same one.
        """
        older = [
            self._sockets[client_id].is_alive
            for client_id, socket in self.connection.sockets.items()
            if socket.status is SocketStatus.OPEN and socket.opened_at is not None and socket.opened_at <= since
        ]
        return any([await is_alive() for is_alive in older if is_alive is not None])

    async def _check_without_socket(self) -> None:
        """Check the server's identity where no socket's disconnect would reveal another server."""
        if self._backend is None or self.connection.is_guarded or not self.connection.gate.is_verified:
            return
        try:
            await self.poller.stats.read(self._backend)
        except ComfyError:
            self._driver.take(StatsFailed())

    def _show_preview(self, preview: PreviewImage) -> None:
        state = self._state()
        run = only_run(state) if preview.prompt_id is None else state.runs.get(preview.prompt_id)
        if run and run is shown_run(state):  # Others are not shown.
            self._post(PreviewReceived(self._server.label, run.prompt_id, preview.image))
