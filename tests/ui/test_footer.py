"""The footer shows the keys that act on what is there, and is never cut in the middle of one."""

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui import keys
from comfytui.ui.footer import WORTH, chosen
from tests.faults.proxy import proxy_to
from tests.ui.screen import Screen, screen

SLOW = SimConfig(steps_per_second=4, load_seconds=0)
EVERY = [(binding, binding.key_display or binding.key) for binding in keys.DASHBOARD]
OFFERS = frozenset({"cancel", "save", "again", "link", "reconnect"})


def footer(it: Screen) -> str:
    return it.text.splitlines()[-1]


def test_every_key_that_may_be_shown_has_its_worth() -> None:
    assert {binding.id for binding, _ in EVERY if binding.show or binding.id in OFFERS} <= set(WORTH)


def test_what_is_worth_most_is_there_where_there_is_little_room() -> None:
    assert chosen(EVERY, OFFERS, 20) == {"generate"}
    assert chosen(EVERY, OFFERS, 60) >= {"generate", "again", "link", "leave"}
    assert chosen(EVERY, OFFERS, 200) >= OFFERS | {"filter", "write", "help", "detach"}
    assert not chosen(EVERY, frozenset(), 200) & OFFERS


async def test_what_is_open_just_now_says_how_it_is_left() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one("#sampler").focus()
        await it.press("enter")
        await it.until(lambda: "esc Dismiss menu" in footer(it), "the way out")


@pytest.mark.parametrize("columns", [60, 80, 100])
async def test_with_a_lost_batch_and_a_broken_link_it_says_what_helps(columns: int) -> None:
    async with SimServer(SLOW) as sim, proxy_to(sim.url) as proxy, screen(proxy.url, (columns, 24)) as it:
        await it.shows("live")
        await it.generate("a lighthouse", images="2", steps="2000")
        await it.shows("Image 1 of 2 - Step")
        await it.press("escape", "home")
        await it.until(lambda: "x Cancel" in footer(it), "a job to cancel")
        assert "Retry" not in footer(it)
        assert "Reconnect" not in footer(it)
        await sim.restart()
        await it.until(lambda: "r Retry" in footer(it), "lost jobs")
        proxy.go_down()
        proxy.cut()
        await it.until(lambda: "l Link  ^r Reconnect" in footer(it), "the broken link")
        assert "r Retry" in footer(it)
        assert len(footer(it)) <= columns
        assert footer(it).split()[-1] in {binding.description for binding in keys.DASHBOARD}
        await proxy.come_up()
        await it.until(lambda: "Reconnect" not in footer(it), "the mended link")
        await it.press("X")
        await it.shows("Dismiss 2 lost jobs of this batch?")
        await it.press("y")
        await it.until(lambda: "Retry" not in footer(it), "the lost ones to be dismissed")
        assert "x Cancel" not in footer(it)
