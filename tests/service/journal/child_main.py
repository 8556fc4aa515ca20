"""A journal in a process of its own, driven over stdin: `python -m tests.service.journal.child_main FOLDER JOB`."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.journal import Journal
from comfytui.session.model import JobStatus
from tests.service.journal.batches import SERVER, new_batch


def report(*values: object) -> None:
    print(*values, flush=True)


def commands() -> Iterator[str]:
    while line := sys.stdin.readline():
        yield line.strip()


def write(folder: Path) -> None:
    """Plan, send and end prompts until killed; print each step once it is on the disk."""
    with Journal.open(folder) as journal:
        (claim,) = journal.claim_ids(SERVER, fresh=True)
        report("claim", claim.client_id)
        for number in count():
            batch, submissions = new_batch(range(number, number + 3))
            journal.record_batch(SERVER, claim.client_id, batch, submissions)
            for submission in submissions[: number % 4]:
                journal.record_sending(submission.prompt_id, float(number))
                report("sending", submission.prompt_id)
                journal.record_accepted(submission.prompt_id, submission.prompt_id, number)
                report("sent", submission.prompt_id)
            for submission in submissions[: number % 3]:
                journal.record_end(submission.prompt_id, JobStatus.SUCCEEDED, outputs=[Output("fox.png")], wall=2.0)
                report("ended", submission.prompt_id)


def claim(folder: Path) -> None:
    """Open and close the journal on each command, and print the ids that are held in between."""
    report("ready")
    for _ in commands():
        with Journal.open(folder) as journal:
            report(*(claim.client_id for claim in journal.claim_ids(SERVER)))
            next(commands())
        report("closed")


def write_much(folder: Path) -> None:
    """Plan as many batches as a command says, while other processes do the same."""
    report("ready")
    for line in commands():
        with Journal.open(folder) as journal:
            (claim,) = journal.claim_ids(SERVER, fresh=True)
            for _ in range(int(line)):
                batch, submissions = new_batch()
                journal.record_batch(SERVER, claim.client_id, batch, submissions)
                journal.record_sending(submissions[0].prompt_id, 1.0)
        report("done")


def start(folder: Path) -> None:
    """Open the journal on each command and print its warning."""
    report("ready")
    for _ in commands():
        with Journal.open(folder) as journal:
            warning = journal.warning
        report(warning)  # Printed after closing, since the test then overwrites the file.


def begin(folder: Path) -> None:
    """Create one journal after another, each in a folder of its own."""
    for number in count():
        Journal.open(folder / str(number)).close()
        report(number)


def fill_up(folder: Path) -> None:
    """Write until files may not grow any more, which must raise and keep what was written before."""
    import resource
    import sqlite3

    with Journal.open(folder) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        try:
            while True:
                batch, submissions = new_batch(range(20))
                journal.record_batch(SERVER, "c0ffee", batch, submissions)
                report(batch.id)
        except sqlite3.Error as error:
            report("full", type(error).__name__)


JOBS: dict[str, Callable[[Path], None]] = {
    "write": write,
    "claim": claim,
    "write_much": write_much,
    "start": start,
    "begin": begin,
    "fill_up": fill_up,
}

if __name__ == "__main__":
    JOBS[sys.argv[2]](Path(sys.argv[1]))
