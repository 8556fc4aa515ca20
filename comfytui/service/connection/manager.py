"""Keeps the connection to one server: the sockets, the polling over HTTP, and the watchdog between them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError, TimedOut, Unauthorized, Unreachable
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Lag, Opened, PingRestored, PingTimedOut
from comfytui.service.backend import Backend
from comfytui.service.connection.early_frames import EarlyFrames
from comfytui.service.connection.frame_handler import FrameHandler
from comfytui.service.connection.identity import IdentityCheck
from comfytui.service.connection.poller import Poller
from comfytui.service.connection.socket_task import SocketMessage, SocketTask
from comfytui.service.connection.watchdog import Watchdog
from comfytui.service.notifications import LoginRequired, Notification, NotReached, PreviewReceived
from comfytui.session.events import (
    Connected,
    Disconnected,
    HttpFailed,
    HttpSucceeded,
    Lagging,
    PromptDelayed,
    SessionEvent,
    SocketSilent,
)
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, Timings

BUSY_REASON = "The server accepts connections but does not answer: it may be loading a model."


class ConnectionManager:
    """Everything that connects to one server.

    Args:
        server: The server.
        state: Returns the session's state.
        apply: Receives the session events.
        post: Receives the notifications.
        on_identified: Receives the server's fingerprint, see `IdentityCheck`.
        apply_cancelled: Awaited at each poll, see `Poller`.
        login: The number of the login that the server's credentials are from, see `log_in`.
        timings: How often it tries, and how long it waits.
        clock: Tells the time and waits.
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
        self._timings = timings
        self._clock = clock
        # Where the known server returns, sockets are renewed: those of the meantime may lead to the other one.
        self.identity = IdentityCheck(apply, on_identified, self._renew_sockets, self._release_frames)
        self.poller = Poller(
            self._apply_poll_event,
            state,
            self.identity,
            self._require_login,
            apply_cancelled,
            timings=timings.poll,
            clock=clock,
        )
        self._early_frames = EarlyFrames(self.identity, self._receive, timings.connection.verify)
        self._watchdog = Watchdog(state, apply, self._poll_with_stats, self._renew_sockets, timings.poll, clock)
        self._frames = FrameHandler(state, apply, self._show_preview, self._early_frames, self._watchdog, self.poller)
        self._client: Backend | None = None
        self._sockets: dict[str, SocketTask] = {}
        self._lag_seconds: dict[str, float] = {}
        self._login = self._next_login = login  # the login that requests carry, and the one for the next `coroutines`
        # Of each client id, when its last connection opened (monotonic), and how to ask whether it still answers.
        self._connections: dict[str, tuple[float, Callable[[], Awaitable[bool]]]] = {}
        self._tried = self._was_live = self._http_failed = False

    def coroutines(self, client: Backend, client_ids: Sequence[str]) -> Iterator[Coroutine[Any, Any, None]]:
        """Reset the connection, and yield what has to run forever to hold it for these client ids."""
        self._client = client
        self._login = self._next_login
        self._lag_seconds.clear()
        self._connections.clear()
        self.identity.invalidate()
        self._sockets.clear()
        yield from (self.run_socket(client, client_id) for client_id in client_ids)
        yield self._watchdog.run()
        yield self.poller.run(client)
        yield self.poller.stats.run(client)

    def log_in(self, server: Server, number: int) -> None:
        """Use this server's credentials, those of the login of this number, from the next `coroutines` on."""
        self._server = server
        self._next_login = number
        self._apply(Disconnected("", kind=LinkKind.CONNECTING))

    def run_socket(self, client: Backend, client_id: str) -> Coroutine[Any, Any, None]:
        """Return what has to run forever to hold the socket of one more client id."""
        self._sockets[client_id] = socket = SocketTask(
            client,
            client_id,
            self._receive,
            self._early_frames.wait_for_space,
            self._early_frames.closed,
            self._socket_refused,
            self._may_retry_socket,
            self._timings.connection,
            self._clock,
        )
        return socket.run()

    def reconnect(self) -> None:
        """Close the sockets that are open, connect now, and poll."""
        self.identity.invalidate()
        self._renew_sockets()
        self.poller.request()

    async def sendable(self, prompt_id: str) -> bool:
        """Return whether the known server is ready for a prompt; waits for it a while, and says why it is delayed."""
        if self._state().link.kind is LinkKind.UNAUTHORISED:
            self.identity.invalidate()
        if not self.identity.is_ready:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.connection.ready):
                    await self.identity.wait_ready()
        await self._check_without_socket()
        if not self.identity.is_ready:
            why = self._state().link.reason or self.identity.reason or "waiting for the server"
            self._apply(PromptDelayed(prompt_id, why))
        return self.identity.is_ready

    async def connected_since(self, since: float) -> bool:
        """Return whether a websocket that opened before this monotonic second is still answered on.

        A websocket ends with the server's process, so that the process is then still the same one.
        """
        older = [is_alive for opened, is_alive in self._connections.values() if opened <= since]
        return any([await is_alive() for is_alive in older])

    async def _check_without_socket(self) -> None:
        """Check the server's identity where no socket's disconnect would reveal another server."""
        if self._client is None or self._state().link.socket_open or not self.identity.is_verified:
            return
        try:
            await self.poller.stats.read(self._client)
        except ComfyError:
            self.identity.invalidate()
            self.poller.request()

    def _renew_sockets(self) -> None:
        self._early_frames.drop()
        for socket in self._sockets.values():
            socket.renew()

    def _release_frames(self) -> None:
        self._early_frames.release()

    async def _poll_with_stats(self) -> None:
        """Read the queue and the memory now."""
        if self._client is not None:
            await self.poller.poll(self._client)
            await self.poller.stats.read(self._client)

    def _apply_poll_event(self, event: SessionEvent) -> None:
        """Apply what a poll found; if the server is back, do not wait for the sockets' next try."""
        self._apply(event)
        match event:
            case HttpFailed():
                self._http_failed = True
            case HttpSucceeded() if self._http_failed:
                self._http_failed = False
                if not self._state().link.socket_open:
                    self._renew_sockets()

    def _may_retry_socket(self) -> bool:
        """Return whether a socket that was given up may open later: the server was, or may be, a ComfyUI."""
        kind = self._state().link.kind
        answers = kind in {LinkKind.CONNECTING, LinkKind.POLLING, LinkKind.BUSY, LinkKind.OFFLINE}
        return kind is not LinkKind.UNAUTHORISED and (self._was_live or answers)

    def _socket_refused(self, error: ComfyError) -> None:
        """Poll the server that refuses our socket: it may answer over HTTP."""
        if self._state().link.kind is not LinkKind.POLLING or isinstance(error, Unauthorized):
            self.identity.invalidate()  # Where it is polled already, nothing broke.
        if isinstance(error, Unauthorized):
            self._apply(Disconnected(str(error), kind=LinkKind.UNAUTHORISED))
            self._require_login(error)
        else:
            # Only HTTP shows whether it is a ComfyUI: some proxies let everything through but upgrades.
            self._apply(Disconnected(str(error), kind=LinkKind.CONNECTING, unanswered=True))
        self.poller.request(on_failure=self._report_not_reached)

    def _report_not_reached(self, error: ComfyError) -> None:
        """Post a notification if the very first try failed: the address is wrong, or the server is down."""
        if not self._tried and not _wants_login(error):
            self._tried = True
            self._post(NotReached(self._server.label, str(error)))

    def _require_login(self, error: Unauthorized) -> None:
        """Have the user asked for a login where one would help."""
        if _wants_login(error):
            self._post(LoginRequired(self._server.label, str(error), self._server.has_credentials, self._login))

    def _receive(self, client_id: str, message: SocketMessage) -> None:
        match message:
            case Opened(is_alive=is_alive):
                self._connections[client_id] = self._clock.monotonic(), is_alive
                self._tried = self._was_live = True
                self._watchdog.socket_opened()
                self._early_frames.opened(client_id)
                self._apply(Connected(client_id))
                if self._counts_arrivals(client_id):
                    self.poller.socket_opened()
                self.poller.request(history=True)
            case Closed(reason=reason, retry_in=retry_in, error=error, silent_seconds=silent):
                self._lag_seconds.pop(client_id, None)
                self._connections.pop(client_id, None)
                self._early_frames.closed(client_id)
                self.identity.invalidate()
                self._apply(Disconnected(reason, retry_in, silent=silent, unanswered=isinstance(error, TimedOut)))
                if isinstance(error, Unreachable):
                    self._report_not_reached(error)
                self._tried = True
                self.poller.request()
            case PingTimedOut(silent_seconds=silent):
                self._apply(SocketSilent(orphaned=False, reason=BUSY_REASON, silent=silent))
            case PingRestored():
                self._watchdog.message_received(client_id, of_run=False)
            case Lag(seconds=seconds):
                self._update_lag(client_id, seconds)
            case frame:
                self._frames.handle(client_id, frame, counts_arrivals=self._counts_arrivals(client_id))

    def _show_preview(self, prompt_id: str, image: bytes) -> None:
        self._post(PreviewReceived(self._server.label, prompt_id, image))

    def _update_lag(self, client_id: str, seconds: float) -> None:
        """Apply how late frames are; while they are late, the poller reads what they do not report yet."""
        was_behind = bool(self._state().link.lag_seconds)
        self._lag_seconds[client_id] = seconds
        self._apply(Lagging(max(self._lag_seconds.values())))
        if (
            bool(self._state().link.lag_seconds) != was_behind
        ):  # What late frames reported of the queue was not believed.
            self.poller.request()

    def _counts_arrivals(self, client_id: str) -> bool:
        """Return whether the `status` frames of this socket are counted: each socket of ours gets the same ones."""
        return client_id == next(iter(self._sockets), None)


def _wants_login(error: ComfyError) -> bool:
    return isinstance(error, Unauthorized) and error.status == HTTPStatus.UNAUTHORIZED
