"""Keys act on what is seen, in the order in which they are typed, and never lose anything without a question."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import Input, Select, TextArea

from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.queue.queue_panel import QueuePanel
from tests.ui.screen import Screen, screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as server:
        yield server


def prompts(sim: SimServer) -> list[str]:
    return [body["prompt"]["6"]["inputs"]["text"] for body in sim.submitted]


async def test_on_a_small_screen_n_opens_the_form_and_the_next_letters_are_the_prompt(sim: SimServer) -> None:
    async with screen(sim.url, (80, 24)) as it:
        await it.shows("live")
        await it.press("escape", "n")
        await it.shows("Negative")
        await it.press(*"quiet sea".replace(" ", "_"), "f5")
        await it.until(lambda: len(sim.submitted) == 4, "the batch")
        assert set(prompts(sim)) == {"quiet_sea"}
        await it.shows("4 of 4 done")


async def test_what_was_typed_before_f5_is_sent_with_it(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("live")
        await it.write("images", "1")
        it.app.screen.query_one("#prompt").focus()
        for key in (*"abcdefghijklmnop", "f5"):
            it.app.simulate_key(key)
        await it.until(lambda: sim.submitted, "the batch")
        assert prompts(sim) == ["abcdefghijklmnop"]


def burst(it: Screen, *keys: str) -> None:
    """Keys that arrive all at once, as after a pause of the line."""
    for key in keys:
        it.app.simulate_key(key)


async def test_keys_of_one_burst_go_where_the_ones_before_them_lead(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("live")
        await it.write("images", "1")
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, *"fox", "tab", *"fog", "shift+tab", *"es", "f5")
        await it.until(lambda: sim.submitted, "the batch")
        assert prompts(sim) == ["foxes"]
        assert sim.submitted[0]["prompt"]["7"]["inputs"]["text"].endswith("fog")


async def test_on_a_small_screen_the_whole_job_may_be_typed_ahead(sim: SimServer) -> None:
    async with screen(sim.url, (80, 24)) as it:
        await it.shows("live")
        burst(it, "escape", "n", *"quiet", "f5")
        await it.until(lambda: len(sim.submitted) == 4, "the batch")
        assert set(prompts(sim)) == {"quiet"}


async def test_after_escape_letters_act_at_once(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("live")
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, *"ab", "escape", "slash", *"cd")
        await it.until(lambda: it.app.screen.query_one("#filter", Input).value == "cd", "the filter")


async def test_a_wrong_number_on_a_hidden_form_opens_the_form(sim: SimServer) -> None:
    async with screen(sim.url, (80, 24)) as it:
        await it.shows("live")
        await it.write("steps", "0")
        await it.press("escape", "f5")
        await it.shows("Steps must be")
        assert sim.submitted == []


async def test_on_the_form_page_no_key_acts_on_the_hidden_queue(sim: SimServer) -> None:
    async with screen(sim.url, (80, 24)) as it:
        await it.shows("live")
        await it.generate(width="64", height="64", images="1")
        await it.shows("1 of 1 done")
        await it.press("n")
        await it.shows("Negative")
        it.app.screen.query_one("#generate").focus()
        await it.press("x")
        await it.pilot.pause()
        assert "Nothing to cancel" not in it.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_in_the_form_no_letter_is_a_command(size: tuple[int, int]) -> None:
    async with SimServer(SimConfig(steps_per_second=4, load_seconds=0)) as sim, screen(sim.url, size) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="1", steps="2000")
        await it.until(lambda: sim.submitted, "the batch")
        await it.press("escape", "home", "n")
        shown = ["F5 Generate", "F1 Help", "esc Commands"]
        for control in ("model", "generate"):
            it.app.screen.query_one(f"#{control}").focus()
            await it.pilot.pause()
            await it.until(lambda: [key.strip() for key in it.text.splitlines()[-1].split("  ")] == shown, "its keys")
            burst(it, *"xXsrRnplq/?")
            await it.pilot.pause()
        await it.press("escape", "escape")
        await it.shows("x Cancel")
        job = next(iter(it.app.service.state.jobs.values())) if it.app.service else None
        assert job is not None
        assert job.status is JobStatus.RUNNING
        assert "Searching" not in it.text
        assert len(sim.submitted) == 1


async def test_a_letter_opens_a_closed_list_and_the_next_ones_go_on(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one("#sampler").focus()
        await it.pilot.pause()
        burst(it, *"heunpp", "enter")
        await it.until(lambda: it.app.screen.query_one("#sampler", Select).value == "heunpp2", "the sampler")


async def test_a_typed_seed_is_the_one_that_is_used(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("live")
        await it.write("seed", "42")
        await it.until(lambda: it.app.screen.query_one("#seed-mode", Select).value == "fixed", "a fixed seed")
        await it.generate(images="1")
        await it.until(lambda: sim.submitted, "the batch")
        assert sim.submitted[0]["prompt"]["3"]["inputs"]["seed"] == 42


async def test_random_seeds_all_differ_and_the_first_is_shown(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("live")
        await it.generate(images="3")
        await it.until(lambda: len(sim.submitted) == 3, "the batch")
        seeds = [body["prompt"]["3"]["inputs"]["seed"] for body in sim.submitted]
        assert len(set(seeds)) == 3
        assert it.app.screen.query_one("#seed", Input).value == str(seeds[0])


async def leave_with_unsent(it: Screen, sim: SimServer) -> None:
    """Press q while two images wait for a server that is gone."""
    await it.shows("dreamshaper_8")
    await sim.__aexit__(None, None, None)
    await it.generate(images="2")
    await it.shows("not sent")
    await it.press("escape", "q")


@pytest.mark.parametrize("folder", ["none", "unusable"])
async def test_closing_with_unsent_images_that_nobody_keeps_asks_first(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    journal = tmp_path / "file" if folder == "unusable" else None
    async with SimServer(QUICK) as sim, screen(sim.url, journal=journal) as it:
        await leave_with_unsent(it, sim)
        await it.shows("2 of your images")
        await it.press("n")
        assert it.app.return_code is None
        await it.press("q")
        await it.shows("2 of your images")
        await it.press("y")
        await it.until(lambda: it.app.return_code == 0, "the end")


async def test_closing_with_unsent_images_that_the_next_start_sends_asks_nothing(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, screen(sim.url, journal=tmp_path) as it:
        await leave_with_unsent(it, sim)
        await it.until(lambda: it.app.return_code == 0, "the end")


async def test_escape_leaves_any_control_of_the_form_for_the_queue(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="2")
        await it.shows("2 of 2 done")
        for control in ("generate", "seed-mode"):
            it.app.screen.query_one(f"#{control}").focus()
            await it.pilot.pause()
            await it.press("escape", "down", "enter")
            await it.shows("Image 1 of 2   comfytui_00001_.png")
            await it.press("escape", "home")
        assert len(sim.submitted) == 2


async def test_a_character_that_joins_emoji_is_typed_like_any_other(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, "👩", "\u200d", "🚀")
        prompt = it.app.screen.query_one("#prompt", TextArea)
        await it.until(lambda: prompt.text == "👩\u200d🚀", "the astronaut")


async def test_somebody_elses_job_is_cancelled_only_after_a_question() -> None:
    config = SimConfig(steps_per_second=1, load_seconds=0, other_clients=1, other_client_pause=(0.0, 0.1))
    async with SimServer(config) as sim, screen(sim.url) as it:
        await it.shows("live")
        await it.shows("▶")
        await it.press("escape", "home", "x")
        await it.shows("belongs")
        await it.press("n")
        await it.pilot.pause()
        assert it.app.service is not None
        assert JobStatus.RUNNING in {job.status for job in it.app.service.state.jobs.values()}
        await it.press("x")
        await it.shows("belongs")
        await it.press("y")
        await it.shows("Interrupt")


async def test_escape_takes_the_filter_away_from_the_list_too(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("live")
        await it.press("escape", "slash", *"zzz", "enter", "escape")
        await it.until(lambda: not it.app.screen.query_one(QueuePanel).is_filter_open, "the filter to go")


async def test_help_lists_the_keys_and_the_palette_the_actions(sim: SimServer) -> None:
    async with screen(sim.url, (80, 24)) as it:
        await it.shows("live")
        await it.press("escape", "question_mark")
        await it.shows("Cancel the selected job")
        await it.press("escape", "ctrl+p", *"previews")
        await it.shows("Live previews on or off")
        await it.press("enter")
        await it.shows("Previews off")
