"""Rows: bytes to the terminal while images are made, and how a burst of frames is painted."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.bench.programs import bare, dashboard, shown, shown_bare, submit
from tests.bench.remote_server import box
from tests.bench.table import Row

SECONDS = 10
RICH_SECONDS = 5
SLOW, FAST, PREVIEWED = 2, 50, 10
"""Steps a second."""
BURST, BURST_SECONDS = 1_000, 0.25
"""Frames, and the seconds within which they are sent."""


def rows(home: Path) -> Iterator[Row]:
    """Runs, previews, and a burst."""
    for rate, limit in ((SLOW, 2_000), (FAST, 4_000)):
        measured = _bytes(home, rate)
        yield Row(f"run at {rate} steps/s", "B/s", measured, limit, _rich(home, rate), "two Rich bars")
    plain, measured = _bytes(home, PREVIEWED), _bytes(home, PREVIEWED, previews=True)
    yield Row(f"previews at {PREVIEWED} steps/s", "B/s", measured, 64_000, plain, "the same without previews")
    yield _burst(home)


def _bytes(home: Path, rate: int, *, previews: bool = False) -> float:
    """Bytes a second of a batch of four; an image takes four seconds, or eight where steps are slow."""
    steps = max(4 * rate, 16)
    with (
        EmbeddedServer(SimConfig(steps_per_second=rate, load_seconds=0)) as server,
        dashboard(server.url, home, previews=previews, steps=steps) as terminal,
    ):
        shown(terminal)
        submit(terminal)
        return terminal.bytes_over(SECONDS) / SECONDS


def _rich(home: Path, rate: int) -> float:
    with bare(home, "rich", str(rate)) as terminal:
        shown_bare(terminal)
        return terminal.bytes_over(RICH_SECONDS) / RICH_SECONDS


def _burst(home: Path) -> Row:
    with box() as server, dashboard(server.url, home) as terminal:
        shown(terminal)
        submit(terminal)
        terminal.settle(0.2)
        before = len(terminal.written)
        server.step(1, BURST, BURST, BURST_SECONDS / BURST)
        sent = server.sent
        seconds = sent[BURST] - sent[1]
        time.sleep(1.5)
        steps = re.findall(rf"Step (\d+)/{BURST} ", terminal.text(before))
    exact = "the last one exact" if steps[-1:] == [str(BURST)] else f"the last one WRONG: {steps[-1:]}"
    paints = len(dict.fromkeys(steps)) if exact.endswith("exact") else BURST
    note = f"{exact}; sent within {seconds:.2f} s"
    return Row(f"burst of {BURST:,} frames", "paints", paints, 10, 1, "the last number", note=note)
