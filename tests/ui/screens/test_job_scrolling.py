"""Scrolling long prompts and failures on the job screen."""

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.fake_backend import FakeBackend
from tests.ui.screen import screen

LONG = " ".join(f"word{number:03}" for number in range(300))


async def test_long_prompt_scrolls_to_end_and_parameters() -> None:
    async with screen(FakeBackend(), (80, 24)) as it:
        await it.shows("live")
        await it.press("escape", "n")
        it.app.screen.query_one("#prompt").text = LONG  # type: ignore[attr-defined]
        await it.write("images", "2")
        await it.write("seed", "888777666555443")
        await it.press("f5")
        await it.shows("2 of 2 done")
        await it.press("home", "enter")
        await it.shows("Image 2 of 2")
        await it.shows("↑↓ Scroll")
        assert "word000" in it.text
        assert "word299" not in it.text
        for key, seen, unseen in (
            ("end", "word299", "word000"),
            ("up", "word28", "word299"),
            ("home", "word000", "word299"),
            ("pagedown", "word060", "word000"),
            ("down", "word065", "word000"),
            ("pageup", "word010", "word299"),
        ):
            await it.press(key)
            await it.shows(seen)
            assert unseen not in it.text
        assert "seed 888777666555443 · " in it.text
        assert "cfg 7\ndreamshaper_8\n" in it.text.replace(" \n", "\n").replace("\n ", "\n")
        await it.press("left")
        await it.shows("Image 1 of 2")


async def test_failure_below_long_prompt_scrolls() -> None:
    failing = SimConfig(steps_per_second=0, load_seconds=0, fail_step=1)
    async with SimServer(failing) as sim, screen(sim.url, (80, 24)) as it:
        await it.shows("live")
        await it.press("escape", "n")
        it.app.screen.query_one("#prompt").text = LONG  # type: ignore[attr-defined]
        await it.write("images", "1")
        await it.press("f5")
        await it.shows("1 failed")
        await it.press("home", "enter")
        await it.shows("CUDA out of memory")
        await it.press("end")
        await it.shows("word299")
        await it.press("home")
        await it.shows("word000")
        assert "word299" not in it.text
        for _ in range(12):
            await it.press("pagedown")
        await it.shows("word299")
        await it.shows("result = f(**inputs)")
