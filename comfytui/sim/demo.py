"""The simulated server in a process of its own, for as long as somebody needs it."""

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
"""Patience with the child before it is killed."""


class EmbeddedServer:
    """A simulated server on a free port of 127.0.0.1, alive within `with`; it ends with this process by any means."""

    def __init__(self, config: SimConfig) -> None:
        self.config = config
        self.url = ""
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        return None if self._child is None else self._child.pid

    def __enter__(self) -> Self:
        # The child sees the end of its input when this process goes away, also by SIGKILL. It imports what we can
        # import, and the signals of our terminal do not reach it.
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
