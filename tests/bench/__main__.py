"""The dashboard's costs next to their floors, as a Markdown table: `python -m tests.bench [PART ...]`."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import commands, latency, long_queue, many_frames, relay, resting, running, workflows, writing
from tests.bench.rounds import FULL, Rounds
from tests.bench.table import HEAD, Row

PARTS: Mapping[str, Callable[[Path, Rounds], Iterator[Row]]] = {
    "resting": resting.rows,
    "running": running.rows,
    "writing": writing.rows,
    "latency": latency.rows,
    "long_queue": long_queue.rows,
    "workflows": workflows.rows,
    "many_frames": many_frames.rows,
    "relay": relay.rows,
    "commands": commands.rows,
}


def main() -> None:
    """Measure the given parts, or all, and print each row as soon as it is measured."""
    print(HEAD, flush=True)
    with TemporaryDirectory() as home:
        for name in sys.argv[1:] or PARTS:
            for row in PARTS[name](Path(home), FULL):
                print(row, flush=True)


if __name__ == "__main__":
    main()
