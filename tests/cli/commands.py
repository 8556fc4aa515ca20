"""Real processes of the command line, on a simulated server."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfytui.comfy.server import Server
from comfytui.session.model import Batch
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.waiting import TIMEOUT
from tests.watcher import watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
MODEL = QUICK.checkpoints[0]
PROGRAM = (sys.executable, "-m", "comfytui")


def environment(state: Path) -> dict[str, str]:
    """Return the environment of a command whose user has this state folder."""
    return {
        **os.environ,
        "HOME": str(state),
        "XDG_STATE_HOME": str(state),
        "XDG_CONFIG_HOME": str(state / "config"),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output; every line is one."""
        return [json.loads(line) for line in self.lines]


@dataclass
class Command:
    """A command that runs."""

    process: Process

    async def line(self) -> str:
        """Return the next line of standard output; empty at its end."""
        assert self.process.stdout
        async with asyncio.timeout(TIMEOUT):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def until(self, text: str) -> list[str]:
        """Return the lines up to the next one that contains a text."""
        lines: list[str] = []
        while not lines or text not in lines[-1]:
            line = await self.line()
            assert line, f"{text!r} did not come in {lines}"
            lines.append(line)
        return lines

    async def error_until(self, text: str) -> str:
        """Return the next line of standard error that contains a text."""
        assert self.process.stderr
        async with asyncio.timeout(TIMEOUT):
            while line := (await self.process.stderr.readline()).decode():
                if text in line:
                    return line.rstrip("\n")
        raise AssertionError(f"{text!r} did not come")

    async def end(self, number: signal.Signals | None = None) -> Ended:
        """Send a signal, if any, wait for the end, and return it."""
        if number:
            self.process.send_signal(number)
        async with asyncio.timeout(TIMEOUT):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out.decode(), err.decode())


def _take_signals() -> None:
    """Have the signals arrive, however the tests themselves were started."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@asynccontextmanager
async def command(state: Path, *arguments: str, program: tuple[str, ...] = PROGRAM) -> AsyncIterator[Command]:
    """Run a command as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(
        *program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=environment(state),
        limit=2**20,
        preexec_fn=_take_signals,
    )
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ended(state: Path, *arguments: str, program: tuple[str, ...] = PROGRAM) -> Ended:
    """Run a command to its end."""
    async with command(state, *arguments, program=program) as running:
        return await running.end()


async def submitted(
    sim: SimServer, state: Path, images: int, *, other_user: bool = False, prompt: str = "a red fox in snow"
) -> Batch:
    """Submit a batch as a program of the same user that ended then, or as another user; return it."""
    folder = None if other_user else state / "comfytui"
    async with watching(Server.from_url(sim.url), folder=folder) as watcher:
        await watcher.live()
        batch = await watcher.submit(images, model=MODEL, prompt=prompt)
        await watcher.queued(batch)
        return watcher.state.batches[batch.id]
