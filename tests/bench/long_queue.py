"""Rows: a long queue of other clients' prompts: time until it is listed, latency of keys, memory."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.programs import DOWN, ESCAPE, FORM, UP, bare, dashboard, shown_bare
from tests.bench.remote_server import scripted_server
from tests.bench.rounds import Rounds
from tests.bench.table import Row
from tests.bench.terminal import memory


@dataclass(frozen=True, slots=True)
class Opening:
    """One start on the long queue: seconds until the rows, seconds per key, memory and its peak in MB."""

    seconds: float
    key: float
    memory: float
    peak: float


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure the opening, the keys, and the memory."""
    with scripted_server(rounds.pending) as server:
        openings = []
        for _ in range(rounds.openings):
            with dashboard(server.url, home) as terminal:
                terminal.shows(FORM)
                # The title of the second row: the first row may be split over two writes.
                rows_at = terminal.shows("picture number 2 ")
                seconds = rows_at - server.connected_at
                terminal.wait_until_quiet()
                terminal.press(ESCAPE)
                terminal.wait_until_quiet()
                key = median(terminal.response_seconds((DOWN, DOWN, UP) * (rounds.list_keys // 3)))
                openings.append(Opening(seconds, key, terminal.memory, memory(terminal.pid, "VmHWM")))
        body = server.queue()
    with bare(home, "static") as terminal:
        shown_bare(terminal)
        floor_memory = terminal.memory
    with bare(home, "input") as terminal:
        shown_bare(terminal)
        floor_key = median(terminal.response_seconds("abcdefghijkl"[: rounds.list_keys]))
    what = f"queue of {rounds.pending:,} ({len(body) / 1e6:.0f} MB)"
    opened = 1000 * median(opening.seconds for opening in openings)
    yield Row(
        f"{what}: link to rows",
        "ms",
        opened,
        200,
        1000 * _parse_seconds(body, rounds.openings),
        "json.loads of its body",
    )
    key = 1000 * median(opening.key for opening in openings)
    yield Row(f"{what}: key to paint", "ms", key, 50, 1000 * floor_key, "Input of a bare Textual app")
    resident, peak = (median(getattr(opening, name) for opening in openings) for name in ("memory", "peak"))
    note = f"at most {peak:.0f} while it opens"
    yield Row(f"{what}: memory", "MB", resident, 150, floor_memory, "bare Textual app", note=note)


def _parse_seconds(body: bytes, times: int) -> float:
    """Return the median time to parse the body as JSON."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        json.loads(body)
        seconds.append(time.perf_counter() - began)
    return median(seconds)
