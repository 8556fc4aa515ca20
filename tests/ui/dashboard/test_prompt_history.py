"""F3 lists the prompts that were used, the last one first."""

from pathlib import Path

from comfytui.session.model import JobStatus
from tests.fake_backend import FakeBackend
from tests.ui.dashboard.test_open_workflows import text_in
from tests.ui.screen import screen


async def test_a_used_prompt_comes_back(tmp_path: Path) -> None:
    async with screen(FakeBackend(), journal=tmp_path) as it:
        await it.generate("a red fox", images="2")
        await it.generate("a grey cat", images="1")
        await it.has_jobs(*[JobStatus.SUCCEEDED] * 3)
        await it.press("f3")
        await it.shows("2x")
        assert it.text.index("a grey cat") < it.text.index("a red fox")
        await it.press("f", "o", "x", "enter")
        await it.until(lambda: text_in(it, "prompt") == "a red fox", "the prompt")
        await it.press("ctrl+z")
        assert text_in(it, "prompt") == "a grey cat"


async def test_the_seed_is_shown_whole_and_the_outcome_beside_the_prompt(tmp_path: Path) -> None:
    seed = str(2**64 - 1)
    async with screen(FakeBackend(), journal=tmp_path, size=(80, 24)) as it:
        await it.generate("a red fox, a calm landscape with mist and an old lighthouse", images="1", seed=seed)
        await it.has_jobs(JobStatus.SUCCEEDED)
        await it.press("f3")
        await it.shows(f"seed {seed} · a red fox")
        assert "1x · succeeded " in it.text
        assert it.text.count("seed ") == 1


async def test_letters_may_be_left_out_and_those_that_match_are_shown(tmp_path: Path) -> None:
    long = f"{'a calm landscape with mist, ' * 8}old lighthouse"
    async with screen(FakeBackend(), journal=tmp_path, size=(80, 24)) as it:
        for prompt in (long, "a red fox", "lighthouses", "a grey cat"):
            await it.generate(prompt, images="1")
        await it.has_jobs(*[JobStatus.SUCCEEDED] * 4)
        await it.press("f3")
        await it.shows("1x")
        await it.press(*"lghthse")
        await it.shows("2 of 4")
        assert it.text.index(" lighthouses ") < it.text.index("mist, old lighthouse")
        await it.press("down", "enter")
        await it.until(lambda: text_in(it, "prompt") == long, "the prompt")


async def test_it_is_empty_at_first(tmp_path: Path) -> None:
    async with screen(FakeBackend(), journal=tmp_path, size=(80, 24)) as it:
        await it.press("f3")
        await it.shows("No prompt was used yet")
        await it.press("escape", "a")
        assert text_in(it, "prompt") == "a"


async def test_a_used_negative_prompt_comes_back_into_the_negative_prompt(tmp_path: Path) -> None:
    async with screen(FakeBackend(), journal=tmp_path) as it:
        await it.generate("a red fox", negative="{blurry|dark}", images="2")
        await it.generate("a grey cat", negative="text", images="1")
        await it.has_jobs(*[JobStatus.SUCCEEDED] * 3)
        await it.write("negative", "nothing")
        await it.press("f3")
        await it.shows("Negative prompts that were used")
        await it.shows("2x")
        assert it.text.index("text ") < it.text.index("{blurry|dark}")
        await it.press("d", "a", "r", "k", "enter")
        await it.until(lambda: text_in(it, "negative") == "{blurry|dark}", "the negative prompt")
        assert text_in(it, "prompt") == "a grey cat"
