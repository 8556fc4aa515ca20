"""Runs a program in a terminal of 120x40 that records what is written and answers no queries."""

import fcntl
import os
import pty
import random
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

COLUMNS, LINES = 120, 40
TIMEOUT = 30.0
"""Seconds to wait for an expected text."""
POLL_INTERVAL = 0.002
"""Seconds between two checks of what was written."""
TICKS = os.sysconf("SC_CLK_TCK")
"""Units of processor time per second."""


class Terminal:
    """A command in a terminal of its own, running within `with`; times are monotonic seconds."""

    def __init__(self, command: Sequence[str], home: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command = list(command)
        # The terminal's size counts, not what variables of the calling process say.
        sizeless = {
            name: value for name, value in program_environment(home).items() if name not in {"COLUMNS", "LINES"}
        }
        self._environment = {**sizeless, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})}
        self.written: list[tuple[float, bytes]] = []
        """The chunks written, each with the time at which it arrived."""
        self.started = 0.0

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self._fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            self._command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509
            env=self._environment,
        )
        os.close(slave)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._fd)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65_536)
            except OSError:  # the program has exited
                return
            if not data:
                return
            self.written.append((time.monotonic(), data))

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._fd, keys.encode())

    def text(self, since: int = 0) -> str:
        """Return everything written from the given chunk on."""
        return b"".join(data for _, data in self.written[since:]).decode("utf-8", "replace")

    def shows(self, text: str, since: int = 0) -> float:
        """Wait for a text, and return when it was written."""
        encoded = text.encode()
        self.until(lambda: any(encoded in data for _, data in self._joined(since)), text)
        return next(when for when, data in self._joined(since) if encoded in data)

    def _joined(self, since: int) -> list[tuple[float, bytes]]:
        """Return the chunks, each with the end of the one before, since a write may be read in two chunks."""
        chunks = self.written[max(since, 0) :]
        before = [b"", *(data[-200:] for _, data in chunks)]
        return [(when, end + data) for end, (when, data) in zip(before, chunks, strict=False)]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds."""
        over = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > over:
                raise TimeoutError(f"{what!r} did not come; the terminal has:\n{self.text()[-3000:]!r}")
            time.sleep(POLL_INTERVAL)

    def wait_until_quiet(self, quiet: float = 0.6) -> None:
        """Wait until nothing was written for `quiet` seconds, but no longer than `TIMEOUT`."""
        over = time.monotonic() + TIMEOUT
        while not self.written or time.monotonic() - self.written[-1][0] < quiet:
            if time.monotonic() > over:
                return
            time.sleep(POLL_INTERVAL)

    def bytes_over(self, seconds: float) -> int:
        """Return the number of bytes written during the next `seconds`."""
        before = len(self.written)
        time.sleep(seconds)
        return sum(len(data) for _, data in self.written[before:])

    def response_seconds(self, keys: Sequence[str], quiet: float = 0.15) -> list[float]:
        """Return the seconds from each key to the first byte written after it.

        Each key comes after `quiet` seconds of rest and a random delay, so that it hits no regular beat.
        """
        seconds = []
        for key in keys:
            self.wait_until_quiet(quiet)
            time.sleep(random.uniform(0, 0.05))
            before, pressed = len(self.written), time.monotonic()
            self.press(key)
            self.until(lambda before=before: len(self.written) > before, f"output after {key!r}")  # type: ignore[misc]
            seconds.append(self.written[before][0] - pressed)
        return seconds

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the program has used, in seconds."""
        return cpu_seconds(self.pid)

    @property
    def memory(self) -> float:
        """Resident memory of the program in MB."""
        return memory(self.pid)


def program_environment(home: Path) -> dict[str, str]:
    """Return the environment of a measured program, with a home directory of its own."""
    return {
        **os.environ,
        # Installed programs have compiled bytecode; here it is stored separately from the first start on.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(home / "bytecode"),
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home),
    }


def _take_terminal() -> None:
    """Make standard input the controlling terminal, as a shell does for its children."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def memory(pid: int | str = "self", field: str = "VmRSS") -> float:
    """Return the memory of a process in MB; `VmRSS` is the current, `VmHWM` the highest."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
