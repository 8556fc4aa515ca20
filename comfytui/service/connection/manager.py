"""All that connects to one server: the sockets, the looks over HTTP, and the watchdog between them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, TimedOut, Unauthorized, Unreachable
from comfytui.comfy.protocol.events import Event, PreviewImage, Status
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Lag, Opened, PingRestored, PingTimedOut
from comfytui.service.connection.early_frames import EarlyFrames
from comfytui.service.connection.frame_handler import of_a_run, worth_a_look
from comfytui.service.connection.identity import IdentityCheck
from comfytui.service.connection.poller import Poller
from comfytui.service.connection.socket_task import News, Wire
from comfytui.service.connection.watchdog import Watchdog
from comfytui.service.notifications import LoginRequired, Notice, NotReached, PreviewReceived
from comfytui.service.submission.outbox import LOOK_PAUSE
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

BUSY = "The server accepts connections but does not answer: it may be loading a model."


class ConnectionManager:
    """What comes in goes to `apply` and `post`; `learned` is told the fingerprint of the box that is served.

    `learn_cancelled` is awaited at each look, before a job that left the queue is called lost.
    """

    def __init__(
        self,
        server: Server,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        post: Callable[[Notice], None],
        learned: Callable[[str], None],
        learn_cancelled: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._server = server
        self._state = state
        self._apply = apply
        self._post = post
        # A socket of the meantime may lead to the other box, and was not taken for ours when it opened.
        self.door = IdentityCheck(apply, learned, self._renew, self._release)
        self._held = EarlyFrames(self.door, self._receive)
        self.looker = Poller(self._looked, state, self.door, self._require_login, learn_cancelled)
        self._watchdog = Watchdog(state, apply, self._look_closely, self._renew)
        self._client: ComfyClient | None = None
        self._wires: dict[str, Wire] = {}
        self._late: dict[str, float] = {}
        self._login = self._next_login = 0  # the login that requests carry, and the one for the next `work`
        # Of each client id, when its last connection opened (monotonic), and how to ask whether it still answers.
        self._connections: dict[str, tuple[float, Callable[[], Awaitable[bool]]]] = {}
        self._tried = False
        self._was_live = False
        self._was_away = False

    def work(self, client: ComfyClient, client_ids: Sequence[str]) -> Iterator[Coroutine[Any, Any, None]]:
        """What has to run, for ever, to hold the lines of these ids."""
        self._client = client
        self._login = self._next_login
        self._late.clear()
        self._connections.clear()
        self.door.close()
        self._wires.clear()
        yield from (self.wire(client_id) for client_id in client_ids)
        yield self._watchdog.run()
        yield self.looker.run(client)
        yield self.looker.watch_box(client)

    def log_in(self, server: Server, number: int) -> None:
        """Use the credentials of a login of this number in the next `work`."""
        self._server = server
        self._next_login = number
        self._apply(Disconnected("", kind=LinkKind.CONNECTING))

    def wire(self, client_id: str) -> Coroutine[Any, Any, None]:
        """What has to run, for ever, to hold the socket of one more id."""
        self._wires[client_id] = wire = Wire(
            self._server, client_id, self._receive, self._held.room, self._held.closed, self._no_socket, self._hopeful
        )
        return wire.run()

    def reconnect(self) -> None:
        """Close the sockets that are open, and connect now."""
        self.door.close()
        self._renew()
        self.looker.want()

    async def sendable(self, prompt_id: str) -> bool:
        """Whether the server is there and the right one; waits for it a while, and says what a prompt waits for."""
        if self._state().link.kind is LinkKind.UNAUTHORISED:
            self.door.close()
        if not self.door.is_ready:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_PAUSE):
                    await self.door.wait()
        await self._prove()
        if not self.door.is_ready:
            why = self._state().link.reason or self.door.reason or "waiting for the server"
            self._apply(PromptDelayed(prompt_id, why))
        return self.door.is_ready

    async def connected_since(self, since: float) -> bool:
        """Whether a websocket that opened before this monotonic second is still answered on.

        It ends with the server's process, so the process is then the same one as at that time.
        """
        older = [answers for opened, answers in self._connections.values() if opened <= since]
        return any([await answers() for answers in older])

    async def _prove(self) -> None:
        """Ask which box answers where no break of a socket would tell of another one."""
        if self._client is None or self._state().link.socket_open or not self.door.is_open:
            return
        try:
            await self.looker.read_box(self._client)
        except ComfyError:
            self.door.close()
            self.looker.want()

    def _renew(self) -> None:
        self._held.drop()
        for wire in self._wires.values():
            wire.renew()

    def _release(self) -> None:
        """The server showed which one it is: frames that waited for that count now."""
        self._held.release()

    async def _look_closely(self) -> None:
        """Look at the queue and the memory now."""
        if self._client is not None:
            await self.looker.look(self._client)
            await self.looker.read_box(self._client)

    def _looked(self, event: SessionEvent) -> None:
        """Take in what a look tells; where the server is back, a socket need not wait for its next try."""
        self._apply(event)
        match event:
            case HttpFailed():
                self._was_away = True
            case HttpSucceeded() if self._was_away:
                self._was_away = False
                if not self._state().link.socket_open:
                    self._renew()

    def _hopeful(self) -> bool:
        """Whether a socket that nothing seemed to mend may come to life: the server was or is one."""
        kind = self._state().link.kind
        answers = kind in {LinkKind.CONNECTING, LinkKind.POLLING, LinkKind.BUSY, LinkKind.OFFLINE}
        return kind is not LinkKind.UNAUTHORISED and (self._was_live or answers)

    def _no_socket(self, error: ComfyError) -> None:
        """The server will not have a socket of ours; perhaps it answers over HTTP."""
        if self._state().link.kind is not LinkKind.POLLING or isinstance(error, Unauthorized):
            self.door.close()  # Where it is polled already, nothing broke.
        if isinstance(error, Unauthorized):
            self._apply(Disconnected(str(error), kind=LinkKind.UNAUTHORISED))
            self._require_login(error)
        else:
            # Whether a ComfyUI answers is for HTTP to say: a proxy may let everything through but upgrades.
            self._apply(Disconnected(str(error), kind=LinkKind.CONNECTING, unanswered=True))
        self.looker.want(told=self._missed)

    def _missed(self, error: ComfyError) -> None:
        """Tell it if the first try of all found nothing: the address is wrong, or the box is down."""
        if not self._tried and not _wants_login(error):
            self._tried = True
            self._post(NotReached(self._server.shown, str(error)))

    def _require_login(self, error: Unauthorized) -> None:
        """Have the user asked for a login where one would do."""
        if _wants_login(error):
            self._post(LoginRequired(self._server.shown, str(error), self._server.has_credentials, self._login))

    def _receive(self, client_id: str, news: News) -> None:
        match news:
            case Opened(is_alive=answers):
                self._connections[client_id] = time.monotonic(), answers
                self._tried = self._was_live = True
                self._watchdog.opened()
                self._held.opened(client_id)
                self._apply(Connected(client_id))
                if self._counts(client_id):
                    self.looker.opened()
                self.looker.want(history=True)
            case Closed(reason=reason, retry_in=retry_in, error=error, silent_seconds=silent):
                self._late.pop(client_id, None)
                self._connections.pop(client_id, None)
                self._held.closed(client_id)
                self.door.close()
                self._apply(Disconnected(reason, retry_in, silent=silent, unanswered=isinstance(error, TimedOut)))
                if isinstance(error, Unreachable):
                    self._missed(error)
                self._tried = True
                self.looker.want()
            case PingTimedOut(silent_seconds=silent):
                self._apply(SocketSilent(deaf=False, reason=BUSY, silent=silent))
            case PingRestored():
                self._watchdog.hear(of_a_run=False)
            case Lag(seconds=seconds):
                self._lags(client_id, seconds)
            case PreviewImage(image=image, prompt_id=prompt_id):
                self._watchdog.hear(of_a_run=True)
                run = self._state().run
                if run and prompt_id in {None, run.prompt_id} and not self._held.hold(client_id, news):
                    self._post(PreviewReceived(self._server.shown, run.prompt_id, image))
            case _:
                self._watchdog.hear(of_a_run=of_a_run(news))
                if not self._held.hold(client_id, news):
                    self._take(client_id, news)
                # Who does not let us in is not asked again at every frame.
                if worth_a_look(news) and self._state().link.kind is not LinkKind.UNAUTHORISED:
                    self.looker.want()

    def _take(self, client_id: str, frame: Event) -> None:
        """Take in a frame that counts."""
        self._apply(frame)
        if isinstance(frame, Status) and self._counts(client_id):
            self.looker.announce(frame.queue_remaining)

    def _lags(self, client_id: str, seconds: float) -> None:
        """Tell how late frames are; from then on HTTP is asked what they do not tell yet."""
        behind = self._state().link.behind
        self._late[client_id] = seconds
        self._apply(Lagging(max(self._late.values())))
        # What late frames told of the queue was not believed.
        if bool(self._state().link.behind) != bool(behind):
            self.looker.want()

    def _counts(self, client_id: str) -> bool:
        """Whether the `status` frames of this socket are counted: each socket of ours gets the same ones."""
        return client_id == next(iter(self._wires), None)


def _wants_login(error: ComfyError) -> bool:
    return isinstance(error, Unauthorized) and error.status == HTTPStatus.UNAUTHORIZED
