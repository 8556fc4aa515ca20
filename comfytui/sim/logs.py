"""The server's terminal output: a backlog like ComfyUI's, and `logs` frames for subscribers."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

CAPACITY = 300
"""Number of entries kept for `/internal/logs`."""
COLUMNS, ROWS = 80, 24
GREEN = "\x1b[32m"
BOLD_YELLOW = "\x1b[1m\x1b[33m"
BOLD_RED = "\x1b[1m\x1b[31m"
RESET = "\x1b[0m"
BLOCKS = " ▏▎▍▌▋▊▉█"
BAR_CELLS = 10

Send = Callable[[str, Any, str | None], None]


@dataclass(slots=True)
class Logs:
    """Terminal output in chunks (not lines); `flush` sends the chunks written since the last flush."""

    send: Send
    is_connected: Callable[[str], bool]
    entries: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=CAPACITY))
    subscribers: set[str] = field(default_factory=set)
    _unsent: list[dict[str, str]] = field(default_factory=list)
    _size_sent: bool = False

    def write(self, text: str) -> None:
        """Write a chunk; one that starts with a carriage return replaces an unfinished chunk in the backlog."""
        entry = {"t": datetime.now().isoformat(), "m": text}
        self._unsent.append(entry)
        if text.startswith("\r") and self.entries and not self.entries[-1]["m"].endswith("\n"):
            self.entries.pop()
        self.entries.append(entry)

    def flush(self) -> None:
        """Send the unsent chunks to the subscribers, and unsubscribe those without a socket."""
        entries, self._unsent = self._unsent, []
        if not entries or not self.subscribers:
            return
        size = self.take_size()
        for client_id in self.subscribers.copy():
            if self.is_connected(client_id):
                self.send("logs", {"entries": entries, "size": size}, client_id)
            else:
                self.subscribers.discard(client_id)

    def take_size(self) -> dict[str, int] | None:
        """Return the terminal size on the first call, None on later ones."""
        was_sent, self._size_sent = self._size_sent, True
        return None if was_sent else {"cols": COLUMNS, "rows": ROWS}

    def info(self, message: str) -> None:
        """Write an info line."""
        self._line(f"{GREEN}[INFO]{RESET} {message}\n")

    def success(self, message: str) -> None:
        """Write an info line in green."""
        self.info(f"{GREEN}{message}{RESET}")

    def warning(self, message: str) -> None:
        """Write a warning line."""
        self._line(f"{BOLD_YELLOW}[WARNING]{RESET} {message}\n")

    def error(self, message: str) -> None:
        """Write an error line."""
        self._line(f"{BOLD_RED}[ERROR]{RESET} {message}\n")

    def _line(self, text: str) -> None:
        self.write(text)
        self.flush()

    def banner(self, version: str, url: str) -> None:
        """Write the lines that a server prints at start-up."""
        for line in (f"ComfyUI version: {version}", "Using RAM pressure cache.", "Starting server\n"):
            self.info(line)
        self.info(f"To see the GUI go to: {url}")


@dataclass(slots=True)
class TqdmBar:
    """A tqdm progress bar in the terminal output that counts the steps of one sampler."""

    logs: Logs
    total: int
    began: float = field(default_factory=time.monotonic)
    count: int = 0

    def show(self) -> None:
        """Write the bar in its current state."""
        elapsed = time.monotonic() - self.began
        rate = self.count / elapsed if elapsed > 0 else 0.0
        self.logs.write(bar_text(self.count, self.total, elapsed, rate))
        self.logs.flush()

    def step(self) -> None:
        """Count one step and write the bar."""
        self.count += 1
        self.show()

    def close(self) -> None:
        """Write the bar a last time; the final line feed is sent with the next flush."""
        self.logs.write("")
        self.show()
        self.logs.write("\n")


def bar_text(count: int, total: int, elapsed: float, rate: float) -> str:
    """Format a bar as tqdm does: carriage return, percentage, blocks, counts, times and rate.

    Args:
        count: Steps done.
        total: Steps of the whole run.
        elapsed: Seconds since the start.
        rate: Steps per second; 0 if unknown.
    """
    share = count / total if total else 1.0
    eighths = round(share * BAR_CELLS * 8)
    blocks = (BLOCKS[8] * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")).ljust(BAR_CELLS)
    if count == 0:
        return f"\r{share:4.0%}|{blocks}| {count}/{total} [{_clock(elapsed)}<?, ?it/s]"
    left = (total - count) / rate if rate else 0.0
    return f"\r{share:4.0%}|{blocks}| {count}/{total} [{_clock(elapsed)}<{_clock(left)}, {rate:5.2f}it/s]"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
