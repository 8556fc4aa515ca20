"""Helpers for tests of a second start."""

from comfytui.session.model import Batch, JobStatus
from tests.waiting import eventually
from tests.watcher import Watcher


def statuses(watcher: Watcher, batch: Batch) -> list[JobStatus]:
    return [job.status for job in watcher.jobs(batch)] if batch.id in watcher.state.batches else []


async def resumed(watcher: Watcher, batch: Batch) -> None:
    await eventually(lambda: batch.id in watcher.state.batches, "the batch of before")
    await watcher.live()


def shows(watcher: Watcher, batch: Batch, line: str) -> bool:
    return watcher.line(batch) == line
