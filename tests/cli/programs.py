"""Runs commands of the real program as processes, against a simulator in the test's event loop."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.waiting import TIMEOUT


class Program:
    """A running command, with pipes for its output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        """Wait for the next line of standard output; empty at its end."""
        assert self.process.stdout
        return (await asyncio.wait_for(self.process.stdout.readline(), TIMEOUT)).decode().rstrip("\n")

    async def line_with(self, text: str) -> str:
        """Wait for a line of standard output with a text in it."""
        while text not in (line := await self.line()):
            assert line, f"no line has {text!r}"
        return line

    async def error_line_with(self, text: str) -> str:
        """Wait for a line of standard error with a text in it."""
        assert self.process.stderr
        while line := (await asyncio.wait_for(self.process.stderr.readline(), TIMEOUT)).decode():
            if text in line:
                return line
        raise AssertionError(f"no line has {text!r}")

    async def end(self) -> "Result":
        """Wait until the program ends."""
        out, error = await asyncio.wait_for(self.process.communicate(), TIMEOUT)
        return Result(self.process.returncode or 0, out.decode(), error.decode())


class Result:
    """How a command ended, and what it wrote that was not read before."""

    def __init__(self, code: int, out: str, error: str) -> None:
        self.code = code
        self.lines = out.splitlines()
        self.error = error

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output; every line is one."""
        return [json.loads(line) for line in self.lines]

    def __repr__(self) -> str:
        return f"exit code {self.code}\n{self.lines}\n{self.error}"


def _take_signals() -> None:
    """Have the signals arrive, however the tests themselves were started."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@asynccontextmanager
async def started(state: Path, *argv: str, **environment: str) -> AsyncIterator[Program]:
    """Start a command with its own state folder, and kill it in the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "comfytui",
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state), **environment},
        limit=2**20,
        preexec_fn=_take_signals,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def completed(state: Path, *argv: str, **environment: str) -> Result:
    """Run a command until it ends."""
    async with started(state, *argv, **environment) as program:
        return await program.end()
