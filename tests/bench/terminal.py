"""A program in a terminal of 120x40 that counts what is written to it, and answers nothing."""

import fcntl
import os
import pty
import random
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

COLUMNS, LINES = 120, 40
PATIENCE = 30.0
"""Seconds until words that should appear are given up."""
POLL = 0.002
"""Seconds between two looks at what was written."""
TICKS = os.sysconf("SC_CLK_TCK")
"""Units of processor time a second."""


class Terminal:
    """A command that runs in a terminal of its own, alive within `with`; times are monotonic seconds."""

    def __init__(self, command: Sequence[str], home: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command = list(command)
        # Installed programs have their bytecode; here it is kept aside, from the first start on.
        self._environment = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(home / "bytecode"),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "XDG_STATE_HOME": str(home),
            **(environment or {}),
        }
        self.written: list[tuple[float, bytes]] = []
        """What was written, piece by piece, each with the time at which it came."""
        self.started = 0.0

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if not self.pid:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
            os.execvpe(self._command[0], self._command, self._environment)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._reader.join()
        os.close(self._fd)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65_536)
            except OSError:  # how a terminal says that its program is gone
                return
            if not data:
                return
            self.written.append((time.monotonic(), data))

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def text(self, since: int = 0) -> str:
        """Everything written from the given piece on."""
        return b"".join(data for _, data in self.written[since:]).decode("utf-8", "replace")

    def shows(self, words: str, since: int = 0) -> float:
        """Wait for words and return when they came."""
        encoded = words.encode()
        self.until(lambda: any(encoded in data for _, data in self._joined(since)), words)
        return next(when for when, data in self._joined(since) if encoded in data)

    def _joined(self, since: int) -> list[tuple[float, bytes]]:
        """Pieces, each with the end of the one before, since a write may be read in two."""
        pieces = self.written[max(since, 0) :]
        before = [b"", *(data[-200:] for _, data in pieces)]
        return [(when, end + data) for end, (when, data) in zip(before, pieces, strict=False)]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds."""
        over = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > over:
                raise TimeoutError(f"{what!r} did not come; the terminal has:\n{self.text()[-3000:]!r}")
            time.sleep(POLL)

    def settle(self, quiet: float = 0.6) -> None:
        """Wait until nothing was written for so many seconds, or for as long as patience lasts."""
        over = time.monotonic() + PATIENCE
        while not self.written or time.monotonic() - self.written[-1][0] < quiet:
            if time.monotonic() > over:
                return
            time.sleep(POLL)

    def bytes_over(self, seconds: float) -> int:
        """Bytes written during the next so many seconds."""
        before = len(self.written)
        time.sleep(seconds)
        return sum(len(data) for _, data in self.written[before:])

    def answers(self, keys: Sequence[str], quiet: float = 0.15) -> list[float]:
        """Seconds from each key to the first byte that answers it, from rest and off any beat."""
        seconds = []
        for key in keys:
            self.settle(quiet)
            time.sleep(random.uniform(0, 0.05))
            before, pressed = len(self.written), time.monotonic()
            self.press(key)
            self.until(lambda before=before: len(self.written) > before, f"an answer to {key!r}")  # type: ignore[misc]
            seconds.append(self.written[before][0] - pressed)
        return seconds

    @property
    def processor(self) -> float:
        """Seconds of processor time that the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> float:
        """Resident memory of the program in MB."""
        return memory(self.pid)


def memory(pid: int | str = "self", field: str = "VmRSS") -> float:
    """A figure of a process's memory in MB; `VmHWM` is the most that it had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
