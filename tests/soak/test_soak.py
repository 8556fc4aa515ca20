"""Random faults and kills over several batches: no prompt twice, no end undone, and in the end every picture."""

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
from tests.soak.client_pool import Crowd
from tests.soak.journal_audit import Record
from tests.soak.random_faults import FAULTS, LONGEST, Place
from tests.waiting import eventually

BOX = SimConfig(steps_per_second=25, load_seconds=0.2, preview_size=64)
PATIENCE = 120.0
"""Seconds in which all that is open ends once nothing goes wrong any more."""


class Soak:
    """One server, one proxy, one folder and those who use them; all that is chosen is chosen by one seed."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.chance = place, place.chance
        self.record = Record(folder)
        self.crowd = Crowd(place.proxy.url, folder)
        self.struck: Counter[str] = Counter()
        self.life = 0
        """Starts of the server."""
        self.lives: list[int] = []
        """How many prompts had been accepted when each life of the server was over."""

    async def begin(self, children: int) -> None:
        for _ in range(children):
            await self.crowd.start()
        await eventually(self.record.ready, "a journal")

    async def round(self, faults: int, restarts: bool) -> None:
        """Order, strike and kill, then let all come to an end, and look what came of it."""
        for number in range(faults):
            if len(self.record.open()) < 3:
                self.crowd.order(number, self.chance.randint(1, 6), self.chance.randrange(2**50))
            await self._strike()
            if self.chance.random() < 0.2:
                await self._suspend()
            if self.chance.random() < 0.2:
                await self._replace()
            if restarts and self.chance.random() < 0.05:
                await self._restart()
        await self.settle()
        self.check()

    async def _strike(self) -> None:
        fault = self.chance.choice(FAULTS)
        self.struck[fault.__name__] += 1
        if self.chance.random() < 0.3:
            # A process that is killed in the middle of a fault.
            striking = asyncio.create_task(self._run(fault.__name__))
            await self._replace()
            await striking
        else:
            await self._run(fault.__name__)

    async def _run(self, name: str) -> None:
        await next(fault for fault in FAULTS if fault.__name__ == name)(self.place)

    async def _suspend(self) -> None:
        """Stop and continue one of them, perhaps with a fault meanwhile."""
        self.struck["suspend"] += 1
        number, seconds = self.chance.randrange(len(self.crowd)), self.chance.uniform(0.05, 2 * LONGEST)
        suspended = self.crowd.suspend(number, seconds)
        if self.chance.random() < 0.5:
            await asyncio.gather(suspended, self._run(self.chance.choice(FAULTS).__name__))
        else:
            await suspended

    async def _replace(self) -> None:
        number = self.chance.randrange(len(self.crowd))
        await (self.crowd.kill if self.chance.random() < 0.8 else self.crowd.stop)(number)
        await self.crowd.start()

    async def _restart(self) -> None:
        self.struck["restart"] += 1
        self.lives.append(len(self.place.sim.submitted))
        await self.place.sim.restart()

    async def settle(self) -> None:
        """Let the weather be fine until every prompt has ended."""
        self.place.calm()
        await eventually(lambda: not self.record.open(), f"the end of {self.record.open()}", PATIENCE)

    def check(self) -> None:
        """What holds whenever all has ended."""
        submitted = self.place.sim.submitted
        bounds = [0, *self.lives, len(submitted)]
        for begin, end in pairwise(bounds):
            ids = Counter(body["prompt_id"] for body in submitted[begin:end])
            assert set(ids.values()) <= {1}, f"sent twice: {[each for each, count in ids.items() if count > 1]}"
        prompts = self.record.prompts()
        seeds = {body["prompt_id"]: _seed(body["prompt"]) for body in submitted}
        # A POST that a cut swallowed before the server restarted may have run, for all that can be known.
        swallowed = {prompt_id for prompt_id in prompts if prompt_id not in seeds} if self.lives else set()
        assert seeds == {prompt_id: seed for prompt_id, (_, seed, _) in prompts.items() if prompt_id not in swallowed}
        forgotten = swallowed | {body["prompt_id"] for body in submitted[: self.lives[-1] if self.lives else 0]}
        for prompt_id, (status, _, outputs) in prompts.items():
            assert status is JobStatus.SUCCEEDED or (status is JobStatus.LOST and prompt_id in forgotten), prompt_id
            assert status is JobStatus.LOST or outputs not in {None, "[]"}, prompt_id
        assert self.record.unlawful() == []
        assert self.record.files() == ["journal.sqlite3"]
        assert self.crowd.faults == []


def _seed(graph: dict[str, dict[str, dict[str, object]]]) -> str:
    return next(str(node["inputs"]["seed"]) for node in graph.values() if "seed" in node["inputs"])


async def soak(folder: Path, given: int | None, *, rounds: int, faults: int, children: int, restarts: bool) -> None:
    seed = SystemRandom().randrange(2**32) if given is None else given
    print("seed", seed)
    async with SimServer(BOX) as sim, proxy_to(sim.url) as proxy:
        it = Soak(Place(sim, proxy, Random(seed)), folder)
        try:
            await it.begin(children)
            for number in range(rounds):
                await it.round(faults, restarts)
                print("round", number + 1, "prompts", len(it.record.prompts()), "kills", it.crowd.kills, it.struck)
        finally:
            await it.crowd.end()
            it.place.calm()


@pytest.mark.parametrize(("children", "restarts"), [(1, True), (2, False)], ids=["restarts", "two"])
async def test_a_short_soak(tmp_path: Path, request: pytest.FixtureRequest, children: int, restarts: bool) -> None:
    given = request.config.getoption("--seed")
    await soak(tmp_path, given, rounds=2, faults=6, children=children, restarts=restarts)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("restarts", [False, True], ids=["one-life", "restarts"])
async def test_a_long_soak(tmp_path: Path, request: pytest.FixtureRequest, restarts: bool) -> None:
    given = request.config.getoption("--seed")
    await soak(tmp_path, given, rounds=10, faults=60, children=2, restarts=restarts)
