"""Runs a scripted server in a child process and controls it over HTTP."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


class RemoteServer:
    """A scripted server in another process; times are monotonic seconds, a clock that all processes share."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=120)

    def send_steps(self, first: int, last: int, top: int, pause: float = 0.0) -> None:
        """Send the steps `first` to `last` of `top` to the client, and wait until they are sent.

        Args:
            first: Number of the first step.
            last: Number of the last step.
            top: Number of steps that the frames claim in all.
            pause: Seconds between two steps; 0 sends as fast as the client reads.
        """
        command = {"first": first, "last": last, "top": top, "pause": pause}
        self._http.post("/bench/step", json=command).raise_for_status()

    @property
    def connected_at(self) -> float:
        """When the last WebSocket was opened."""
        return float(self._times()["connected"])

    @property
    def sent_at(self) -> dict[int, float]:
        """When each step was sent, the last time that it was."""
        return {int(value): when for value, when in self._times()["sent"].items()}

    def queue(self) -> bytes:
        """Return the response to `GET /queue`."""
        return self._http.get("/queue").content

    def close(self) -> None:
        """Close the connections to the server."""
        self._http.close()

    def _times(self) -> Any:
        return self._http.get("/bench/times").json()


@contextmanager
def scripted_server(pending: int = 0, *, definitions: bool = False) -> Iterator[RemoteServer]:
    """Run a server with a number of pending prompts of other clients, and with definitions of nodes or none."""
    command = [sys.executable, "-m", "tests.bench.scripted_server", str(pending)]
    command += ["definitions"] if definitions else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        server = RemoteServer(child.stdout.readline().strip())
        try:
            yield server
        finally:
            server.close()
            child.stdin.close()
