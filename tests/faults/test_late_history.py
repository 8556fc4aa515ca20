"""A finished job that is in neither queue nor history for a while is still found, and nothing runs twice."""

from typing import Any

from comfytui.session.model import JobStatus
from tests.faults.fault_case import MODEL, FaultCase
from tests.faults.test_polling import polling
from tests.waiting import eventually

SUCCEEDED, LOST = JobStatus.SUCCEEDED, JobStatus.LOST


class LateHistory(dict[str, dict[str, Any]]):
    """A history whose entries appear only after a number of unsuccessful requests."""

    def __init__(self, misses: int) -> None:
        super().__init__()
        self.misses = misses

    def get(self, key: str, default: Any = None) -> Any:
        if key in self and self.misses:
            self.misses -= 1
            return default
        return super().get(key, default)

    def items(self) -> Any:
        return {}.items() if self.misses else super().items()


def was_lost(case: FaultCase) -> bool:
    return any(job.status is LOST for state in case.watcher.states for job in state.jobs.values())


async def test_an_end_that_one_poll_found_nowhere_is_read_by_the_next() -> None:
    async with polling() as case:
        case.sim.queue.history = late = LateHistory(misses=1)
        batch = await case.watcher.submit(1, model=MODEL)
        (job,) = await case.watcher.until(batch, SUCCEEDED, LOST)
        assert (job.status, len(job.outputs), late.misses) == (SUCCEEDED, 1, 0)
        assert not was_lost(case)


async def test_an_end_that_was_found_nowhere_for_long_is_lost_until_the_history_has_it() -> None:
    async with polling() as case:
        case.sim.queue.history = late = LateHistory(misses=2)
        batch = await case.watcher.submit(1, model=MODEL)
        await eventually(lambda: was_lost(case), "the loss")
        assert not late.misses
        await case.watcher.until(batch, SUCCEEDED)
        assert len(case.sim.submitted) == 1
