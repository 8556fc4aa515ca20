"""Drives processes that run `child_main`."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


class Child:
    """A journal in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def write_line(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def read_line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the child ended"
        return line.strip()

    def remaining_lines(self) -> list[str]:
        """Return the remaining lines, once the process has ended."""
        assert self.process.stdout
        return [line.strip() for line in self.process.stdout if line.endswith("\n")]


@contextmanager
def children(folder: Path, job: str, count: int = 1) -> Iterator[list[Child]]:
    command = [sys.executable, "-m", "tests.service.journal.child_main", str(folder), job]
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            process = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            found.append(Child(process))
        yield found
