"""Drafts: the form's content is restored at the next start."""

import errno
import os
from pathlib import Path
from threading import Event

import pytest
from textual.widgets import Input, Select, TextArea

from comfytui.ui.drafts import DraftFolder
from comfytui.ui.form.input_list import InputList
from comfytui.ui.screens.enlarged_prompt import EnlargedPromptScreen
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.graph import workflow_of
from tests.fake_backend import FakeBackend
from tests.timings import timings
from tests.ui.screen import PATIENT, Screen, screen

MODEL = "dreamshaper_8.safetensors"
PROMPT = "a lighthouse, 灯台 🗼\non its rock"


def shown(it: Screen, field: str) -> str:
    control = it.app.screen.query_one(f"#{field}")
    return control.text if isinstance(control, TextArea) else str(control.value)  # type: ignore[attr-defined]


async def test_draft_restores_valid_and_invalid_texts(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    server = FakeBackend()
    async with screen(server, drafts=drafts) as it:
        await it.shows("live")
        it.app.screen.query_one("#prompt", TextArea).text = PROMPT
        await it.write("steps", "many")
        await it.write("seed", "77")
        it.app.screen.query_one("#sampler", Select).value = "dpmpp_2m"
        await it.press("escape")
    async with screen(server, drafts=drafts) as it:
        await it.shows("live")
        got = [shown(it, field) for field in ("prompt", "steps", "seed", "seed-mode", "sampler")]
        assert got == [PROMPT, "many", "77", "fixed", "dpmpp_2m"]
        await it.until(lambda: it.app.screen.query_one("#steps", Input).has_class("-wrong"), "the mark")
    async with screen(server, drafts=drafts, fresh=True) as it:
        await it.shows("live")
        assert shown(it, "steps") == "20"
    async with screen(server, drafts=drafts) as it:
        assert shown(it, "steps") == "many"
    (file,) = (tmp_path / "drafts").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_draft_is_written_shortly_after_edit(tmp_path: Path) -> None:
    drafts, soon = DraftFolder(tmp_path), timings(PATIENT, form={"draft_delay": 0.05})
    async with screen(FakeBackend(), drafts=drafts, timings=soon) as it:
        await it.write("steps", "33")
        await it.until(lambda: drafts.read(txt2img()).get("steps") == "33", "the draft")


async def test_shutdown_hook_writes_draft(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), drafts=drafts) as it:
        await it.write("steps", "33")
        for hook in it.app.shutdown_hooks:
            hook()
        assert drafts.read(txt2img())["steps"] == "33"


async def test_unedited_form_writes_no_draft(tmp_path: Path) -> None:
    async with screen(FakeBackend(), drafts=DraftFolder(tmp_path)) as it:
        await it.until(lambda: shown(it, "model") == MODEL, "a model")
    assert not os.listdir(tmp_path)  # noqa: PTH208


async def test_hanging_disk_does_not_delay_exit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts, writing, let_go = DraftFolder(tmp_path), Event(), Event()

    def hangs(*_: object) -> bool:
        writing.set()
        return let_go.wait()

    monkeypatch.setattr(drafts, "write", hangs)
    server = FakeBackend()
    async with screen(server, drafts=drafts, timings=timings(PATIENT, form={"disk": 0.05})) as it:
        await it.write("steps", "33")
    assert writing.wait(60), "nothing was written"
    assert not let_go.is_set()
    let_go.set()


async def test_random_seed_is_not_restored(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    drafts.write(txt2img(), {"seed": "77", "seed-mode": "random"})
    async with screen(FakeBackend(), drafts=drafts) as it:
        await it.shows("live")
        assert shown(it, "seed") == "0"


async def test_unknown_model_of_draft_is_replaced(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    drafts.write(txt2img(), {"model": "elsewhere.safetensors", "sampler": "elsewhere"})
    async with screen(FakeBackend(), drafts=drafts) as it:
        await it.until(lambda: shown(it, "model") == MODEL, "a model")
        assert shown(it, "sampler") == "euler"


@pytest.mark.parametrize("content", ["[" * 100_000, "", "[1]", "{", '{"steps": 7, "prompt": null}', "\ud800"])
def test_damaged_draft_is_ignored(tmp_path: Path, content: str) -> None:
    drafts = DraftFolder(tmp_path)
    drafts.write(txt2img(), {"steps": "8"})
    (file,) = (tmp_path / "drafts").iterdir()
    file.write_bytes(content.encode(errors="surrogatepass"))
    assert drafts.read(txt2img()) == {}


def test_failed_write_keeps_previous_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = DraftFolder(tmp_path)
    drafts.write(txt2img(), {"steps": "8"})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    assert not drafts.write(txt2img(), {"steps": "9"})
    assert drafts.read(txt2img()) == {"steps": "8"}
    assert len(list((tmp_path / "drafts").iterdir())) == 1


def test_each_workflow_has_its_own_draft(tmp_path: Path) -> None:
    drafts, other = DraftFolder(tmp_path), workflow_of("other", {})
    drafts.write(txt2img(), {"steps": "8"})
    drafts.write(other, {"images": "2"})
    assert (drafts.read(txt2img()), drafts.read(other)) == ({"steps": "8"}, {"images": "2"})


def test_missing_or_unwritable_folder_keeps_no_draft(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    none = DraftFolder(None)
    for drafts in (none, DraftFolder(tmp_path / "file")):
        assert drafts.write(txt2img(), {"steps": "8"}) is (drafts is none)
        assert drafts.read(txt2img()) == {}


def test_long_prompt_is_kept(tmp_path: Path) -> None:
    drafts, prompt = DraftFolder(tmp_path), "狐" * 300_000
    assert drafts.write(txt2img(), {"prompt": prompt})
    assert drafts.read(txt2img()) == {"prompt": prompt}


async def test_draft_has_what_is_typed_on_the_whole_screen_when_the_program_ends_there(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), drafts=drafts) as it:
        await it.write("prompt", "a fox")
        await it.press("alt+z")
        await it.until(lambda: isinstance(it.app.screen, EnlargedPromptScreen), "the whole screen")
        await it.press("space", "i", "n")
        await it.press("ctrl+q")
    assert drafts.read(txt2img())["prompt"] == "a fox in"


async def test_draft_has_what_is_typed_in_the_form_after_the_whole_screen(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), drafts=drafts) as it:
        await it.write("prompt", "a fox")
        await it.press("alt+z")
        await it.until(lambda: isinstance(it.app.screen, EnlargedPromptScreen), "the whole screen")
        await it.press("space", "i", "n", "escape")
        await it.until(lambda: it.app.screen.query("#prompt"), "the form")
        await it.press("backspace", "backspace")
    assert drafts.read(txt2img())["prompt"] == "a fox "


async def test_draft_has_the_number_that_is_edited_in_its_place_when_the_program_ends_there(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), drafts=drafts) as it:
        await it.shows("live")
        await it.press("ctrl+f", *"denoise", "enter")
        await it.until(lambda: isinstance(it.app.focused, InputList), "the list")
        await it.press("enter", "backspace", "backspace", "backspace", *"0.45")
        await it.press("ctrl+q")
    assert "0.45" in drafts.read(txt2img()).values()
