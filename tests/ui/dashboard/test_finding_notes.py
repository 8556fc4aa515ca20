"""What was found in a workflow is said as long as it holds, and enter leads from it to the value."""

from pathlib import Path

from textual.events import Paste
from textual.widgets import Select

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.drafts import DraftFolder
from comfytui.ui.form.finding_note import FindingNote
from comfytui.ui.form.input_list import InputList
from comfytui.ui.screens.picker import PickerScreen
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.graph import Workflow, apply_values, workflow_of
from tests.fake_backend import FakeBackend
from tests.ui.form.test_input_list import filled_in, inputs, node
from tests.ui.screen import Screen, screen

GONE = "The server does not have “gone.safetensors”"


def lacking_model() -> Workflow:
    return workflow_of("mine", apply_values(txt2img(), {"model": "gone.safetensors"}))


def lacking_image(name: str = "gone.png") -> Workflow:
    nodes = {"20": node("LoadImage", image=name), "21": node("PreviewImage", images=["20", 0])}
    return workflow_of("mine", {**apply_values(txt2img(), {"model": SimConfig().checkpoints[0]}), **nodes})


def note(it: Screen) -> FindingNote:
    return it.app.screen_stack[1].query_one(FindingNote)


async def to_note(it: Screen) -> None:
    """Go to the note by keys, from the button below it."""
    await it.until(lambda: note(it).key and note(it).region.height, "a note about a value")
    it.app.screen.set_focus(it.app.screen.query_one("#generate"))
    await it.press("shift+tab")
    await it.until(lambda: it.app.focused is note(it), "the focus on the note")


async def test_missing_model_is_no_longer_said_once_another_is_chosen() -> None:
    backend = FakeBackend()
    async with screen(backend, workflow=lacking_model()) as it:
        await it.until(lambda: GONE in note(it).text, "what is missing")
        it.app.clear_notifications()
        await to_note(it)
        await it.press("enter")
        select = it.app.screen.query_one("#model", Select)
        await it.until(lambda: it.app.focused is select, "the focus on the model")
        select.value = SimConfig().checkpoints[1]
        await it.until(lambda: not note(it).text and not note(it).display, "the end of the note")
        await it.press("f6")
        await it.shows("The prompt of mine")
        assert "Found in the workflow" not in it.text
        await it.press("escape")
        select.value = "gone.safetensors"
        await it.until(lambda: GONE in note(it).text, "what is missing")


async def test_missing_image_is_uploaded_from_its_note(tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"mine")
    async with SimServer(SimConfig()) as sim, screen(sim.url, (80, 24), workflow=lacking_image()) as it:
        await it.until(lambda: note(it).text.startswith("The server does not have “gone.png”"), "what is missing")
        await to_note(it)
        await it.shows("Go to the value")
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, PickerScreen), "the files")
        await it.shows("Browse the folders")
        it.app.post_message(Paste(str(picture)))
        await it.shows("0 of ")
        await it.press("enter")
        await it.until(lambda: filled_in(it)["20"]["inputs"]["image"] == "cat.png", "the upload")
        assert sim.files.get("input", "", "cat.png") == b"mine"
        assert isinstance(it.app.focused, InputList)
        assert inputs(it).current_item is not None
        await it.until(lambda: not note(it).text, "the end of the note")


async def test_message_about_a_missing_value_is_short_and_does_not_come_with_another_in_the_draft(
    tmp_path: Path,
) -> None:
    drafts, backend = DraftFolder(tmp_path), FakeBackend()
    workflow = lacking_model()
    async with screen(backend, workflow=workflow, drafts=drafts) as it:
        await it.until(lambda: GONE in note(it).text, "what is missing")
        it.app.screen.query_one("#model", Select).value = SimConfig().checkpoints[1]
        await it.until(lambda: not note(it).text, "the end of the note")
    assert drafts.read(workflow)["model"] == SimConfig().checkpoints[1]
    async with screen(backend, workflow=workflow, drafts=drafts) as it:
        await it.until(lambda: it.app.screen_stack[1].workflows.open.shown.workflow.findings, "the check")  # type: ignore[attr-defined]
        assert not note(it).text


async def test_letters_on_the_note_do_nothing() -> None:
    async with screen(FakeBackend(), workflow=lacking_model()) as it:
        await to_note(it)
        await it.press("q", "x")
        assert it.app.focused is note(it)
