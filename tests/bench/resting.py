"""Rows: time of the start, and the cost of an idle dashboard."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.bench.programs import bare, dashboard, shown, shown_bare
from tests.bench.rounds import Rounds
from tests.bench.table import Row


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure the start, and the idle dashboard."""
    with EmbeddedServer(SimConfig(load_seconds=0)) as server:
        yield _start(server.url, home, rounds.starts)
        yield from _idle(server.url, home, rounds)


def _start(url: str, home: Path, starts: int) -> Row:
    ours, floors = [], []
    for _ in range(1 + starts):  # in turns, so that a busy moment of the machine affects both
        with bare(home, "static") as terminal:
            floors.append(shown_bare(terminal) - terminal.started)
        with dashboard(url, home) as terminal:
            ours.append(shown(terminal) - terminal.started)
    floor = median(floors[1:])  # the first start compiled the bytecode
    return Row("start to the form", "s", median(ours[1:]), 2 * floor, floor, "bare Textual app", "2 x floor")


def _idle(url: str, home: Path, rounds: Rounds) -> Iterator[Row]:
    seconds = rounds.idle_seconds
    with dashboard(url, home) as ours, bare(home, "static") as floor:
        shown(ours)
        shown_bare(floor)
        time.sleep(rounds.rest_seconds)
        before = ours.cpu_seconds, floor.cpu_seconds
        floor_from = len(floor.written)
        written = ours.bytes_over(seconds)
        share, floor_share = ours.cpu_seconds - before[0], floor.cpu_seconds - before[1]
        floor_written = sum(len(data) for _, data in floor.written[floor_from:])
    yield Row("idle: bytes", "B/s", written / seconds, 0, floor_written / seconds, "bare Textual app")
    share, floor_share = (100 * used / seconds for used in (share, floor_share))
    yield Row("idle: processor", "% of a core", share, 0.5, floor_share, "bare Textual app")
