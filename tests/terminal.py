"""The real program in a real pseudo-terminal, seen through a terminal emulator."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from select import select

import pyte

PATIENCE = 60.0
"""Seconds until words that should appear are given up."""
F2, F5, ESCAPE, ENTER = "\x1bOQ", "\x1b[15~", "\x1b", "\r"
PROGRAM = (sys.executable, "-m", "comfytui")


def program_with(change: str) -> tuple[str, ...]:
    """The program with a change to its own making: lines of Python that run before it."""
    return sys.executable, "-c", f"{change}\nfrom comfytui.__main__ import main\nmain()"


class Terminal:
    """What a person at the terminal does and sees."""

    def __init__(
        self, argv: Sequence[str], columns: int, rows: int, environment: dict[str, str], program: Sequence[str]
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [*program, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor", **environment},
        )
        os.close(slave)
        self.written = b""

    @property
    def text(self) -> str:
        """The screen as it stands."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def said(self) -> str:
        """All that was ever written, with single spaces wherever there are spaces or breaks."""
        return " ".join(self.written.decode(errors="replace").split())

    def send(self, *keys: str) -> None:
        """Type; each argument arrives on its own, as keys do."""
        for key in keys:
            os.write(self._master, key.encode())
            # An escape and a key that come together are alt and that key, so what follows keeps its distance.
            self._read(0.5 if key == ESCAPE else 0.1)

    def shows(self, words: str) -> None:
        """Wait until some words stand on the screen."""
        over = time.monotonic() + PATIENCE
        while words not in self.text:
            assert time.monotonic() < over, f"{words!r} did not appear; the screen was:\n{self.text}"
            self._read(0.1)

    def exit_code(self) -> int:
        """Wait for the end of the program."""
        over = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < over, f"it did not end; the screen was:\n{self.text}"
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def close(self) -> None:
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def _read(self, seconds: float) -> None:
        """Take what the program writes for so long."""
        over = time.monotonic() + seconds
        with suppress(OSError):
            while (left := over - time.monotonic()) > 0:
                if select([self._master], [], [], left)[0]:
                    data = os.read(self._master, 65_536)
                    self.written += data
                    self._stream.feed(data)


@contextmanager
def terminal(
    *argv: str, columns: int = 120, rows: int = 40, program: Sequence[str] = PROGRAM, **environment: str
) -> Iterator[Terminal]:
    """The program with these arguments in a terminal of this size."""
    it = Terminal(argv, columns, rows, environment, program)
    try:
        yield it
    finally:
        it.close()
