"""Runs the service in a thread with an event loop of its own, so that a blocked terminal never stops the sockets."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.redaction import redactor_of, without_secrets
from comfytui.comfy.server import Server
from comfytui.service.command_queue import CommandQueue
from comfytui.service.mailbox import Mailbox
from comfytui.service.results import BatchCancelled, Cancelled, Resent, SubmitResult
from comfytui.service.submission.batch import BatchRequest
from comfytui.service.supervisor import RESTART_PAUSES, supervise
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, Timings

if TYPE_CHECKING:
    from comfytui.service.backend import Backend, BackendFactory
    from comfytui.service.definitions import ServerDefinitions
    from comfytui.service.journal.prompt_history import UsedPrompt
    from comfytui.workflow.graph import Graph

T = TypeVar("T")

log = logging.getLogger(__name__)


class ServiceThread:
    """A `SessionService` in a thread of its own; any thread may call its methods, also before `start`.

    No method but `stop` waits for the service: those with a result return a future, which is cancelled if the service
    stops first. A caller that cancels a future is no longer told; a command is carried out all the same.

    Args:
        server: The server.
        client_id: The client id to use; else those that the journal has, or a new one.
        folder: Where the journal is kept; None: nothing outlives the process.
        fresh: Leave alone what the journal has of earlier runs.
        observe: Only look: recognise my jobs, and leave them to other processes. The journal is not written, no client
            id in it is claimed, and none of its batches is resumed or sent.
        pauses: Seconds before a service that crashed starts again; the last one repeats.
        timings: How long the service waits for what.
        clock: The time source.
        new_backend: Opens the connection to the server; None for ComfyUI's own protocol.
    """

    def __init__(
        self,
        server: Server,
        *,
        client_id: str | None = None,
        folder: Path | None = None,
        fresh: bool = False,
        observe: bool = False,
        pauses: tuple[float, ...] = RESTART_PAUSES,
        timings: Timings = DEFAULT,
        clock: Clock = SYSTEM_CLOCK,
        new_backend: "BackendFactory | None" = None,
    ) -> None:
        self._server = server
        self._clock = clock
        self._timings = timings
        redactor_of(server)
        self._commands = CommandQueue()
        self._supervise = partial(
            supervise,
            server,
            self._commands.serve_with,
            client_id=client_id,
            folder=folder,
            fresh=fresh,
            observe=observe,
            pauses=pauses,
            timings=timings,
            clock=clock,
            new_backend=new_backend,
        )
        self._logins = 0
        self._loop: asyncio.AbstractEventLoop
        self._supervisor: asyncio.Task[None]
        self._loop_ready = Event()
        self._thread = Thread(target=self._main, name=f"comfytui {server.label}", daemon=True)

    def start(self) -> None:
        """Start the thread; the state arrives as notifications."""
        self._thread.start()

    def stop(self) -> bool:
        """Stop the service, while jobs continue on the server; return whether it stopped in time."""
        seconds = self._timings.program.stop
        deadline = self._clock.monotonic() + seconds
        if self._thread.is_alive() and self._loop_ready.wait(seconds):
            self._loop.call_soon_threadsafe(self._supervisor.cancel)
            self._thread.join(max(0.0, deadline - self._clock.monotonic()))
        self._commands.close()
        return not self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """Whether the service was started, and has not stopped."""
        return self._thread.is_alive()

    @property
    def server(self) -> Server:
        """The server, with the credentials of the last login."""
        return service.server if (service := self._commands.service) else self._server

    @staticmethod
    def without_secrets(text: str) -> str:
        """Return a text, such as that of an error, without the secrets of any server that was used."""
        return without_secrets(text)

    @property
    def state(self) -> SessionState:
        """The newest state."""
        return service.state if (service := self._commands.service) else SessionState(timings=self._timings.session)

    @property
    def is_durable(self) -> bool:
        """Whether the next start sends what is not sent yet."""
        service = self._commands.service
        return service is not None and service.submissions.is_durable

    def subscribe(self, wake: Callable[[], object]) -> Mailbox:
        """Return a mailbox for all notifications from now on; `wake` is called on the service's thread."""
        mailbox = Mailbox(wake)
        self._commands.execute(lambda service: service.subscribe(mailbox))
        return mailbox

    def submit(self, request: BatchRequest) -> Future[SubmitResult]:
        """Submit a batch.

        Returns:
            The result, once nothing of the batch is left to send; while the server is away, this may take long.
        """
        return self._commands.carry_out(lambda service: service.submissions.submit(request))

    def cancel(self, prompt_id: str, *, force: bool = False) -> Future[Cancelled]:
        """Cancel one job.

        Args:
            prompt_id: The job.
            force: Interrupt even if the server can only stop whatever runs.

        Returns:
            What became of it; or the `ComfyError` if the server cannot be asked.
        """
        return self._commands.carry_out(lambda service: service.commands.cancel(prompt_id, force=force))

    def cancel_batch(self, batch: str, *, force: bool = False) -> Future[BatchCancelled]:
        """Cancel the unfinished and lost jobs of a batch; `force` and errors as in `cancel`."""
        return self._commands.carry_out(lambda service: service.commands.cancel_batch(batch, force=force))

    def resend(self, prompt_ids: Sequence[str]) -> Future[Resent]:
        """Send lost jobs once more."""
        return self._commands.carry_out(lambda service: service.commands.resend(prompt_ids))

    def recover_outputs(self, prompt_ids: Sequence[str]) -> Future[int]:
        """Search the server for images of lost jobs.

        Returns:
            How many of the jobs were finished after all; or the `ComfyError` of a request that failed.
        """
        return self._commands.ask(lambda service: service.commands.recover_outputs(prompt_ids))

    def find_ended(self, ids: Sequence[str]) -> Future[None]:
        """Have jobs in the state, however long ago they ended.

        Args:
            ids: Ids of jobs of any client, for the server's history; or of jobs or batches of mine, for the journal.

        Returns:
            None, or the `ComfyError` of a request that failed.
        """
        return self._commands.ask(lambda service: service.find_ended(ids))

    def graph_of(self, prompt_id: str) -> Future["Graph | None"]:
        """Find the graph of any client's job.

        Returns:
            The graph; None where neither this machine nor the server has it; or the `ComfyError` of a failed request.
        """
        return self._commands.ask(lambda service: service.commands.graph_of(prompt_id))

    def submission_of(self, prompt_id: str) -> Future[str | None]:
        """Find a prompt in the journal, also one of an earlier start, once all that was given before is written.

        Returns:
            The id of its submission, see `BatchRequest`; None if the journal does not have it.
        """
        return self._commands.ask(lambda service: service.commands.submission_of(prompt_id))

    def recognised(self) -> Future[None]:
        """Wait until it is known of every client id that jobs have whether it is mine.

        The state has those that are; whose jobs are mine follows at the next poll, which begins then.
        """
        return self._commands.ask(lambda service: service.recognised())

    def definitions(self, class_types: Collection[str] = ()) -> Future["ServerDefinitions"]:
        """Find the definitions of all node classes: once a connection from the server, else those that it had before.

        Args:
            class_types: The classes that are needed, to request them one by one where not all definitions are read.

        Returns:
            The definitions; or the `ComfyError` if the server cannot be asked, and what it had is not known.
        """
        return self._commands.ask(lambda service: service.definitions(class_types))

    def used_prompts(self, *, negative: bool = False) -> Future[list["UsedPrompt"]]:
        """Return the prompts of all my batches, also of earlier starts, on any server, the one used last first.

        Args:
            negative: Whether to return the negative prompts, which are known of batches whose graphs are kept.
        """
        return self._commands.ask(lambda service: service.used_prompts(negative=negative))

    def accept_server(self) -> None:
        """Serve the other server that answers at this address from now on."""
        self._commands.execute(lambda service: service.accept_server())

    def log_in(self, authorization: str) -> int:
        """Reconnect with this Authorization header, which is kept in memory alone.

        Returns:
            The number of this login, from 1 on: a `LoginRequired` with a lower one is of requests made before.
        """
        self._logins = number = self._logins + 1
        self._commands.execute(lambda service: service.log_in(authorization, number))
        return number

    def reconnect(self) -> None:
        """Close the sockets that are open, and connect now."""
        self._commands.execute(lambda service: service.reconnect())

    def call(self, request: Callable[["Backend"], Awaitable[T]], *, stops: bool = False) -> Future[T]:
        """Make a request of the caller's own on the service's loop, with its backend.

        Args:
            request: Makes the request.
            stops: Whether it ends when the future is cancelled, such as an upload that the user gives up.

        Returns:
            Its result or error.
        """
        return self._commands.ask(lambda service: service.call(request), stops=stops)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            log.debug("service stopped")
        finally:
            self._commands.close()

    async def _run(self) -> None:
        self._loop, self._supervisor = asyncio.get_running_loop(), asyncio.current_task()  # type: ignore[assignment]
        self._loop_ready.set()
        await self._supervise()
