"""`comfytui run` in a terminal: the bars, and the question that ctrl+c leads to."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.sim.gate import Gate
from tests.terminal import Terminal, terminal
from tests.waiting import eventually

T = TypeVar("T")

FAST = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
OPTIONS = ("-n", "4", "--seed", "7", "--set", "width=64", "--set", "height=64")
CTRL_C = "\x03"
QUESTION = "[d/c]"
BAR = "━"
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


class Running:
    """A run in a terminal, of four images with 20 steps each, the first of them at step 5."""

    def __init__(self, it: Terminal, sim: SimServer, gate: Gate) -> None:
        self.it = it
        self.sim = sim
        self.gate = gate

    async def do(self, call: Callable[..., T], *args: Any) -> T:
        """Use the terminal in a thread, as the server runs in this event loop."""
        return await asyncio.to_thread(call, *args)

    async def shows(self, text: str) -> None:
        await self.do(self.it.shows, text)

    async def ends(self) -> int:
        return await self.do(self.it.exit_code)


@asynccontextmanager
async def running(state: Path, *, columns: int = 100, **environment: Any) -> AsyncIterator[Running]:
    gate = Gate()
    environment |= {"XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state)}
    async with SimServer(FAST, clock=gate) as sim:
        with terminal("run", sim.url, *OPTIONS, columns=columns, controlling=True, **environment) as it:
            await eventually(lambda: len(sim.submitted) == 4, "the batch")
            await gate.let_steps(5)
            each = Running(it, sim, gate)
            await each.shows("Image 1 of 4 - Step 5/20 (25%)")
            yield each


async def test_bars_show_the_image_and_its_batch_below_what_is_done(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.shows("Batch")
        assert BAR in it.it.text
        await it.gate.let_steps(20)
        await it.shows("Image 2 of 4 - Step 5/20 (25%)")
        assert "Image 1 of 4 done: comfytui_00001_.png (seed 7)" in it.it.text
        assert "Step 5/20 (25%)" not in it.it.text.splitlines()[0]
        await it.gate.let_all()
        assert await it.ends() == 0
        assert it.it.text.split("\n")[:5] == [
            *(f"Image {number} of 4 done: comfytui_0000{number}_.png (seed {6 + number})" for number in range(1, 5)),
            "4 of 4 done",
        ]
        assert BAR not in it.it.text
        assert it.it.written.rfind(SHOW_CURSOR) > it.it.written.rfind(HIDE_CURSOR)


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"LC_ALL": "C"}], ids=str)
async def test_a_simple_terminal_gets_plain_lines(tmp_path: Path, environment: dict[str, Any]) -> None:
    async with running(tmp_path, **environment) as it:
        await it.gate.let_all()
        await it.shows("4 of 4 done")
        assert await it.ends() == 0
        assert b"\x1b" not in it.it.written
        assert it.it.written.isascii()


async def test_no_colour_is_used_where_none_is_wanted(tmp_path: Path) -> None:
    async with running(tmp_path, NO_COLOR="1") as it:
        await it.gate.let_all()
        assert await it.ends() == 0
        assert b"\x1b[3" not in it.it.written


async def test_a_narrow_terminal_shows_the_step(tmp_path: Path) -> None:
    async with running(tmp_path, columns=40) as it:
        await it.shows("Batch")
        assert max(map(len, it.it.text.splitlines())) <= 40


async def test_ctrl_c_and_d_leave_the_jobs(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.do(it.it.send, CTRL_C)
        await it.shows(QUESTION)
        await it.do(it.it.send, "d\n")
        assert await it.ends() == 130
        first = it.sim.submitted[0]
        batch_id = first["extra_data"]["comfytui"]["batch"]
        said = it.it.output.replace("\r", "").replace("\n", "")
        assert f"Batch {batch_id} goes on at {it.sim.url.removeprefix('http://')}: 4 of 4 images to come." in said
        assert f"comfytui wait {it.sim.url.removeprefix('http://')} --batch {batch_id}" in said
        assert first["prompt_id"] not in said
        await it.gate.let_all()
        await eventually(lambda: len(it.sim.files.newest("output")) == 4, "the images")


async def test_ctrl_c_and_c_cancel_the_jobs(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.do(it.it.send, CTRL_C)
        await it.shows(QUESTION)
        await it.do(it.it.send, "c\n")
        await it.gate.let_all()
        assert await it.ends() == 130
        assert "0 of 4 done, 4 cancelled" in it.it.output
        assert it.sim.files.newest("output") == []


async def test_a_second_ctrl_c_detaches_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.do(it.it.send, CTRL_C)
        await it.shows(QUESTION)
        await it.do(it.it.send, CTRL_C)
        assert await it.ends() == 130
        assert "comfytui wait" in it.it.output
        assert any(line.startswith("Batch ") and " goes on at " in line for line in it.it.text.splitlines())


async def test_sigterm_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        it.it.process.send_signal(signal.SIGTERM)
        assert await it.ends() == 143
        assert BAR not in it.it.text
        assert it.it.written.rfind(SHOW_CURSOR) > it.it.written.rfind(HIDE_CURSOR)


async def test_a_terminal_that_is_closed_leaves_the_jobs(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        it.it.hang_up()
        assert await it.do(it.it.process.wait) in {129, 141}  # The signal, or that nothing can be written.
        await it.gate.let_all()
        await eventually(lambda: len(it.sim.files.newest("output")) == 4, "the images")
