"""Rows: bytes that one act writes to the terminal, and those of a long form that nobody touches."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.bench.long_form import INPUTS, SAMPLERS, long_graph
from tests.bench.programs import bare, dashboard, shown, shown_bare, submit
from tests.bench.remote_server import scripted_server
from tests.bench.rounds import Rounds
from tests.bench.table import Row
from tests.bench.terminal import Terminal

WORDS = "a red fox in snow"
TAB = "\t"
STEPS_PER_SECOND = 2


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure a form at rest, keys in it, and the steps of a run."""
    with scripted_server(definitions=True) as server:
        with dashboard(server.url, home, graph=long_graph()) as terminal:
            shown(terminal)
            letter = _bytes_of(terminal, WORDS[: rounds.list_keys])
            time.sleep(rounds.rest_seconds)  # until the messages of the start are gone
            idle = terminal.bytes_over(rounds.idle_seconds) / rounds.idle_seconds
        with dashboard(server.url, home) as terminal:
            shown(terminal)
            tab = _bytes_of(terminal, TAB * (rounds.list_keys // 2))
    with bare(home, "input") as terminal:
        shown_bare(terminal)
        floor = _bytes_of(terminal, WORDS[: rounds.list_keys])
    yield Row(f"form of {SAMPLERS * INPUTS} inputs, idle", "B/s", idle, 0)
    yield Row("letter typed in the prompt", "B", letter, 1_000, floor, "Input of a bare Textual app")
    yield Row("move to the next field", "B", tab, 1_500)
    yield Row("step of a run", "B", _bytes_of_step(home, rounds), 1_000)


def _bytes_of(terminal: Terminal, keys: str) -> float:
    """Return the bytes that a key writes until nothing more comes, the median of several."""
    written = []
    for key in keys:
        terminal.wait_until_quiet(0.3)
        before = len(terminal.written)
        terminal.response_seconds([key])
        terminal.wait_until_quiet(0.3)
        written.append(sum(len(data) for _, data in terminal.written[before:]))
    return median(written)


def _bytes_of_step(home: Path, rounds: Rounds) -> float:
    """Return the bytes for each step of a run, with all that changes beside its progress."""
    with (
        EmbeddedServer(SimConfig(steps_per_second=STEPS_PER_SECOND, load_seconds=0)) as server,
        dashboard(server.url, home, steps=200) as terminal,
    ):
        shown(terminal)
        submit(terminal)
        terminal.shows("Step ")
        return terminal.bytes_over(rounds.run_seconds) / (rounds.run_seconds * STEPS_PER_SECOND)
