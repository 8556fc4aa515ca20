"""Runs the real program in a pseudo-terminal, and shows its screen through a terminal emulator."""

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
from termios import FIONREAD
from typing import Any

import pyte

from tests.waiting import TIMEOUT

F1, F2, F5, ESCAPE, ENTER = "\x1bOP", "\x1bOQ", "\x1b[15~", "\x1b", "\r"
STOPPED = "[1]+  Stopped"
"""What a shell prints when its program is stopped."""
PROGRAM = (sys.executable, "-m", "comfytui")


def program_with(change: str) -> tuple[str, ...]:
    """Return a command that runs lines of Python before the program."""
    return sys.executable, "-c", f"{change}\nfrom comfytui.__main__ import main\nmain()"


def _set_up_child(*, controlling: bool, nohup: bool) -> None:
    """Set up the child process like a shell's or like `nohup`'s, however the tests themselves were started."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    if controlling:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A program in a terminal: sends keys, and reads the screen.

    Args:
        argv: Arguments of the program.
        columns: Width of the terminal.
        rows: Height of the terminal.
        environment: Additional environment variables.
        program: The command to run.
        controlling: Make it the controlling terminal, so that closing it sends SIGHUP, as for a shell's child.
        nohup: Start the program with SIGHUP ignored.
    """

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
        # Kept open: a terminal loses its modes when nobody has it open.
        self._slave = slave
        self._cooked = termios.tcgetattr(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [*program, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=partial(_set_up_child, controlling=controlling, nohup=nohup),  # noqa: PLW1509
            env=_environment() | environment,
        )
        self.written = b""

    @property
    def text(self) -> str:
        """The text on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def output(self) -> str:
        """Everything written so far, with runs of white space as single spaces."""
        return " ".join(self.written.decode(errors="replace").split())

    def send(self, *keys: str) -> None:
        """Send keys; each argument arrives separately, as typed keys do."""
        for key in keys:
            os.write(self._master, key.encode())
            self._until_taken()
            # Escape directly followed by a key would be read as alt and that key.
            self._read(0.5 if key == ESCAPE else 0.1)

    def _until_taken(self) -> None:
        """Wait until the program has read what was sent, or has ended."""
        over = time.monotonic() + TIMEOUT
        self._read(0.01)
        while self.process.poll() is None and self._unread():
            assert time.monotonic() < over, f"it does not read its keys; the screen was:\n{self.text}"
            self._read(0.01)

    def _unread(self) -> int:
        """Return how many bytes wait to be read by the program."""
        (count,) = struct.unpack("i", fcntl.ioctl(self._slave, FIONREAD, bytes(4)))
        return int(count)

    def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        over = time.monotonic() + TIMEOUT
        while text not in self.text:
            assert time.monotonic() < over, f"{text!r} did not appear; the screen was:\n{self.text}"
            self._read(0.1)

    def hides(self, text: str) -> None:
        """Wait until a text is no longer on the screen."""
        over = time.monotonic() + TIMEOUT
        while text in self.text:
            assert time.monotonic() < over, f"{text!r} did not disappear; the screen was:\n{self.text}"
            self._read(0.1)

    def wait(self, seconds: float) -> None:
        """Read what the program writes for so many seconds."""
        self._read(seconds)

    def rest(self) -> bytes:
        """Read the remaining output, and return everything written so far."""
        while select([self._master], [], [], 0.1)[0]:
            self._read(0.1)
        return self.written

    def exit_code(self) -> int:
        """Wait until the program exits, and return its exit code."""
        over = time.monotonic() + TIMEOUT
        while self.process.poll() is None:
            assert time.monotonic() < over, f"it did not end; the screen was:\n{self.text}"
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def close(self) -> None:
        """Kill the program if it still runs, and close the terminal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal."""
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    def stall(self) -> None:
        """Send keys without reading until the program blocks, since the terminal takes no more output."""
        over = time.monotonic() + TIMEOUT
        moved, quiet = -1, 0
        while quiet < 6:
            assert time.monotonic() < over, "it goes on though the terminal is full"
            os.write(self._master, b"a")
            # A running event loop wakes up for each key; one that is blocked by a full terminal does not.
            time.sleep(0.05)
            before, moved = moved, self._switches()
            quiet = quiet + 1 if before == moved and not self._takes_bytes() else 0

    def _switches(self) -> int:
        """Return how often the main thread has waited so far."""
        status = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def _takes_bytes(self) -> bool:
        return bool(select([], [self._slave], [], 0)[1])

    def modes(self) -> list[Any]:
        """Return the terminal's modes."""
        return termios.tcgetattr(self._slave)[:4]

    def restore_modes(self) -> None:
        """Restore the terminal's first modes and write to it, as a shell does when its program stops."""
        termios.tcsetattr(self._slave, termios.TCSANOW, self._cooked)
        os.write(self._slave, b"\x1b[?1049l\x1b[2J\x1b[H" + STOPPED.encode())

    def _read(self, seconds: float) -> None:
        """Read what the program writes for so many seconds."""
        over = time.monotonic() + seconds
        with suppress(OSError):
            while (left := over - time.monotonic()) > 0:
                if select([self._master], [], [], left)[0]:
                    data = os.read(self._master, 65_536)
                    self.written += data
                    self._stream.feed(data)


def _environment() -> dict[str, str]:
    """Return the program's environment; without the variables that would override the terminal's size."""
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
    """Run the program in a terminal; see `Terminal` for the arguments."""
    it = Terminal(argv, columns, rows, environment, program, controlling=controlling, nohup=nohup)
    try:
        yield it
    finally:
        it.close()
