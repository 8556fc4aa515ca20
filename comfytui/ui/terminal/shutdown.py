"""An end in time: when the program is told to end, when its terminal is gone, and when that no longer reads."""

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
ORDERLY_SECONDS = 1.0
"""Patience with the application's own way out; a terminal that does not read blocks it for ever."""
HOOK_SECONDS = 0.4
"""Time for all hooks together."""
TERMINAL_SECONDS = 0.2
"""Patience with a terminal that takes no more bytes."""
LIMIT_SECONDS = 1.8
"""When the process ends whatever hangs."""
LEFT = 0
"""Said to the watcher when the application is over; no signal has this number."""
MODES_OFF = b"".join(
    (
        b"\x1b\\",  # ends whatever sequence was cut in the middle
        b"\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l",  # synchronised output, paste, line wrap, resize reports
        b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l",  # mouse
        b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l",  # keyboard, alternate screen, cursor, focus reports
    )
)

log = logging.getLogger(__name__)


class Shutdown:
    """Within `with`, SIGHUP, SIGTERM and a lost terminal end the process in two seconds, with 128 + the signal.

    `leave` asks the application, from another thread, to end in its own way with an exit code. `hooks` run at such
    an end, side by side in threads, also after an orderly one; what they have not done in 0.4 s stays undone.
    """

    def __init__(self, leave: Callable[[int], object], hooks: Sequence[Hook] = ()) -> None:
        self._leave = leave
        self._hooks = hooks
        self._terminals = {file.fileno() for file in (sys.__stdin__, sys.__stderr__) if file and file.isatty()}
        self._left = Event()
        # Not handlers in Python: those wait until the main thread is in Python code again.
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        self._watcher = Thread(target=self._watch, name="comfytui ending", daemon=True)

    def __enter__(self) -> Self:
        self._modes = _modes_of(sys.__stdin__)
        self._mouth_before = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        # nohup is respected.
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, _stay_awake) for number in heard}
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.write(self._mouth, bytes([LEFT]))
        # If an end has begun, or the terminal is gone, this is where it comes.
        self._watcher.join()
        signal.set_wakeup_fd(self._mouth_before)
        os.close(self._mouth)
        os.close(self._ear)

    def _watch(self) -> None:
        """Wait for a signal, the loss of a terminal, or the end of the application."""
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        for fd in self._terminals:
            poll.register(fd, 0)  # their loss is reported all the same
        while True:
            ready = dict(poll.poll())
            heard = os.read(self._ear, 4096) if ready.pop(self._ear, 0) else b""
            if any(happened & (select.POLLHUP | select.POLLERR) for happened in ready.values()):
                self._end(signal.SIGHUP, gone=True)
            for fd in ready:
                poll.unregister(fd)
            for number in heard:
                if number == LEFT:
                    return
                if number in SIGNALS:
                    self._end(number, gone=False)

    def _end(self, number: int, *, gone: bool) -> NoReturn:
        """End the process: in the application's own way if it takes it in time, without it otherwise."""
        code = 128 + number
        limit = Timer(LIMIT_SECONDS, os._exit, (code,))
        limit.daemon = True
        limit.start()
        mine = not gone and all(_in_foreground(fd) for fd in self._terminals)
        if mine:
            _quietly(partial(self._leave, code))
            self._left.wait(ORDERLY_SECONDS)
        self._run_hooks()
        if mine and not self._left.is_set():
            self._restore()
        os._exit(code)

    def _restore(self) -> None:
        """Give the terminal back as it was, without waiting for it."""
        with suppress(OSError, termios.error):
            if sys.__stdin__ and self._modes:
                termios.tcsetattr(sys.__stdin__, termios.TCSANOW, self._modes)
        with suppress(OSError):
            if sys.__stderr__:
                _write_in_time(os.ttyname(sys.__stderr__.fileno()), MODES_OFF)

    def _run_hooks(self) -> None:
        over = time.monotonic() + HOOK_SECONDS
        threads = [Thread(target=_quietly, args=(hook,), daemon=True) for hook in self._hooks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, over - time.monotonic()))


def _stay_awake(*_: object) -> None:
    """A program that ends is neither suspended nor resumed: a shell that kills a stopped job wakes it as well."""
    for number in SUSPENDING:
        signal.signal(number, lambda *_: None)


def _in_foreground(fd: int) -> bool:
    """Whether the terminal is ours to write to, and not the shell's, who has suspended us."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not our controlling terminal, so it suspends nobody
        return True


def _quietly(hook: Hook) -> None:
    """Call a hook; a traceback would land on the screen that is being given back."""
    try:
        hook()
    except Exception:
        log.exception("at the end")


def _modes_of(terminal: TextIO | None) -> list[int | list[bytes | int]]:
    """How a terminal is set, nothing if it is none."""
    try:
        return termios.tcgetattr(terminal) if terminal else []
    except (OSError, termios.error):
        return []


def _write_in_time(terminal: str, data: bytes) -> None:
    """Write what a terminal takes; opened anew, since the shell shares our descriptor and wants it to block."""
    over = time.monotonic() + TERMINAL_SECONDS
    fd = os.open(terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    while data and time.monotonic() < over:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            time.sleep(0.01)
