"""Leaving and coming back, as a user does: by a key, by a kill, by a dropped connection to the terminal."""

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
CONFIG = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
STEPS = 20
"""Steps per image, the form's default."""
MOMENTS = (3, 7, 11)
"""Steps until the program is ended; no sum of three ends with an image, where no step is shown."""


class AsyncTerminal:
    """A terminal for tests whose server runs in the same event loop, which no call may block."""

    def __init__(self, it: Terminal) -> None:
        self.it = it

    async def in_thread(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(call, *args)

    async def shows(self, text: str) -> None:
        await self.in_thread(self.it.shows, text)

    async def send(self, *keys: str) -> None:
        await self.in_thread(self.it.send, *keys)

    async def quit(self) -> int:
        await self.send(ESCAPE, "q")
        return await self.in_thread(self.it.exit_code)

    async def submit(self) -> None:
        await self.shows("live")
        await self.send("a red fox in snow", F5)


@asynccontextmanager
async def program_on(sim: SimServer, state: Path, *options: str) -> AsyncIterator[AsyncTerminal]:
    with terminal(sim.url, *options, XDG_STATE_HOME=str(state), XDG_CONFIG_HOME=str(state)) as it:
        yield AsyncTerminal(it)


def has_duplicates(sim: SimServer) -> bool:
    ids = [body["prompt_id"] for body in sim.submitted]
    return len(ids) != len(set(ids))


def farewell(count: int, sim: SimServer) -> str:
    """Return the program's last message when so many jobs go on."""
    where = sim.url.removeprefix("http://")
    return f"{count} jobs go on at {where}. Come back with: comfytui {where}"


async def test_q_leaves_the_jobs_running_and_a_start_shows_them_live_again(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(CONFIG, clock=gate) as sim:
        async with program_on(sim, tmp_path) as me:
            await me.submit()
            await eventually(lambda: len(sim.submitted) == 4, "the batch")
            await gate.let_steps(5)
            await me.shows("Image 1 of 4 - Step 5/20 (25%)")
            assert await me.quit() == 0
            assert me.it.output.endswith(farewell(4, sim))
        async with program_on(sim, tmp_path, "--fresh") as me:
            await me.shows("None of your jobs is running; 4 of other clients in the queue")
            assert await me.quit() == 0
            assert "Come back" not in me.it.output
        await gate.let_steps(STEPS)
        async with program_on(sim, tmp_path) as me:
            await me.shows("live")  # What the journal has is shown before.
            await me.shows("Image 2 of 4")
            await gate.let_steps(3)
            await me.shows("Image 2 of 4 - Step 8/20 (40%)")
            await me.shows("a red fox in snow")
            await gate.let_all()
            await me.shows("4 of 4 done")
            assert await me.quit() == 0
        async with program_on(sim, tmp_path) as me:
            await me.shows("4 of 4 done")
        assert (len(sim.submitted), has_duplicates(sim)) == (4, False)
    assert (tmp_path / "comfytui" / "journal.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_however_it_ends_the_next_start_resumes(tmp_path: Path) -> None:
    seed = SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = Random(seed)
    gate = Gate()
    ends = [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM]
    chance.shuffle(ends)
    async with SimServer(CONFIG, clock=gate) as sim:
        async with program_on(sim, tmp_path) as me:
            await me.submit()
            some = chance.randint(1, 4)
            await eventually(lambda: len(sim.submitted) >= some, "some of the batch")
            me.it.process.send_signal(signal.SIGKILL)
            await me.in_thread(me.it.process.wait)
        for end in ends:
            async with program_on(sim, tmp_path) as me:
                await eventually(lambda: len(sim.submitted) == 4, "the rest of the batch")
                await me.shows("live")  # What the journal has is shown before.
                await me.shows(" of 4")
                await gate.let_steps(chance.choice(MOMENTS))
                await me.shows("of 4 - Step")
                me.it.process.send_signal(end)
                await me.in_thread(me.it.process.wait)
                output = " ".join(me.it.rest().decode(errors="replace").split())
                assert "Traceback" not in output
                assert any(farewell(count, sim) in output for count in (2, 3, 4)) is (end == signal.SIGTERM)
        await gate.let_all()
        async with program_on(sim, tmp_path) as me:
            await me.shows("4 of 4 done")
        assert (len(sim.submitted), has_duplicates(sim)) == (4, False)


async def test_text_typed_before_a_hang_up_is_there_again(tmp_path: Path) -> None:
    async with SimServer(CONFIG, clock=Gate()) as sim:
        async with program_on(sim, tmp_path) as me:
            await me.shows("live")
            await me.send("half a sent")
            await me.shows("half a sent")
            me.it.process.send_signal(signal.SIGHUP)
            await me.in_thread(me.it.process.wait)
        async with program_on(sim, tmp_path) as me:
            await me.shows("half a sent")
