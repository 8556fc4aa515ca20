"""Rows: a queue of 10,000 prompts of others, from the link to the list, to the keys and in memory."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.programs import DOWN, ESCAPE, FORM, UP, bare, dashboard, shown_bare
from tests.bench.remote_server import box
from tests.bench.table import Row
from tests.bench.terminal import memory

PENDING = 10_000
OPENINGS = 3
KEYS = 12


@dataclass(frozen=True, slots=True)
class Opening:
    """One start on the long queue: seconds to the rows, seconds a key, MB."""

    seconds: float
    key: float
    memory: float
    peak: float


def rows(home: Path) -> Iterator[Row]:
    """Open, keys, memory."""
    with box(PENDING) as server:
        openings = []
        for _ in range(OPENINGS):
            with dashboard(server.url, home) as terminal:
                terminal.shows(FORM)
                # The second row's title: the first may be anywhere in a line that is also cut elsewhere.
                rows_at = terminal.shows("picture number 2 ")
                seconds = rows_at - server.linked
                terminal.settle()
                terminal.press(ESCAPE)
                terminal.settle()
                key = median(terminal.answers((DOWN, DOWN, UP) * (KEYS // 3)))
                openings.append(Opening(seconds, key, terminal.memory, memory(terminal.pid, "VmHWM")))
        body = server.queue()
    with bare(home, "static") as terminal:
        shown_bare(terminal)
        floor_memory = terminal.memory
    with bare(home, "input") as terminal:
        shown_bare(terminal)
        floor_key = median(terminal.answers("abcdefghijkl"))
    what = f"queue of {PENDING:,} ({len(body) / 1e6:.0f} MB)"
    opened = 1000 * median(opening.seconds for opening in openings)
    yield Row(f"{what}: link to rows", "ms", opened, 200, 1000 * _reading(body), "json.loads of its body")
    key = 1000 * median(opening.key for opening in openings)
    yield Row(f"{what}: key to paint", "ms", key, 50, 1000 * floor_key, "Input of a bare Textual app")
    resident, peak = (median(getattr(opening, name) for opening in openings) for name in ("memory", "peak"))
    note = f"at most {peak:.0f} while it opens"
    yield Row(f"{what}: memory", "MB", resident, 150, floor_memory, "bare Textual app", note=note)


def _reading(body: bytes) -> float:
    """Seconds to read the body as JSON."""
    seconds = []
    for _ in range(OPENINGS):
        began = time.perf_counter()
        json.loads(body)
        seconds.append(time.perf_counter() - began)
    return median(seconds)
