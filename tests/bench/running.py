"""Rows: bytes written to the terminal while images are generated, and the painting of a burst of frames."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.bench.programs import bare, dashboard, shown, shown_bare, submit
from tests.bench.remote_server import scripted_server
from tests.bench.rounds import Rounds
from tests.bench.table import Row

SLOW, FAST, PREVIEWED = 2, 50, 10
"""Steps per second."""
BURST_SECONDS = 0.25
"""Time within which the frames of a burst are sent."""


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure runs, previews, and a burst."""
    for rate, limit in ((SLOW, 2_000), (FAST, 4_000)):
        measured = _run(home, rate, rounds.run_seconds)
        yield Row(
            f"run at {rate} steps/s", "B/s", measured, limit, _rich(home, rate, rounds.rich_seconds), "two Rich bars"
        )
    plain = _run(home, PREVIEWED, rounds.run_seconds)
    measured = _run(home, PREVIEWED, rounds.run_seconds, previews=True)
    yield Row(f"previews at {PREVIEWED} steps/s", "B/s", measured, 64_000, plain, "the same without previews")
    yield _burst(home, rounds.burst_frames, rounds.burst_rest)


def _run(home: Path, rate: int, seconds: float, *, previews: bool = False) -> float:
    """Return the bytes per second of a batch of four; an image takes four seconds, or eight if steps are slow."""
    steps = max(4 * rate, 16)
    with (
        EmbeddedServer(SimConfig(steps_per_second=rate, load_seconds=0)) as server,
        dashboard(server.url, home, previews=previews, steps=steps) as terminal,
    ):
        shown(terminal)
        submit(terminal)
        return terminal.bytes_over(seconds) / seconds


def _rich(home: Path, rate: int, seconds: float) -> float:
    with bare(home, "rich", str(rate)) as terminal:
        shown_bare(terminal)
        return terminal.bytes_over(seconds) / seconds


def _burst(home: Path, frames: int, rest: float) -> Row:
    with scripted_server() as server, dashboard(server.url, home) as terminal:
        shown(terminal)
        submit(terminal)
        terminal.wait_until_quiet(0.2)
        before = len(terminal.written)
        server.send_steps(1, frames, frames, BURST_SECONDS / frames)
        sent = server.sent_at
        seconds = sent[frames] - sent[1]
        time.sleep(rest)
        steps = re.findall(rf"Step (\d+)/{frames} ", terminal.text(before))
    exact = "the last one exact" if steps[-1:] == [str(frames)] else f"the last one WRONG: {steps[-1:]}"
    paints = len(dict.fromkeys(steps)) if exact.endswith("exact") else frames
    note = f"{exact}; sent within {seconds:.2f} s"
    return Row(f"burst of {frames:,} frames", "paints", paints, 10, 1, "the last number", note=note)
