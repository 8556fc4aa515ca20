"""Rows: start of the commands for scripts to their first output."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.bench.rounds import Rounds
from tests.bench.table import Row
from tests.bench.terminal import program_environment

BUDGET = 0.4
FLOOR = ("-c", "import httpx; print(httpx.__version__)")
COMMANDS = {"status": (), "run": ("--detach",)}
"""The commands, with their options after the server."""


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure each command, in turns with the floor, so that a busy moment of the machine affects both."""
    with EmbeddedServer(SimConfig(load_seconds=0)) as server:
        for command, options in COMMANDS.items():
            ours, floors = [], []
            for _ in range(1 + rounds.starts):
                floors.append(_first_output(home, *FLOOR))
                ours.append(_first_output(home, "-m", "comfytui", command, server.url, *options))
            # The first start compiled the bytecode.
            yield Row(
                f"start of {command} to output", "s", median(ours[1:]), BUDGET, median(floors[1:]), "import httpx"
            )


def _first_output(home: Path, *arguments: str) -> float:
    """Run Python until its end; return the seconds until it wrote something.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    began = time.monotonic()
    command = [sys.executable, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=program_environment(home)
    ) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        seconds = time.monotonic() - began
        child.stdout.read()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return seconds
