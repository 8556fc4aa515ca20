"""One case of the fault matrix: batches on a simulated server behind a proxy, a fault at one moment, the outcome."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from comfytui.comfy.server import Server
from comfytui.session.model import Batch, LinkKind
from comfytui.session.progress import BatchProgress
from comfytui.session.selectors import awaiting_history
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.faults.fault_types import ResponseFault
from comfytui.sim.machine import Clock
from comfytui.sim.server import SimServer
from comfytui.timings import Timings
from tests.faults.leak_check import count_connections, count_tasks, leaked_connections, leaked_tasks
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.relayed import mistakes_of, relay_of, told_by
from tests.headless.relay.sse import Client
from tests.shown_run import step_of
from tests.timings import FAST
from tests.waiting import eventually
from tests.watcher import Watcher, watching

CONFIG = SimConfig(steps_per_second=20, load_seconds=0.4, preview_size=64)
MODEL = CONFIG.checkpoints[0]
IMAGES, STEPS = 3, 6
IDLE_TIMEOUT = 60.0
"""Seconds until everything must be idle again after the fault; only a failure takes that long."""


@dataclass
class FaultCase:
    """A server, a proxy and a service to test a fault with."""

    sim: SimServer
    proxy: Proxy
    watcher: Watcher
    since: int = 0
    """Index of the first of the watcher's states after the fault began."""
    final: LinkKind = LinkKind.LIVE
    """The kind of link to expect in the end."""

    @property
    def state(self) -> SessionState:
        return self.watcher.state

    @property
    def client_id(self) -> str:
        return next(iter(self.state.client_ids))

    def kinds(self) -> set[LinkKind]:
        """Return the kinds of the link since the fault began."""
        return self.watcher.kinds(self.since)

    def count_requests(self, path: str, method: str = "GET") -> ResponseFault:
        """Return a harmless fault whose `hits` count the requests to a path from now on."""
        return self.sim.faults.delay(0.0, path, method=method)

    @property
    def ran(self) -> int:
        """Number of jobs that have ended on the server."""
        return len(self.sim.queue.history)

    async def link_was(self, *kinds: LinkKind) -> None:
        """Wait until the link has been of one of these kinds since the fault began."""
        await eventually(lambda: self.kinds().intersection(kinds), f"{kinds}")

    async def all_ran(self, images: int = IMAGES + 1) -> None:
        """Wait until the server has run a number of images."""
        await eventually(lambda: self.ran >= images, f"{images} images")

    async def submitted_ran(self) -> None:
        """Wait until the server has run everything submitted to it."""
        await eventually(lambda: self.ran >= len(self.sim.submitted), "the end of all that was sent")


Moment = Callable[[FaultCase, Batch], Awaitable[object]]
Fault = Callable[[FaultCase], Awaitable[object]]


async def while_submitting(case: FaultCase, _: Batch) -> None:
    await eventually(lambda: case.sim.submitted, "the first prompt")


async def during_load(case: FaultCase, _: Batch) -> None:
    await eventually(lambda: any(state.runs for state in case.watcher.states), "the run")


async def mid_step(case: FaultCase, _: Batch) -> None:
    await eventually(lambda: any(step_of(state) >= 2 for state in case.watcher.states), "a step")


async def between_images(case: FaultCase, _: Batch) -> None:
    await _ended_on_server(case, 1)


async def at_the_end(case: FaultCase, _: Batch) -> None:
    await _ended_on_server(case, IMAGES)


MOMENTS: dict[str, Moment] = {
    "while submitting": while_submitting,
    "during load": during_load,
    "mid-step": mid_step,
    "between images": between_images,
    "at the end": at_the_end,
}


async def _ended_on_server(case: FaultCase, images: int) -> None:
    """Wait until the server puts the given number of images into its history, and return at that very moment."""
    written = asyncio.Event()
    changed = case.sim.queue.changed

    def watched() -> None:
        changed()
        if case.ran >= images:
            written.set()

    case.sim.queue.changed = watched
    async with asyncio.timeout(IDLE_TIMEOUT):
        await written.wait()


@dataclass(frozen=True)
class Outcome:
    """The result of a case, as far as it does not depend on timing."""

    jobs: tuple[tuple[object, ...], ...]
    submitted: int
    told: tuple[tuple[object, ...], ...] = ()
    """The last event about each batch that clients of a relay got."""
    told_wrong: tuple[str, ...] = ()
    """What else these clients got that is not so."""
    twice: tuple[str, ...] = ()
    """Prompts that the server accepted more than once."""
    regressions: tuple[str, ...] = ()
    """Where the progress of a batch went back."""
    awaiting_history: tuple[str, ...] = ()
    link: str = "as expected"
    is_idle: bool = True
    tasks_left: int = 0
    """How many more tasks the service has than before the fault."""
    connections_left: int = 0
    """How many more connections the service has than when idle, plus all those left after it stopped."""
    messages: tuple[str, ...] = ()


@asynccontextmanager
async def fault_case(
    config: SimConfig = CONFIG, clock: Clock | None = None, timings: Timings = FAST
) -> AsyncIterator[FaultCase]:
    """Start a server, a proxy in front of it, and a service that is connected through it."""
    async with (
        SimServer(config, clock=clock) as sim,
        proxy_to(sim.url) as proxy,
        watching(Server.from_url(proxy.url), timings=timings) as watcher,
    ):
        await watcher.live()
        yield FaultCase(sim, proxy, watcher)


async def run_case(fault: Fault | None, moment: str) -> Outcome:
    """Run three images, inject a fault at a moment, submit a fourth image meanwhile, and return the outcome.

    Clients of a relay follow both batches.

    Args:
        fault: The fault to inject; None for none.
        moment: A key of `MOMENTS`.
    """
    async with fault_case() as case, relay_of(case.watcher.service, FAST) as relay:
        watcher = case.watcher
        with case.sim.faults.delay(0.1, "/prompt", method="POST"):
            first = await watcher.submit(IMAGES, previews=True, model=MODEL, steps=STEPS)
            followers = [asyncio.create_task(relay.follow(first.id))]
            if moment == "while submitting":
                await MOMENTS[moment](case, first)
        if moment != "while submitting":
            await MOMENTS[moment](case, first)
        case.since = len(watcher.states)
        before = await count_tasks(watcher.service)
        fault_task = asyncio.create_task(_nothing() if fault is None else _apply(fault, case))
        await asyncio.sleep(0)
        second = await watcher.submit(1, previews=True, model=MODEL, steps=STEPS)
        followers.append(asyncio.create_task(relay.follow(second.id)))
        await fault_task
        await _wait_until_idle(case, [first, second])
        outcome = _outcome(case, [first, second])
        async with asyncio.timeout(IDLE_TIMEOUT):
            clients = await asyncio.gather(*followers)
        mistakes = [_mistakes(case, *each) for each in zip(clients, [first, second], strict=True)]
        outcome = replace(outcome, told=tuple(map(told_by, clients)), told_wrong=tuple(chain.from_iterable(mistakes)))
        tasks, connections = await leaked_tasks(watcher.service, before), await leaked_connections(case.proxy.url)
        await asyncio.to_thread(watcher.service.stop)
        return replace(outcome, tasks_left=tasks, connections_left=connections + count_connections(case.proxy.url))


async def _nothing() -> None:
    pass


async def _apply(fault: Fault, case: FaultCase) -> None:
    await fault(case)


def _is_idle(case: FaultCase, batches: list[Batch]) -> bool:
    state = case.state
    jobs = [job for batch in batches for job in case.watcher.jobs(batch)]
    over = len(jobs) == IMAGES + 1 and all(job.status.ended for job in jobs)
    calm = state.link.kind is case.final and not state.runs and state.queue_remaining == 0
    return over and calm and not awaiting_history(state)


async def _wait_until_idle(case: FaultCase, batches: list[Batch]) -> None:
    try:
        await eventually(lambda: _is_idle(case, batches), "an idle service", IDLE_TIMEOUT)
    except AssertionError:
        return  # The outcome shows what is wrong.


def _mistakes(case: FaultCase, client: Client, batch: Batch) -> list[str]:
    return mistakes_of(client, case.sim, case.state.batches[batch.id].prompt_ids)


def _outcome(case: FaultCase, batches: list[Batch]) -> Outcome:
    ids = [body["prompt_id"] for body in case.sim.submitted]
    regressions = [each for batch in batches for each in _regressions(case.watcher.seen(batch))]
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
        regressions=tuple(regressions),
        awaiting_history=awaiting_history(case.state),
        link=Outcome.link if link.kind is case.final else f"{link}",
        is_idle=_is_idle(case, batches),
        messages=tuple(case.watcher.messages),
    )


def _regressions(seen: list[BatchProgress]) -> list[str]:
    """Return where the progress of a batch went back."""
    pairs = pairwise(seen)
    return [f"{before} then {after}" for before, after in pairs if after.batch_fraction < before.batch_fraction]
