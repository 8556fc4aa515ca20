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
from functools import partial
from pathlib import Path
from select import select
from typing import Any

import pyte

PATIENCE = 60.0
"""Seconds until words that should appear are given up."""
F1, F2, F5, ESCAPE, ENTER = "\x1bOP", "\x1bOQ", "\x1b[15~", "\x1b", "\r"
STOPPED = "[1]+  Stopped"
"""What a shell says of a program that stopped."""
PROGRAM = (sys.executable, "-m", "comfytui")


def program_with(change: str) -> tuple[str, ...]:
    """The program with a change to its own making: lines of Python that run before it."""
    return sys.executable, "-c", f"{change}\nfrom comfytui.__main__ import main\nmain()"


def _begin(*, controlling: bool, nohup: bool) -> None:
    """Be a child of a shell with this terminal, or of `nohup`, whatever the tests themselves were started by."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    if controlling:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """What a person at the terminal does and sees."""

    def __init__(
        self,
        argv: Sequence[str],
        columns: int,
        rows: int,
        environment: dict[str, str],
        program: Sequence[str],
        *,
        controlling: bool = False,
        nohup: bool = False,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        # Held open: a terminal that nobody holds forgets how it is set.
        self._slave = slave
        self._cooked = termios.tcgetattr(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # With `controlling` it is hung up with a SIGHUP, as a shell's is; without, it only breaks.
        self.process = subprocess.Popen(
            [*program, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=partial(_begin, controlling=controlling, nohup=nohup),  # noqa: PLW1509
            env=_environment() | environment,
        )
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

    def hides(self, words: str) -> None:
        """Wait until some words no longer stand on the screen."""
        over = time.monotonic() + PATIENCE
        while words in self.text:
            assert time.monotonic() < over, f"{words!r} did not go; the screen was:\n{self.text}"
            self._read(0.1)

    def wait(self, seconds: float) -> None:
        """Take what the program writes for so long."""
        self._read(seconds)

    def rest(self) -> bytes:
        """Read what is still to be read, and return all that was."""
        while select([self._master], [], [], 0.1)[0]:
            self._read(0.1)
        return self.written

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
        self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    def stall(self) -> None:
        """Read nothing, and press keys, until the program stands still: its terminal is full, and it waits for that."""
        over = time.monotonic() + PATIENCE
        moved, quiet = -1, 0
        while quiet < 6:
            assert time.monotonic() < over, "it goes on without a terminal"
            os.write(self._master, b"a")
            # A loop that lives wakes up for each key; one that waits for a full terminal does not.
            time.sleep(0.05)
            before, moved = moved, self._switches()
            quiet = quiet + 1 if before == moved and not self._takes_bytes() else 0

    def _switches(self) -> int:
        """How often the main thread has waited so far."""
        status = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def _takes_bytes(self) -> bool:
        return bool(select([], [self._slave], [], 0)[1])

    def modes(self) -> list[Any]:
        """How the terminal treats what is typed and written."""
        return termios.tcgetattr(self._slave)[:4]

    def take_back(self) -> None:
        """Set the terminal as it was at first and write to it, as a shell does when its program stops."""
        termios.tcsetattr(self._slave, termios.TCSANOW, self._cooked)
        os.write(self._slave, b"\x1b[?1049l\x1b[2J\x1b[H" + STOPPED.encode())

    def _read(self, seconds: float) -> None:
        """Take what the program writes for so long."""
        over = time.monotonic() + seconds
        with suppress(OSError):
            while (left := over - time.monotonic()) > 0:
                if select([self._master], [], [], left)[0]:
                    data = os.read(self._master, 65_536)
                    self.written += data
                    self._stream.feed(data)


def _environment() -> dict[str, str]:
    """The environment of a terminal: its size is what it says itself, not what some variable says."""
    own = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    return own | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"}


@contextmanager
def terminal(
    *argv: str,
    columns: int = 120,
    rows: int = 40,
    program: Sequence[str] = PROGRAM,
    controlling: bool = False,
    nohup: bool = False,
    **environment: str,
) -> Iterator[Terminal]:
    """The program with these arguments in a terminal of this size."""
    it = Terminal(argv, columns, rows, environment, program, controlling=controlling, nohup=nohup)
    try:
        yield it
    finally:
        it.close()
