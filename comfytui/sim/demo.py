"""A simulated server in a child process, for the demo."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from comfytui.sim.config import SimConfig

if find_spec("aiohttp") is None:
    raise ImportError("The simulated server needs aiohttp", name="aiohttp")

STOP_SECONDS = 3.0
"""How long the child may take to exit before it is killed."""


class EmbeddedServer:
    """A simulated server on a free port of 127.0.0.1 that runs within `with`.

    The child exits with this process, however this process ends.
    """

    def __init__(self, config: SimConfig) -> None:
        self.config = config
        self.url = ""
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child; None if it is not running."""
        return None if self._child is None else self._child.pid

    def __enter__(self) -> Self:
        # The child's standard input is closed when this process exits, also by SIGKILL. The child gets our import path,
        # and a session of its own, so that signals from our terminal do not reach it.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "comfytui.sim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        self._child = child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(asdict(self.config)).encode() + b"\n")
        child.stdin.flush()
        self.url = child.stdout.readline().decode().strip()
        if not self.url:
            self._stop()
            raise RuntimeError("The simulated server did not start.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
