"""The costs of the dashboard beside their floors, as a Markdown table: `python -m tests.bench [NAME ...]`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import latency, long_queue, many_frames, resting, running
from tests.bench.table import HEAD

PARTS = {
    "resting": resting.rows,
    "running": running.rows,
    "latency": latency.rows,
    "long_queue": long_queue.rows,
    "many_frames": many_frames.rows,
}


def main() -> None:
    """Measure the named parts, or all, and print each row as it is known."""
    print(HEAD, flush=True)
    with TemporaryDirectory() as home:
        for name in sys.argv[1:] or PARTS:
            for row in PARTS[name](Path(home)):
                print(row, flush=True)


if __name__ == "__main__":
    main()
