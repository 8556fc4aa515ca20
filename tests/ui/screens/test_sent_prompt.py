"""F6 shows the prompt before it is sent, with what the form changed."""

import asyncio
import json
from pathlib import Path

import pytest
from textual.widgets import Select

from comfytui.ui.form import rows
from comfytui.ui.screens.sent_prompt import SentPromptScreen
from comfytui.workflow.annotations import cell_of
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.editor.findings import Finding
from comfytui.workflow.graph import Graph, Workflow
from tests.fake_backend import FakeBackend
from tests.ui.screen import SIZES, screen


@pytest.mark.parametrize("size", SIZES)
async def test_it_lists_what_was_changed_in_the_form(size: tuple[int, int]) -> None:
    backend = FakeBackend()
    async with screen(backend, size=size) as it:
        await it.write("prompt", "a [red] fox")
        await it.write("steps", "30")
        await it.press("f6")
        await it.shows("KSampler · steps: 20 → 30")
        await it.shows('text: "" → a [red] fox')
        assert '    "class_type": "KSampler"' in it.text
        await it.press("f6")
        assert not isinstance(it.app.screen, SentPromptScreen)
        assert not backend.submitted


async def test_a_form_with_a_mistake_can_be_looked_at_too() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("steps", "many")
        await it.press("f6")
        await it.shows("Something in the form is wrong")
        await it.press("c")
        await it.shows("Copied")
        await it.press("escape")
        await it.shows("Generate")


async def test_it_lists_what_was_found_in_the_workflow() -> None:
    findings = (Finding("circle", "It contains itself.", None, True), Finding("deprecated", "An old node."))
    workflow = Workflow("mine", txt2img().graph, txt2img().fields, findings=findings)
    async with screen(FakeBackend(), workflow=workflow) as it:
        await it.press("f6")
        await it.shows("! It contains itself.")
        await it.shows("- An old node.")


async def test_the_json_is_saved_beside_the_images_and_never_over_a_file(tmp_path: Path) -> None:
    async with screen(FakeBackend(), (80, 24), output=tmp_path) as it:
        await it.write("steps", "30")
        await it.press("f6", "s")
        await it.until((tmp_path / "txt2img.json").exists, "the file")
        await it.press("s")
        await it.until(lambda: len(list(tmp_path.glob("*.json"))) == 2, "another file")
        saved = json.loads((tmp_path / "txt2img.json").read_text())
        assert saved["3"]["inputs"]["steps"] == 30
        await it.shows("Saved as")


async def test_a_json_that_cannot_be_saved_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with screen(FakeBackend(), output=tmp_path / "file") as it:
        await it.press("f6", "s")
        await it.until(lambda: any(each.severity == "error" for each in it.app._notifications), "the error")


@pytest.mark.parametrize("mode", ["increment", "random"])
async def test_it_shows_what_is_sent_for_the_first_image(mode: str, tmp_path: Path) -> None:
    backend = FakeBackend()
    async with screen(backend, output=tmp_path) as it:
        await it.until(
            lambda: it.app.screen.query_one("#model", Select).value == "dreamshaper_8.safetensors", "the models"
        )
        template = "a {red|blue|green|grey} fox"
        for field, text in {"prompt": template, "steps": "20, 30", "seed": "5", "images": "3"}.items():
            await it.write(field, text)
        it.app.screen.query_one(f"#{rows.SEED_MODE_ID}", Select).value = mode
        await it.press("f6")
        first = "This is what is sent for the first of 6 (3 × 2) images"
        also = ", except its random seed and what its variations become." if mode == "random" else "."
        await it.shows(f"{first}{also}")
        await it.shows(f'text: "" → {template}, sent as: a ')
        await it.press("s")
        await it.until((tmp_path / "txt2img.json").exists, "the file")
        await it.press("f6", "f5")
        await it.until(lambda: len(backend.submitted) == 6, "the batch")
        shown = json.loads((tmp_path / "txt2img.json").read_text())
        sent = backend.submitted[0]["prompt"]
        assert cell_of(shown) == cell_of(sent) == (("Steps", 20),)
        assert "{" not in shown["6"]["inputs"]["text"]
        if mode == "increment":
            assert shown == sent


async def test_what_cannot_be_sent_says_why() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a <lora:nothing:1> fox")
        await it.press("f6")
        await it.shows("It cannot be sent. ")
        await it.shows('text: "" → a <lora:nothing:1> fox')


@pytest.mark.parametrize("key", ["c", "s"])
async def test_it_can_be_closed_while_it_waits_for_what_is_copied_or_saved(key: str, tmp_path: Path) -> None:
    async def read_never() -> tuple[Graph, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with screen(FakeBackend(), output=tmp_path) as it:
        await it.shows("live")
        shown = SentPromptScreen(txt2img(), read_never, tmp_path)
        await it.app.push_screen(shown)
        await it.press(key)
        await it.until(lambda: len([*shown.workers]) > 1, "the wait")
        await it.press("escape")
        await it.until(lambda: not shown.is_attached, "the end of the screen")
        await it.press("escape")
        assert it.app.return_code is None
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240
