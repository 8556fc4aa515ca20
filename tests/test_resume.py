"""Leaving and coming back, as its user does it: with a key, by a kill, by a line that drops."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, TypeVar

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.sim.gate import Gate
from tests.terminal import ESCAPE, F5, Terminal, terminal
from tests.waiting import eventually

T = TypeVar("T")
BOX = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
STEPS = 20
"""Of each image, as the form has them at first."""
MOMENTS = (3, 7, 11)
"""Steps until an end; no three of them end at the end of an image, where none is counted."""


class Seat:
    """A person at a terminal whose server runs beside, so that each wait is one that lets it."""

    def __init__(self, it: Terminal) -> None:
        self.it = it

    async def do(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(call, *args)

    async def shows(self, words: str) -> None:
        await self.do(self.it.shows, words)

    async def types(self, *keys: str) -> None:
        await self.do(self.it.send, *keys)

    async def leaves(self) -> int:
        await self.types(ESCAPE, "q")
        return await self.do(self.it.exit_code)

    async def order(self) -> None:
        await self.shows("live")
        await self.types("a red fox in snow", F5)


@asynccontextmanager
async def seat(sim: SimServer, state: Path, *options: str) -> AsyncIterator[Seat]:
    with terminal(sim.url, *options, XDG_STATE_HOME=str(state), XDG_CONFIG_HOME=str(state)) as it:
        yield Seat(it)


def seen_twice(sim: SimServer) -> bool:
    ids = [body["prompt_id"] for body in sim.submitted]
    return len(ids) != len(set(ids))


def goes_on(count: int, sim: SimServer) -> str:
    """What is said at the end of so many jobs that go on."""
    where = sim.url.removeprefix("http://")
    return f"{count} jobs go on at {where}. Come back with: comfytui {where}"


async def test_q_leaves_the_jobs_running_and_a_start_shows_them_live_again(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(BOX, pace=gate) as sim:
        async with seat(sim, tmp_path) as me:
            await me.order()
            await eventually(lambda: len(sim.submitted) == 4, "the batch")
            await gate.let_steps(5)
            await me.shows("Image 1 of 4 - Step 5/20 (25%)")
            assert await me.leaves() == 0
            assert me.it.said.endswith(goes_on(4, sim))
        async with seat(sim, tmp_path, "--fresh") as me:
            await me.shows("None of your jobs is running; 4 of other clients in the queue")
            assert await me.leaves() == 0
            assert "Come back" not in me.it.said
        await gate.let_steps(STEPS)
        async with seat(sim, tmp_path) as me:
            await me.shows("Image 2 of 4")
            await gate.let_steps(3)
            await me.shows("Image 2 of 4 - Step 8/20 (40%)")
            await me.shows("a red fox in snow")
            await gate.let_all()
            await me.shows("4 of 4 done")
            assert await me.leaves() == 0
        async with seat(sim, tmp_path) as me:
            await me.shows("4 of 4 done")
        assert (len(sim.submitted), seen_twice(sim)) == (4, False)
    assert (tmp_path / "comfytui" / "journal.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_whatever_ends_it_a_start_goes_on_where_it_was(tmp_path: Path) -> None:
    seed = SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = Random(seed)
    gate = Gate()
    ends = [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM]
    chance.shuffle(ends)
    async with SimServer(BOX, pace=gate) as sim:
        async with seat(sim, tmp_path) as me:
            await me.order()
            some = chance.randint(1, 4)
            await eventually(lambda: len(sim.submitted) >= some, "some of the batch")
            me.it.process.send_signal(signal.SIGKILL)
            await me.do(me.it.process.wait)
        for end in ends:
            async with seat(sim, tmp_path) as me:
                await eventually(lambda: len(sim.submitted) == 4, "the rest of the batch")
                await me.shows(" of 4")
                await gate.let_steps(chance.choice(MOMENTS))
                await me.shows("of 4 - Step")
                me.it.process.send_signal(end)
                await me.do(me.it.process.wait)
                said = " ".join(me.it.rest().decode(errors="replace").split())
                assert "Traceback" not in said
                assert any(goes_on(count, sim) in said for count in (2, 3, 4)) is (end == signal.SIGTERM)
        await gate.let_all()
        async with seat(sim, tmp_path) as me:
            await me.shows("4 of 4 done")
        assert (len(sim.submitted), seen_twice(sim)) == (4, False)


async def test_what_was_typed_when_the_line_dropped_is_there_again(tmp_path: Path) -> None:
    async with SimServer(BOX, pace=Gate()) as sim:
        async with seat(sim, tmp_path) as me:
            await me.shows("live")
            await me.types("half a sent")
            await me.shows("half a sent")
            me.it.process.send_signal(signal.SIGHUP)
            await me.do(me.it.process.wait)
        async with seat(sim, tmp_path) as me:
            await me.shows("half a sent")
