"""Rows: how long the start takes, and what the dashboard costs while nothing happens."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.bench.programs import bare, dashboard, shown, shown_bare
from tests.bench.table import Row

STARTS = 5
IDLE_SECONDS = 10


def rows(home: Path) -> Iterator[Row]:
    """The start and the rest."""
    with EmbeddedServer(SimConfig(load_seconds=0)) as server:
        yield _start(server.url, home)
        yield from _idle(server.url, home)


def _start(url: str, home: Path) -> Row:
    ours, floors = [], []
    for _ in range(1 + STARTS):  # by turns, so that a busy moment of the machine meets both
        with bare(home, "static") as terminal:
            floors.append(shown_bare(terminal) - terminal.started)
        with dashboard(url, home) as terminal:
            ours.append(shown(terminal) - terminal.started)
    floor = median(floors[1:])  # the first start made the bytecode
    return Row("start to the form", "s", median(ours[1:]), 2 * floor, floor, "bare Textual app", "2 x floor")


def _idle(url: str, home: Path) -> Iterator[Row]:
    with dashboard(url, home) as ours, bare(home, "static") as floor:
        shown(ours)
        shown_bare(floor)
        time.sleep(2)  # the first looks at the server are over
        before = ours.processor, floor.processor
        floor_from = len(floor.written)
        written = ours.bytes_over(IDLE_SECONDS)
        share, floor_share = ours.processor - before[0], floor.processor - before[1]
        floor_written = sum(len(data) for _, data in floor.written[floor_from:])
    yield Row("idle: bytes", "B/s", written / IDLE_SECONDS, 0, floor_written / IDLE_SECONDS, "bare Textual app")
    share, floor_share = (100 * seconds / IDLE_SECONDS for seconds in (share, floor_share))
    yield Row("idle: processor", "% of a core", share, 0.5, floor_share, "bare Textual app")
