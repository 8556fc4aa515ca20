"""One-shot timers fire even if the process is held up while they start."""

import asyncio
import time
from functools import partial
from weakref import WeakSet

import pytest
from textual import _time

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.ui.screen import Screen, screen

DELAY = 10.0
"""Seconds between the first and the second time that a timer reads the clock."""


@pytest.fixture(autouse=True)
def _delayed_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delay every timer once, as it starts."""
    started = WeakSet[asyncio.Task[object]]()

    def get_time() -> float:
        task = asyncio.current_task()
        if task is None or "Timer" not in repr(task.get_coro()):
            return time.monotonic()
        late = DELAY if task in started else 0.0
        started.add(task)
        return time.monotonic() + late

    monkeypatch.setattr(_time, "get_time", get_time)


def has_size(it: Screen, columns: int, lines: int) -> bool:
    return it.app.screen.size == (columns, lines)


async def test_the_link_is_shown_and_a_resize_followed() -> None:
    async with SimServer(SimConfig()) as sim, screen(sim.url, (120, 40)) as it:
        await it.shows("live")
        for size in ((80, 24), (200, 60)):
            await it.pilot.resize_terminal(*size)
            await it.until(partial(has_size, it, *size), f"a screen of {size}")
