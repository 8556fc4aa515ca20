"""End the process in time on a signal, on the loss of its terminal, and with a terminal that no longer reads."""

import logging
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Event, Thread, Timer
from types import TracebackType
from typing import NoReturn, Self, TextIO

Hook = Callable[[], object]

SIGNALS = (signal.SIGHUP, signal.SIGTERM)
SUSPENDING = (signal.SIGTSTP, signal.SIGCONT)
EXIT_TIMEOUT = 1.0
"""Seconds for the application's own exit; a terminal that does not read blocks it for ever."""
HOOKS_TIMEOUT = 0.4
"""Seconds for all hooks together."""
WRITE_TIMEOUT = 0.2
"""Seconds for a terminal that accepts no more bytes."""
HARD_LIMIT = 1.8
"""Seconds after which the process ends in any case."""
EXITED = 0
"""Tells the watcher that the application has exited; no signal has this number."""
MODES_OFF = b"".join(
    (
        b"\x1b\\",  # ends an escape sequence that was cut in the middle
        b"\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l",  # synchronised output, paste, line wrap, resize reports
        b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l",  # mouse
        b"\x1b[0m\x1b[H\x1b[2J",  # nothing of the alternate screen stays behind in tmux
        b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l",  # keyboard, alternate screen, cursor, focus reports
    )
)

log = logging.getLogger(__name__)


class Shutdown:
    """Context manager in which SIGHUP, SIGTERM and a lost terminal end the process within two seconds.

    The exit code is 128 + the signal; a lost terminal counts as SIGHUP.
    """

    def __init__(self, leave: Callable[[int], object], hooks: Sequence[Hook] = ()) -> None:
        """Prepare the shutdown; nothing changes until the context is entered.

        Args:
            leave: Asks the application to exit with a code; called from another thread.
            hooks: Called before the process ends, in parallel threads, also after the application has exited. What they
                have not done after `HOOKS_TIMEOUT` stays undone.
        """
        self._leave = leave
        self._hooks = hooks
        self._terminals = {file.fileno() for file in (sys.__stdin__, sys.__stderr__) if file and file.isatty()}
        self._exited = Event()
        # Signals arrive through a pipe: a Python handler waits until the main thread is in Python code again.
        self._wakeup_reader, self._wakeup_writer = os.pipe()
        os.set_blocking(self._wakeup_writer, False)
        self._watcher = Thread(target=self._watch, name="comfytui shutdown", daemon=True)

    def __enter__(self) -> Self:
        self._modes = _modes_of(sys.__stdin__)
        self._previous_wakeup_fd = signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        # A signal that is ignored, as under nohup, stays ignored.
        handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, _ignore_suspending) for number in handled}
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exited.set()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.write(self._wakeup_writer, bytes([EXITED]))
        # If the shutdown has begun, or the terminal is gone, the process ends here.
        self._watcher.join()
        signal.set_wakeup_fd(self._previous_wakeup_fd)
        os.close(self._wakeup_writer)
        os.close(self._wakeup_reader)

    def _watch(self) -> None:
        """Wait for a signal, the loss of a terminal, or the exit of the application."""
        poll = select.poll()
        poll.register(self._wakeup_reader, select.POLLIN)
        for fd in self._terminals:
            poll.register(fd, 0)  # no events: a loss is reported in any case
        while True:
            ready = dict(poll.poll())
            received = os.read(self._wakeup_reader, 4096) if ready.pop(self._wakeup_reader, 0) else b""
            if any(events & (select.POLLHUP | select.POLLERR) for events in ready.values()):
                self._shut_down(signal.SIGHUP, terminal_lost=True)
            for fd in ready:
                poll.unregister(fd)
            for number in received:
                if number == EXITED:
                    return
                if number in SIGNALS:
                    self._shut_down(number, terminal_lost=False)

    def _shut_down(self, number: int, *, terminal_lost: bool) -> NoReturn:
        """End the process: let the application exit if it does so in time, and without it otherwise."""
        code = 128 + number
        limit = Timer(HARD_LIMIT, os._exit, (code,))
        limit.daemon = True
        limit.start()
        in_foreground = not terminal_lost and all(_in_foreground(fd) for fd in self._terminals)
        if in_foreground:
            _call_hook(partial(self._leave, code))
            self._exited.wait(EXIT_TIMEOUT)
        self._run_hooks()
        if in_foreground and not self._exited.is_set():
            self._restore_terminal()
        os._exit(code)

    def _restore_terminal(self) -> None:
        """Reset the modes of the terminal, without waiting for one that does not read."""
        with suppress(OSError, termios.error):
            if sys.__stdin__ and self._modes:
                termios.tcsetattr(sys.__stdin__, termios.TCSANOW, self._modes)
        with suppress(OSError):
            if sys.__stderr__:
                _write_in_time(os.ttyname(sys.__stderr__.fileno()), MODES_OFF)

    def _run_hooks(self) -> None:
        deadline = time.monotonic() + HOOKS_TIMEOUT
        threads = [Thread(target=_call_hook, args=(hook,), daemon=True) for hook in self._hooks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _ignore_suspending(*_: object) -> None:
    """Ignore suspend and resume while the process ends: a shell that kills a stopped job also resumes it."""
    for number in SUSPENDING:
        signal.signal(number, lambda *_: None)


def _in_foreground(fd: int) -> bool:
    """Whether the process may write to the terminal: while it is suspended, the terminal belongs to the shell."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not the controlling terminal, so it suspends nobody
        return True


def _call_hook(hook: Hook) -> None:
    """Call a hook and log its errors: a traceback would be printed over the screen."""
    try:
        hook()
    except Exception:
        log.exception("error during shutdown")


def _modes_of(terminal: TextIO | None) -> list[int | list[bytes | int]]:
    """Return the modes of a terminal; empty for a file that is not a terminal."""
    try:
        return termios.tcgetattr(terminal) if terminal else []
    except (OSError, termios.error):
        return []


def _write_in_time(terminal: str, data: bytes) -> None:
    """Write as much as the terminal accepts.

    It is opened again, as the shell shares our descriptor and expects it to block.
    """
    deadline = time.monotonic() + WRITE_TIMEOUT
    fd = os.open(terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    while data and time.monotonic() < deadline:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            time.sleep(0.01)
