"""One cell of the matrix: a batch on a simulated server behind a proxy, a fault at one moment, and what is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

from comfytui.comfy.server import Server
from comfytui.session.model import Batch, LinkKind
from comfytui.session.progress import BatchProgress
from comfytui.session.selectors import awaiting_history
from comfytui.session.state import SessionState
from comfytui.sim.clock import Clock
from comfytui.sim.config import SimConfig
from comfytui.sim.faults.faults import ResponseFault
from comfytui.sim.server import SimServer
from tests.faults.leak_check import count_connections, count_tasks, leaked_connections, leaked_tasks
from tests.faults.proxy import Proxy, proxy_to
from tests.waiting import eventually
from tests.watcher import Watcher, watching

CONFIG = SimConfig(steps_per_second=20, load_seconds=0.4, preview_size=64)
MODEL = CONFIG.checkpoints[0]
IMAGES, STEPS = 3, 6
SETTLED_WITHIN = 25.0
"""Seconds; only a failure takes so many."""


@dataclass
class FaultCase:
    """The parts of a cell; `states` before `since` are from before the fault."""

    sim: SimServer
    proxy: Proxy
    watcher: Watcher
    since: int = 0
    final: LinkKind = LinkKind.LIVE
    """How the link has to be in the end."""

    @property
    def state(self) -> SessionState:
        return self.watcher.state

    @property
    def client_id(self) -> str:
        return next(iter(self.state.client_ids))

    def kinds(self) -> set[LinkKind]:
        """All that the link was said to be since the fault began."""
        return self.watcher.kinds(self.since)

    def count_requests(self, path: str, method: str = "GET") -> ResponseFault:
        """Count the requests to a path from now on: a fault that does no harm."""
        return self.sim.faults.delay(0.0, path, method=method)

    @property
    def ran(self) -> int:
        """Jobs that the server has ended."""
        return len(self.sim.queue.history)

    async def link_was(self, *kinds: LinkKind) -> None:
        """Wait until the link was said to be so at some time since the fault began."""
        await eventually(lambda: self.kinds().intersection(kinds), f"{kinds}")

    async def all_ran(self, images: int = IMAGES + 1) -> None:
        """Wait until the server has run all."""
        await eventually(lambda: self.ran >= images, f"{images} images")

    async def submitted_ran(self) -> None:
        """Wait until nothing is left to be run of what the server has."""
        await eventually(lambda: self.ran >= len(self.sim.submitted), "the end of all that was sent")


Moment = Callable[[FaultCase, Batch], Awaitable[object]]
Fault = Callable[[FaultCase], Awaitable[object]]


async def while_submitting(case: FaultCase, _: Batch) -> None:
    await eventually(lambda: case.sim.submitted, "the first prompt")


async def during_load(case: FaultCase, _: Batch) -> None:
    await eventually(lambda: any(state.run for state in case.watcher.states), "the run")


async def mid_step(case: FaultCase, _: Batch) -> None:
    await eventually(lambda: any(state.run and state.run.step >= 2 for state in case.watcher.states), "a step")


async def between_images(case: FaultCase, _: Batch) -> None:
    await _history_of(case, 1)


async def at_the_end(case: FaultCase, _: Batch) -> None:
    await _history_of(case, IMAGES)


MOMENTS: dict[str, Moment] = {
    "while submitting": while_submitting,
    "during load": during_load,
    "mid-step": mid_step,
    "between images": between_images,
    "at the end": at_the_end,
}


async def _history_of(case: FaultCase, images: int) -> None:
    """Wait for the very moment in which the server writes down an end."""
    written = asyncio.Event()
    changed = case.sim.queue.changed

    def watched() -> None:
        changed()
        if case.ran >= images:
            written.set()

    case.sim.queue.changed = watched
    async with asyncio.timeout(SETTLED_WITHIN):
        await written.wait()


@dataclass(frozen=True)
class Outcome:
    """What a run comes to, as far as it does not depend on the time it took."""

    jobs: tuple[tuple[object, ...], ...]
    submitted: int
    twice: tuple[str, ...] = ()
    """Prompts that the server took more than once."""
    falls: tuple[str, ...] = ()
    """Where the fraction of a batch went back."""
    unsettled: tuple[str, ...] = ()
    link: str = "as it has to be"
    at_rest: bool = True
    tasks_left: int = 0
    """Tasks of the service more than before the fault."""
    connections_left: int = 0
    """Connections of the service: more than it has at rest, and any after its end."""
    sentences: tuple[str, ...] = ()


@asynccontextmanager
async def fault_case(config: SimConfig = CONFIG, pace: Clock | None = None) -> AsyncIterator[FaultCase]:
    """A server, a proxy before it and a service on that, all in health."""
    async with (
        SimServer(config, pace=pace) as sim,
        proxy_to(sim.url) as proxy,
        watching(Server.from_url(proxy.url)) as watcher,
    ):
        await watcher.live()
        yield FaultCase(sim, proxy, watcher)


async def run_case(fault: Fault | None, moment: str) -> Outcome:
    """Run three images, strike at a moment, order a fourth meanwhile, and see what is left when all is calm."""
    async with fault_case() as case:
        watcher = case.watcher
        with case.sim.faults.delay(0.1, "/prompt", method="POST"):
            first = await watcher.order(IMAGES, previews=True, model=MODEL, steps=STEPS)
            if moment == "while submitting":
                await MOMENTS[moment](case, first)
        if moment != "while submitting":
            await MOMENTS[moment](case, first)
        case.since = len(watcher.states)
        before = await count_tasks(watcher.service)
        striking = asyncio.create_task(_nothing() if fault is None else _apply(fault, case))
        await asyncio.sleep(0)
        second = await watcher.order(1, previews=True, model=MODEL, steps=STEPS)
        await striking
        await _wait_until_settled(case, [first, second])
        outcome = _outcome(case, [first, second])
        tasks, connections = await leaked_tasks(watcher.service, before), await leaked_connections(case.proxy.url)
        await asyncio.to_thread(watcher.service.stop)
        return replace(outcome, tasks_left=tasks, connections_left=connections + count_connections(case.proxy.url))


async def _nothing() -> None:
    pass


async def _apply(fault: Fault, case: FaultCase) -> None:
    await fault(case)


def _is_settled(case: FaultCase, batches: list[Batch]) -> bool:
    state = case.state
    jobs = [job for batch in batches for job in case.watcher.jobs(batch)]
    over = len(jobs) == IMAGES + 1 and all(job.status.ended for job in jobs)
    calm = state.link.kind is case.final and state.run is None and state.queue_remaining == 0
    return over and calm and not awaiting_history(state)


async def _wait_until_settled(case: FaultCase, batches: list[Batch]) -> None:
    try:
        await eventually(lambda: _is_settled(case, batches), "rest", SETTLED_WITHIN)
    except AssertionError:
        return  # What is not as it should be shows in the outcome.


def _outcome(case: FaultCase, batches: list[Batch]) -> Outcome:
    ids = [body["prompt_id"] for body in case.sim.submitted]
    falls = [fall for batch in batches for fall in _falls(case.watcher.seen(batch))]
    link = case.state.link
    return Outcome(
        jobs=tuple(
            (
                batch.total,
                job.batch_tag.index if job.batch_tag else None,
                job.status.value,
                tuple(output.filename for output in job.outputs),
                job.failure,
                job.note,
                job.results_incomplete,
            )
            for batch in batches
            for job in case.watcher.jobs(batch)
        ),
        submitted=len(set(ids)),
        twice=tuple(prompt_id for prompt_id in set(ids) if ids.count(prompt_id) > 1),
        falls=tuple(falls),
        unsettled=awaiting_history(case.state),
        link=Outcome.link if link.kind is case.final else f"{link}",
        at_rest=_is_settled(case, batches),
        sentences=tuple(case.watcher.sentences),
    )


def _falls(seen: list[BatchProgress]) -> list[str]:
    """Where the progress of a batch went back."""
    pairs = pairwise(seen)
    return [f"{before} then {after}" for before, after in pairs if after.batch_fraction < before.batch_fraction]
