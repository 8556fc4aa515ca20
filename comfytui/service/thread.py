"""The service in a thread and loop of its own, so that a terminal that stops reading never stops the sockets."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from comfytui.comfy.redaction import redactor_of, without_secrets
from comfytui.comfy.server import Server
from comfytui.sanitize import sanitize
from comfytui.service.mailbox import Mailbox
from comfytui.service.notifications import ServiceFailed
from comfytui.service.submission.batch import BatchRequest
from comfytui.session.state import SessionState

if TYPE_CHECKING:
    from comfytui.comfy.client import ComfyClient
    from comfytui.service.service import SocketService
    from comfytui.workflow.graph import Graph

T = TypeVar("T")
Call = Callable[["SocketService"], object]

RESTART_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a broken service starts again; the last one repeats."""
CALM = 60.0
"""Seconds of service after which a fault counts as the first one again."""
STOP_PATIENCE = 1.2
"""Seconds that `stop` waits in all: a look-up of a name cannot be interrupted, and the screen needs time to close."""

log = logging.getLogger(__name__)


class ServiceThread:
    """A `SocketService` that runs aside; any thread may call it, also before `start`, without waiting.

    `folder` is where its journal lies (None: nothing outlives the process), `fresh` leaves alone what is in it.
    """

    def __init__(
        self,
        server: Server,
        *,
        client_id: str | None = None,
        folder: Path | None = None,
        fresh: bool = False,
        pauses: tuple[float, ...] = RESTART_PAUSES,
    ) -> None:
        self._server = server
        redactor_of(server)
        self._pauses = pauses
        self._client_id = client_id
        self._folder = folder
        self._fresh = fresh
        self._logins = 0
        self._lock = Lock()
        self._service: SocketService | None = None
        self._waiting: list[Call] = []
        self._loop: asyncio.AbstractEventLoop
        self._main: asyncio.Task[None]
        self._ready = Event()
        self._thread = Thread(target=self._run, name=f"comfytui {server.shown}", daemon=True)

    def start(self) -> None:
        """Begin; the link's state arrives as notices."""
        self._thread.start()

    def stop(self) -> bool:
        """End the service, while jobs go on, on the server; whether it ended in time."""
        over = time.monotonic() + STOP_PATIENCE
        if self._thread.is_alive() and self._ready.wait(STOP_PATIENCE):
            self._loop.call_soon_threadsafe(self._main.cancel)
            self._thread.join(max(0.0, over - time.monotonic()))
        return not self._thread.is_alive()

    @property
    def server(self) -> Server:
        """The server, with the login that was given last."""
        return self._service.server if self._service else self._server

    @staticmethod
    def without_secrets(text: str) -> str:
        """A text of our own, such as that of an error, without the secrets of any server that was used."""
        return without_secrets(text)

    @property
    def state(self) -> SessionState:
        """The newest state."""
        return self._service.state if self._service else SessionState()

    @property
    def is_durable(self) -> bool:
        """Whether what is not sent yet is sent by the next start."""
        return self._service is not None and self._service.is_durable

    def subscribe(self, wake: Callable[[], object]) -> Mailbox:
        """A mailbox of notices; `wake` is called on the service's thread when it is no longer empty."""
        mailbox = Mailbox(wake)
        self._call(lambda service: service.subscribe(mailbox))
        return mailbox

    def submit(self, order: BatchRequest) -> None:
        """Send a batch."""
        self._call(lambda service: service.submit(order))

    def cancel(self, prompt_id: str, *, force: bool = False) -> None:
        """Cancel one job; the outcome arrives as a `UserMessage`.

        Args:
            prompt_id: The job.
            force: Interrupt even if the server can only stop whatever runs.
        """
        self._call(lambda service: self._begin(service.cancel(prompt_id, force=force)).add_done_callback(self._look_at))

    def cancel_batch(self, batch: str, *, force: bool = False) -> None:
        """Cancel what is still to end of a batch, `force` as above; what came of it arrives as `UserMessage`."""
        self._call(
            lambda service: self._begin(service.cancel_batch(batch, force=force)).add_done_callback(self._look_at)
        )

    def resend(self, prompt_ids: Sequence[str]) -> None:
        """Send jobs that the server forgot once more."""
        self._call(lambda service: self._begin(service.resend(prompt_ids)).add_done_callback(self._look_at))

    def recover_outputs(self, prompt_ids: Sequence[str]) -> Future[int]:
        """Look for pictures of jobs that the server forgot; how many jobs were finished after all."""
        return self._ask(lambda service: partial(service.recover_outputs, prompt_ids))

    def graph_of(self, prompt_id: str) -> Future["Graph | None"]:
        """The graph of a job, anybody's, to make it again; None where neither this machine nor the server has it."""
        answer: Future[Graph | None] = Future()
        self._call(
            lambda service: self._begin(service.fulfil(lambda: service.graph_of(prompt_id), answer)).add_done_callback(
                self._look_at
            )
        )
        return answer

    def accept_server(self) -> None:
        """Serve the other box that answers at this address from now on."""
        self._call(lambda service: service.accept_server())

    def log_in(self, authorization: str) -> int:
        """Connect anew with this Authorization header, which is kept in memory alone.

        Returns:
            The number of this login, from 1 on: a `LoginRequired` with a lower one is of requests made before.
        """
        self._logins = number = self._logins + 1
        self._call(lambda service: service.log_in(authorization, number))
        return number

    def reconnect(self) -> None:
        """Try a link that is down again now."""
        self._call(lambda service: service.reconnect())

    def call(self, question: Callable[["ComfyClient"], Awaitable[T]]) -> Future[T]:
        """The answer to a question of the caller's own, asked on the service's loop."""
        return self._ask(lambda _: question)

    def _ask(self, question: Callable[["SocketService"], Callable[["ComfyClient"], Awaitable[T]]]) -> Future[T]:
        answer: Future[T] = Future()
        self._call(
            lambda service: self._begin(service.answer(question(service), answer)).add_done_callback(self._look_at)
        )
        return answer

    def _call(self, order: "Call") -> None:
        """Carry an order out on the service's loop, as soon as there is one."""
        with self._lock:
            if self._service is None:
                self._waiting.append(order)
            else:
                self._loop.call_soon_threadsafe(order, self._service)

    def _begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _look_at(self, future: Future[Any]) -> None:
        """An order that nobody waits for must not fail in silence."""
        if not future.cancelled() and (error := future.exception()):
            self._fault(self._loop, {"exception": error})

    def _fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell a fault that did not end the service."""
        error = context.get("exception")
        reason = self._first_words(error) if error else sanitize(without_secrets(str(context.get("message"))), 200)
        if self._service:
            self._service.post(ServiceFailed(self.server.shown, reason, 0.0))
        log.error("fault: %s", reason, exc_info=error)

    def _run(self) -> None:
        try:
            asyncio.run(self._supervise())
        except asyncio.CancelledError:
            log.debug("service stopped")

    def _make(self) -> "SocketService":
        # Its libraries take as long to load as the screen does, so they are loaded here, beside the first paint.
        from comfytui.service.service import SocketService

        service = SocketService(self._server, self._client_id, folder=self._folder, fresh=self._fresh)
        with self._lock:
            self._service = service
            for order in self._waiting:
                self._loop.call_soon(order, service)
            self._waiting.clear()
        return service

    async def _supervise(self) -> None:
        """Run the service, and again after each fault of its own."""
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()  # type: ignore[assignment]
        self._loop.set_exception_handler(self._fault)
        self._ready.set()
        service = self._make()
        try:
            await self._run_for_ever(service)
        finally:
            await service.close()

    async def _run_for_ever(self, service: "SocketService") -> None:
        faults = 0
        while True:
            began = time.monotonic()
            try:
                await service.run()
            except Exception as error:
                faults = 0 if time.monotonic() - began > CALM else faults
                pause = self._pauses[min(faults, len(self._pauses) - 1)]
                faults += 1
                service.report_crash(self._first_words(error), pause)
                log.exception("service failed")
                await asyncio.sleep(pause)

    def _first_words(self, error: BaseException) -> str:
        """What went wrong, in one line: of a group, its first member. Errors of libraries may hold a URL."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return sanitize(without_secrets(f"{type(error).__name__}: {error}"), 200)
