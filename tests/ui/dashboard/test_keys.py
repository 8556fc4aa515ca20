"""Keys act on what is visible, in the order in which they are typed, and destroy nothing without confirmation."""

import time
from pathlib import Path

import pytest
from textual.widgets import Input, Select, TextArea

from comfytui.session.model import JobStatus
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.widgets.filter_list import FilterList
from tests.fake_backend import FakeBackend
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen


@pytest.fixture
def server() -> FakeBackend:
    return FakeBackend()


def prompts(server: FakeBackend) -> list[str]:
    return [body["prompt"]["6"]["inputs"]["text"] for body in server.submitted]


async def test_small_screen_n_opens_form_for_typing(server: FakeBackend) -> None:
    async with screen(server, (80, 24)) as it:
        await it.shows("live")
        await it.press("escape", "n")
        await it.shows("Negative")
        await it.press(*"quiet sea".replace(" ", "_"), "f5")
        await it.until(lambda: len(server.submitted) == 4, "the batch")
        assert set(prompts(server)) == {"quiet_sea"}
        await it.shows("4 of 4 done")


async def test_text_typed_just_before_f5_is_submitted(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.write("images", "1")
        it.app.screen.query_one("#prompt").focus()
        for key in (*"abcdefghijklmnop", "f5"):
            it.app.simulate_key(key)
        await it.until(lambda: server.submitted, "the batch")
        assert prompts(server) == ["abcdefghijklmnop"]


def burst(it: Screen, *keys: str) -> None:
    """Keys that arrive all at once, as after a pause of the line."""
    for key in keys:
        it.app.simulate_key(key)


async def test_burst_of_keys_acts_in_order(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.write("images", "1")
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, *"fox", "tab", *"fog", "shift+tab", *"es", "f5")
        await it.until(lambda: server.submitted, "the batch")
        assert prompts(server) == ["foxes"]
        assert server.submitted[0]["prompt"]["7"]["inputs"]["text"].endswith("fog")


async def test_keys_act_in_order_after_program_was_held_up(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        images = it.app.screen.query_one("#images", Input)
        images.focus()
        await it.pilot.pause()
        burst(it, "backspace")
        # As by a terminal that takes nothing for a while, when the key has reached the field and not yet its binding.
        it.app.call_later(lambda: time.sleep(2.1))
        burst(it, "2", "tab", "shift+tab", "escape")
        it.app.call_later(lambda: time.sleep(2.1))
        burst(it, "r")
        await it.shows("Select a job first.")
        assert images.value == "2"


async def test_message_of_key_is_seen_on_screen_that_never_settles(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        restless = it.app.set_interval(0.001, it.app.screen.refresh)
        await it.press("escape", "r")
        await it.shows("Select a job first.")
        restless.stop()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_f5_and_the_button_say_that_nothing_is_queued(server: FakeBackend, size: tuple[int, int]) -> None:
    async with screen(server, size) as it:
        await it.shows("live")
        await it.press("escape", "n")
        await it.write("steps", "many")
        for key in ("f5", "enter"):
            if key == "enter":
                it.app.screen.query_one("#generate").focus()
            await it.press(key)
            await it.shows("Nothing was queued")
            assert it.app.focused
            assert it.app.focused.id == "steps"
            it.app.clear_notifications()
            await it.until(lambda: "Nothing was queued" not in it.text, "the end of the message")
        assert not server.submitted


@pytest.mark.parametrize("key", ["ctrl+o", "ctrl+s", "f3"])
async def test_what_is_typed_behind_the_key_of_a_dialog_is_typed_into_it(
    server: FakeBackend, key: str, tmp_path: Path
) -> None:
    async with screen(server, journal=tmp_path) as it:
        await it.shows("live")
        await it.press("escape")
        burst(it, key, *"notes")
        await it.until(lambda: isinstance(it.app.screen, PickerScreen), "the dialog")
        await it.press()
        assert it.app.screen.query_one(FilterList).query_text == "notes"


async def test_what_is_typed_behind_the_key_that_enlarges_a_prompt_is_typed_into_it(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, "alt+z", *"a fox".replace(" ", "_"), "escape")
        await it.press()
        assert it.app.screen.query_one("#prompt", TextArea).text == "a_fox"


async def test_small_screen_takes_whole_job_as_burst(server: FakeBackend) -> None:
    async with screen(server, (80, 24)) as it:
        await it.shows("live")
        burst(it, "escape", "n", *"quiet", "f5")
        await it.until(lambda: len(server.submitted) == 4, "the batch")
        assert set(prompts(server)) == {"quiet"}


async def test_letters_are_commands_after_escape(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, *"ab", "escape", "slash", *"cd")
        await it.until(lambda: it.app.screen.query_one("#filter", Input).value == "cd", "the filter")


async def test_wrong_number_opens_hidden_form(server: FakeBackend) -> None:
    async with screen(server, (80, 24)) as it:
        await it.shows("live")
        await it.write("steps", "0")
        await it.press("escape", "f5")
        await it.shows("Steps must be")
        assert server.submitted == []


async def test_form_page_ignores_queue_keys(server: FakeBackend) -> None:
    async with screen(server, (80, 24)) as it:
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
async def test_letters_in_form_are_no_commands(size: tuple[int, int]) -> None:
    server = FakeBackend(instant=False)
    async with screen(server, size) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="1", steps="2000")
        await it.until(lambda: server.submitted, "the batch")
        await it.press("escape", "home", "n")
        shown = ["F5 Generate", "ctrl+o Open", "F1 Help", "esc Commands"]
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
        assert len(server.submitted) == 1


async def test_letters_open_and_search_list(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one("#sampler").focus()
        await it.pilot.pause()
        burst(it, *"heunpp", "enter")
        await it.until(lambda: it.app.screen.query_one("#sampler", Select).value == "heunpp2", "the sampler")


async def test_typed_seed_is_used(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.write("seed", "42")
        await it.until(lambda: it.app.screen.query_one("#seed-mode", Select).value == "fixed", "a fixed seed")
        await it.generate(images="1")
        await it.until(lambda: server.submitted, "the batch")
        assert server.submitted[0]["prompt"]["3"]["inputs"]["seed"] == 42


async def test_random_seeds_differ_and_first_is_shown(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.generate(images="3")
        await it.until(lambda: len(server.submitted) == 3, "the batch")
        seeds = [body["prompt"]["3"]["inputs"]["seed"] for body in server.submitted]
        assert len(set(seeds)) == 3
        assert it.app.screen.query_one("#seed", Input).value == str(seeds[0])


async def leave_with_unsent(it: Screen, server: FakeBackend) -> None:
    """Press q while two images wait for a server that is gone."""
    await it.shows("dreamshaper_8")
    server.go_down()
    await it.generate(images="2")
    await it.shows("not sent")
    await it.press("escape", "q")


@pytest.mark.parametrize("folder", ["none", "unusable"])
async def test_quit_with_undurable_unsent_jobs_needs_confirmation(
    server: FakeBackend, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file").touch()
    journal = tmp_path / "file" if folder == "unusable" else None
    async with screen(server, journal=journal) as it:
        await leave_with_unsent(it, server)
        await it.shows("2 of your images")
        await it.press("n")
        assert it.app.return_code is None
        await it.press("q")
        await it.shows("2 of your images")
        await it.press("y")
        await it.until(lambda: it.app.return_code == 0, "the end")


async def test_quit_with_durable_unsent_jobs_needs_no_confirmation(server: FakeBackend, tmp_path: Path) -> None:
    async with screen(server, journal=tmp_path) as it:
        await leave_with_unsent(it, server)
        await it.until(lambda: it.app.return_code == 0, "the end")


async def test_escape_leaves_any_form_control(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="2")
        await it.shows("2 of 2 done")
        for control in ("generate", "seed-mode"):
            it.app.screen.query_one(f"#{control}").focus()
            await it.pilot.pause()
            await it.press("escape", "down", "enter")
            await it.shows("Image 1 of 2   comfytui_00001_.png")
            await it.press("escape", "home")
        assert len(server.submitted) == 2


async def test_zero_width_joiner_is_typed(server: FakeBackend) -> None:
    async with screen(server) as it:
        it.app.screen.query_one("#prompt").focus()
        await it.pilot.pause()
        burst(it, "👩", "\u200d", "🚀")
        prompt = it.app.screen.query_one("#prompt", TextArea)
        await it.until(lambda: prompt.text == "👩\u200d🚀", "the astronaut")


async def test_cancelling_other_clients_job_needs_confirmation() -> None:
    server = FakeBackend(instant=False)
    server.add_job(text_to_image())
    async with screen(server) as it:
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


async def test_escape_in_queue_clears_filter(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.press("escape", "slash", *"zzz", "enter", "escape")
        await it.until(lambda: not it.app.screen.query_one(QueuePanel).is_filter_open, "the filter to go")


async def test_help_lists_keys_and_palette_actions(server: FakeBackend) -> None:
    async with screen(server, (80, 24)) as it:
        await it.shows("live")
        await it.press("escape", "question_mark")
        await it.shows("Queue the batch")
        await it.press("pagedown")
        await it.shows("Cancel the selected job")
        await it.press("escape", "ctrl+p", *"previews")
        await it.shows("Live previews on or off")
        await it.press("enter")
        await it.shows("Previews off")
