"""The commands that any thread gives to the service, which carries them out on its own loop, in their order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from comfytui.service.answers import Answers

if TYPE_CHECKING:
    from comfytui.service.service import SessionService

T = TypeVar("T")
Command = Callable[["SessionService"], object]


class CommandQueue:
    """Commands, which wait while there is no service yet, and while one is replaced by another."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Command] = deque()
        self._answers = Answers()
        self._loop: asyncio.AbstractEventLoop
        self.service: SessionService | None = None
        """The service that carries out the commands; None before the first one."""

    def execute(self, command: Command) -> None:
        """Carry out a command without a result, as soon as there is a service to do it."""
        with self._lock:
            self._waiting.append(command)
            if self.service is not None:
                with suppress(RuntimeError):  # The loop is closed: the service has stopped.
                    self._loop.call_soon_threadsafe(self._carry_out_next)

    def ask(self, work: Callable[["SessionService"], Awaitable[T]], *, stops: bool = False) -> Future[T]:
        """Do some work, unless its future is cancelled before; return its result or error.

        Args:
            work: The work.
            stops: Whether it ends when the future is cancelled.
        """
        answer: Future[T] = self._answers.new()

        def begin(service: "SessionService") -> None:
            if not answer.cancelled():
                self._answers.fulfil(answer, work(service), stops=stops)

        self.execute(begin)
        return answer

    def carry_out(self, work: Callable[["SessionService"], Awaitable[T]]) -> Future[T]:
        """Carry out a command, even if its future is cancelled; return its result or error, which is also logged."""
        answer: Future[T] = self._answers.new()
        self.execute(lambda service: self._answers.fulfil(answer, work(service), report=True))
        return answer

    def serve_with(self, service: "SessionService") -> None:
        """Have a service carry out the commands, first those that were given before it was there; on its loop."""
        with self._lock:
            self.service, self._loop = service, asyncio.get_running_loop()
            for _ in self._waiting:
                self._loop.call_soon(self._carry_out_next)

    def close(self) -> None:
        """Cancel the futures of all commands, also of those that are given from now on."""
        self._answers.close()

    def _carry_out_next(self) -> None:
        """On the loop: carry out the oldest command, but leave it to the next service if this one is to be replaced."""
        if self.service and not self.service.accepted and self._waiting:
            self._waiting.popleft()(self.service)
