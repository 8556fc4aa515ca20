"""The bench's box in a process of its own, and orders to it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


class RemoteBox:
    """A box that runs elsewhere; times are monotonic seconds, one clock for all processes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=120)

    def step(self, first: int, last: int, top: int, pause: float = 0.0) -> None:
        """Have it send steps and wait until they are sent."""
        order = {"first": first, "last": last, "top": top, "pause": pause}
        self._http.post("/bench/step", json=order).raise_for_status()

    @property
    def linked(self) -> float:
        """When the last link stood."""
        return float(self._notes()["linked"])

    @property
    def sent(self) -> dict[int, float]:
        """When each step was sent, the last time that it was."""
        return {int(value): when for value, when in self._notes()["sent"].items()}

    def queue(self) -> bytes:
        """The answer to `GET /queue`."""
        return self._http.get("/queue").content

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _notes(self) -> Any:
        return self._http.get("/bench/notes").json()


@contextmanager
def box(pending: int = 0) -> Iterator[RemoteBox]:
    """A box with so many pending prompts of others."""
    command = [sys.executable, "-m", "tests.bench.scripted_server", str(pending)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        remote = RemoteBox(child.stdout.readline().strip())
        try:
            yield remote
        finally:
            remote.close()
            child.stdin.close()
