"""Random faults and kills over several batches: no prompt runs twice, no end is undone, every image is there."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random, SystemRandom

import pytest

from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.soak.client_pool import ClientPool
from tests.soak.journal_audit import JournalAudit
from tests.soak.random_faults import FAULTS, MAX_FAULT_SECONDS, FaultTarget
from tests.waiting import eventually

CONFIG = SimConfig(steps_per_second=25, load_seconds=0.2, preview_size=64)
TIMEOUT = 120.0
"""Seconds until all open prompts must have ended once there are no more faults."""


class Soak:
    """One server, one proxy, one folder and their clients; a single seed determines all random choices."""

    def __init__(self, target: FaultTarget, folder: Path) -> None:
        self.target, self.rng = target, target.rng
        self.journal = JournalAudit(folder)
        self.clients = ClientPool(target.proxy.url, folder)
        self.injected: Counter[str] = Counter()
        self.restart_points: list[int] = []
        """Number of prompts accepted before each restart of the server."""

    async def begin(self, children: int) -> None:
        for _ in range(children):
            await self.clients.start()
        await eventually(self.journal.ready, "a journal")

    async def round(self, faults: int, restarts: bool) -> None:
        """Submit batches, inject faults and kill clients; then wait for the end of all prompts and check them."""
        for number in range(faults):
            if len(self.journal.open()) < 3:
                self.clients.submit(number, self.rng.randint(1, 6), self.rng.randrange(2**50))
            await self._inject()
            if self.rng.random() < 0.2:
                await self._suspend()
            if self.rng.random() < 0.2:
                await self._replace()
            if restarts and self.rng.random() < 0.05:
                await self._restart()
        await self.end_all_prompts()
        self.check()

    async def _inject(self) -> None:
        fault = self.rng.choice(FAULTS)
        self.injected[fault.__name__] += 1
        if self.rng.random() < 0.3:
            # A client is killed in the middle of a fault.
            injecting = asyncio.create_task(self._run(fault.__name__))
            await self._replace()
            await injecting
        else:
            await self._run(fault.__name__)

    async def _run(self, name: str) -> None:
        await next(fault for fault in FAULTS if fault.__name__ == name)(self.target)

    async def _suspend(self) -> None:
        """Suspend one of the clients, sometimes with a fault meanwhile."""
        self.injected["suspend"] += 1
        number, seconds = self.rng.randrange(len(self.clients)), self.rng.uniform(0.05, 2 * MAX_FAULT_SECONDS)
        suspended = self.clients.suspend(number, seconds)
        if self.rng.random() < 0.5:
            await asyncio.gather(suspended, self._run(self.rng.choice(FAULTS).__name__))
        else:
            await suspended

    async def _replace(self) -> None:
        number = self.rng.randrange(len(self.clients))
        await (self.clients.kill if self.rng.random() < 0.8 else self.clients.stop)(number)
        await self.clients.start()

    async def _restart(self) -> None:
        self.injected["restart"] += 1
        self.restart_points.append(len(self.target.sim.submitted))
        await self.target.sim.restart()

    async def end_all_prompts(self) -> None:
        """End all faults, and wait until every prompt has ended."""
        self.target.end_all()
        await eventually(lambda: not self.journal.open(), f"the end of {self.journal.open()}", TIMEOUT)

    def check(self) -> None:
        """Check what must hold when all prompts have ended."""
        submitted = self.target.sim.submitted
        bounds = [0, *self.restart_points, len(submitted)]
        for begin, end in pairwise(bounds):
            ids = Counter(body["prompt_id"] for body in submitted[begin:end])
            assert set(ids.values()) <= {1}, f"sent twice: {[each for each, count in ids.items() if count > 1]}"
        prompts = self.journal.prompts()
        seeds = {body["prompt_id"]: _seed(body["prompt"]) for body in submitted}
        # A POST that was lost before the server restarted may have run, as far as a client can know.
        unconfirmed = {prompt_id for prompt_id in prompts if prompt_id not in seeds} if self.restart_points else set()
        assert seeds == {prompt_id: seed for prompt_id, (_, seed, _) in prompts.items() if prompt_id not in unconfirmed}
        forgotten = unconfirmed | {
            body["prompt_id"] for body in submitted[: self.restart_points[-1] if self.restart_points else 0]
        }
        for prompt_id, (status, _, outputs) in prompts.items():
            assert status is JobStatus.SUCCEEDED or (status is JobStatus.LOST and prompt_id in forgotten), prompt_id
            assert status is JobStatus.LOST or outputs not in {None, "[]"}, prompt_id
        assert self.journal.undone_ends() == []
        assert self.journal.files() == ["journal.sqlite3"]
        assert self.clients.faults == []


def _seed(graph: dict[str, dict[str, dict[str, object]]]) -> str:
    return next(str(node["inputs"]["seed"]) for node in graph.values() if "seed" in node["inputs"])


async def soak(folder: Path, given: int | None, *, rounds: int, faults: int, children: int, restarts: bool) -> None:
    seed = SystemRandom().randrange(2**32) if given is None else given
    print("seed", seed)
    async with SimServer(CONFIG) as sim, proxy_to(sim.url) as proxy:
        it = Soak(FaultTarget(sim, proxy, Random(seed)), folder)
        try:
            await it.begin(children)
            for number in range(rounds):
                await it.round(faults, restarts)
                print("round", number + 1, "prompts", len(it.journal.prompts()), "kills", it.clients.kills, it.injected)
        finally:
            await it.clients.end()
            it.target.end_all()


@pytest.mark.parametrize(("children", "restarts"), [(1, True), (2, False)], ids=["restarts", "two"])
async def test_a_short_soak_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, request: pytest.FixtureRequest, children: int, restarts: bool
) -> None:
    given = request.config.getoption("--seed")
    await soak(tmp_path, given, rounds=2, faults=6, children=children, restarts=restarts)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("restarts", [False, True], ids=["one-life", "restarts"])
async def test_a_long_soak_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, request: pytest.FixtureRequest, restarts: bool
) -> None:
    given = request.config.getoption("--seed")
    await soak(tmp_path, given, rounds=10, faults=60, children=2, restarts=restarts)
