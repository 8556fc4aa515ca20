"""ctrl+o lists workflows from everywhere, and shows the chosen one in the form."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ServerError
from comfytui.comfy.protocol.library import LIBRARY_LIMIT, SavedWorkflow, Template, TemplateGroup
from comfytui.comfy.protocol.models import Json
from comfytui.comfy.server import Server
from comfytui.service.submission.batch import batch_request
from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.recent_files import RecentFiles
from comfytui.ui.screens.browse import BrowseScreen
from comfytui.ui.screens.picker import PickerScreen
from comfytui.workflow.builtin import txt2img
from tests.fake_backend import FakeBackend
from tests.sim.graphs import text_to_image, two_seeds
from tests.ui.dashboard.test_open_workflows import dashboard_of, open_, other_workflow, text_in
from tests.ui.screen import Screen, screen
from tests.workflow.graphs.editor import editor_txt2img

TEMPLATE = Template("fox", "A fox \x1b[31min the snow", description="One fox, many flakes", models=("SD 1.5",))

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


async def pick(it: Screen, text: str) -> None:
    await it.shows("live")  # Before that, the server's lists cannot be read.
    await it.press("ctrl+o")
    await it.shows("Open a workflow")
    await it.press(*["space" if letter == " " else "full_stop" if letter == "." else letter for letter in text])


async def shows_workflow(it: Screen, name: str) -> None:
    await it.until(
        lambda: not isinstance(it.app.screen, PickerScreen) and dashboard_of(it).context.form.workflow.name == name,
        f"the form of {name}",
    )


async def test_it_switches_between_the_open_workflows() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a red fox")
        await open_(it, other_workflow())
        await pick(it, "")
        await it.shows("shown now")
        await it.press("enter")
        await shows_workflow(it, "txt2img")
        assert text_in(it, "prompt") == "a red fox"


async def test_escape_changes_nothing() -> None:
    async with screen(FakeBackend()) as it:
        await pick(it, "")
        await it.press("escape", "a")
        assert text_in(it, "prompt") == "a"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_it_opens_a_template_of_the_server(size: tuple[int, int]) -> None:
    backend = FakeBackend()
    backend.offered = [("Animals", TEMPLATE, editor_txt2img("a fox in the snow"))]
    async with screen(backend, size=size) as it:
        await pick(it, "snow")
        await it.shows("Animals")
        await it.shows("many flakes")
        assert "\x1b" not in it.text
        await it.press("enter")
        await it.until(lambda: not isinstance(it.app.screen, PickerScreen), "the dashboard")
        form = dashboard_of(it).context
        await it.until(lambda: form.form.workflow.graph and form.form.workflow.editor, "the converted template")
        assert text_in(it, "prompt") == "a fox in the snow"
        await it.press("!")
        assert "!" in text_in(it, "prompt")


async def test_it_opens_a_saved_workflow_of_the_server() -> None:
    backend = FakeBackend()
    backend.saved = {"mine/portrait.json": editor_txt2img("an old man"), "broken.json": [1, 2]}
    async with screen(backend) as it:
        await pick(it, "portrait")
        await it.shows("mine/portrait")
        await it.press("enter")
        await shows_workflow(it, "portrait")
        await pick(it, "broken")
        await it.press("enter")
        await it.shows("not a workflow")
        assert dashboard_of(it).context.form.workflow.name == "portrait"


async def test_it_takes_the_path_of_a_file_and_remembers_it(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(other_workflow().graph))
    recent = RecentFiles(tmp_path / "state")
    async with screen(FakeBackend(), recent=recent) as it:
        await pick(it, "")
        it.app.screen.query_one("FilterInput").value = f"'{file}'"  # type: ignore[attr-defined]
        await it.shows("enter takes it")
        await it.press("enter")
        await shows_workflow(it, "x")
        await it.until(lambda: recent.read() == (str(file),), "the recent file")
        file.unlink()
        await pick(it, "x.json")
        await it.press("enter")
        await it.shows("There is no file")


async def test_a_path_that_is_wrong_can_be_corrected(tmp_path: Path) -> None:
    (tmp_path / "fox.json").write_text(json.dumps(other_workflow().graph))
    async with screen(FakeBackend()) as it:
        await pick(it, "")
        await it.press(*f"{tmp_path}/fix.json", "enter")
        await it.shows("There is no file")
        await it.until(lambda: isinstance(it.app.screen, PickerScreen), "the dialog again")
        await it.press(*["left"] * len("x.json"), "backspace", "o", *["right"] * len("x.json"), "enter")
        await shows_workflow(it, "fox")


async def test_it_opens_the_workflow_of_a_job() -> None:
    async with screen(FakeBackend()) as it:
        await it.generate("a red fox", steps="7", images="1")
        await it.has_jobs(JobStatus.SUCCEEDED)
        await open_(it, other_workflow())
        await pick(it, "red fox")
        await it.press("enter")
        await shows_workflow(it, "a red fox")
        assert text_in(it, "steps") == "7"


async def test_it_opens_the_workflow_of_another_clients_job() -> None:
    async with SimServer(QUICK) as sim, screen(sim.url) as it:
        await it.shows("live")
        async with ComfyClient(Server.from_url(sim.url)) as client:
            await client.submit(two_seeds(), prompt_id=str(uuid4()), client_id="they", tag={})
            await it.until(lambda: sim.queue.history, "its end")
        await it.press("escape", "ctrl+r")
        await it.shows("✓ they")
        await pick(it, "another user")
        await it.shows("1 of ")
        await it.press("enter")
        await it.until(lambda: "seed-2" in dashboard_of(it).context.form.texts(), "its two seeds")


async def test_a_list_that_cannot_be_read_says_why_and_the_others_are_there() -> None:
    backend = FakeBackend()
    backend.saved = None

    async def refuse() -> tuple[SavedWorkflow, ...]:
        raise ServerError("The server has a fault (500).")

    setattr(backend, "templates", refuse)  # noqa: B010 - a method to the type checker
    async with screen(backend) as it:
        await pick(it, "")
        await it.shows("Templates !")
        await it.press("right", "right", "right")
        await it.shows("keeps no workflows")
        await it.press("right")
        await it.shows("a fault (500)")
        await it.press("right")
        await it.shows("Nothing is here")


async def test_a_template_that_is_gone_is_said() -> None:
    backend = FakeBackend()
    backend.offered = [("Animals", TEMPLATE, None)]
    async with screen(backend) as it:
        await pick(it, "snow")
        await it.shows("Animals")
        await it.press("enter")
        await it.shows("no longer has")
        assert dashboard_of(it).context.form.workflow.graph == txt2img().graph


def test_recent_files_are_bounded_and_survive_damage(tmp_path: Path) -> None:
    recent = RecentFiles(tmp_path)
    for index in range(60):
        recent.add(f"/f{index}.json")
    recent.add("/f58.json")
    assert recent.read()[:2] == ("/f58.json", "/f59.json")
    assert len(recent.read()) == 50
    (tmp_path / "recent.json").write_text('{"a": [')
    assert recent.read() == ()
    damaged: Json = [1, "", "/a.json", "/a.json"]
    (tmp_path / "recent.json").write_text(json.dumps(damaged))
    assert recent.read() == ("/a.json",)


async def test_files_can_be_browsed_from_the_folder_of_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "portrait.json").write_text(json.dumps(other_workflow().graph))
    recent = RecentFiles(tmp_path / "state")
    recent.add(str(tmp_path / "gone.json"))
    async with screen(FakeBackend(), recent=recent) as it:
        await pick(it, "")
        await it.shows("gone.json")
        await it.press(*"browse", "enter")
        await it.shows("portrait.json")
        await it.press(*"port", "enter")
        await shows_workflow(it, "portrait")
        await it.until(lambda: recent.read()[0] == str(tmp_path / "portrait.json"), "the recent file")
        await pick(it, "browse")
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, BrowseScreen), "the folders")
        await it.press("escape")
        await it.until(lambda: not isinstance(it.app.screen, PickerScreen), "the dashboard")
        await it.press("!")
        assert "!" in text_in(it, "prompt")


async def test_the_path_of_a_folder_browses_it(tmp_path: Path) -> None:
    (tmp_path / "portrait.json").write_text(json.dumps(other_workflow().graph))
    async with screen(FakeBackend()) as it:
        await pick(it, "")
        it.app.screen.query_one("FilterInput").value = str(tmp_path)  # type: ignore[attr-defined]
        await it.shows("enter takes it")
        await it.press("enter")
        await it.shows("portrait.json")
        await it.press("enter")
        await shows_workflow(it, "portrait")


@pytest.mark.parametrize("from_picture", [False, True])
async def test_the_braces_of_what_was_sent_are_not_expanded_again(tmp_path: Path, *, from_picture: bool) -> None:
    backend, text = FakeBackend(), "a {red|blue} fox, __animal__ <lora:none:1>"
    (tmp_path / "wildcards").mkdir()
    (tmp_path / "wildcards/animal.txt").write_text("cat\n")
    info = PngInfo()
    info.add_text("prompt", json.dumps(text_to_image(text=text)))
    Image.new("RGB", (1, 1)).save(tmp_path / "fox.png", pnginfo=info)
    async with screen(backend, prompt_files=tmp_path) as it:
        await it.shows("live")
        dashboard_of(it).context.submit(batch_request("a sent fox", [text_to_image(text=text)]))
        await it.has_jobs(JobStatus.SUCCEEDED)
        await pick(it, "")
        chosen = str(tmp_path / "fox.png") if from_picture else "a sent fox"
        it.app.screen.query_one("FilterInput").value = chosen  # type: ignore[attr-defined]
        await it.shows("enter takes it" if from_picture else "1 of")
        await it.press("enter")
        expected = r"a \{red|blue\} fox, \__animal__ \<lora:none:1>"
        await it.until(lambda: text_in(it, "prompt") == expected, "the prompt")
        await it.press("f5")
        await it.until(lambda: len(backend.submitted) > 1, "the job once more")
        assert backend.submitted[1]["prompt"]["6"]["inputs"]["text"] == text


async def test_lists_of_a_server_that_was_away_follow_as_soon_as_it_answers() -> None:
    backend = FakeBackend()
    backend.offered = [("Animals", TEMPLATE, editor_txt2img("a fox in the snow"))]
    async with screen(backend) as it:
        await it.shows("live")
        backend.go_down()
        await it.shows("offline")
        await it.press("ctrl+o")
        await it.shows("Templates !")
        await it.press(*"fox")
        backend.is_up = True
        await it.shows("Templates 1")
        await it.shows("1 of ")


async def test_lists_of_another_server_follow_when_it_is_accepted() -> None:
    async with SimServer(QUICK) as sim, screen(sim.url) as it:
        await it.generate("a red fox", images="1")
        await it.has_jobs(JobStatus.SUCCEEDED)
        await it.press("ctrl+o")
        await it.shows("Templates 7  Jobs 1")
        await sim.restart(replace(QUICK, card="NVIDIA GeForce RTX 3060", vram_gib=12, has_workflows=False))
        await it.shows("Switch to this one?")
        await it.press("y")
        await it.shows("Templates 0  Jobs 0")


async def test_an_index_of_templates_that_cannot_be_read_is_said_beside_those_of_packs() -> None:
    backend = FakeBackend()
    lab = TemplateGroup("lab-nodes", (Template("one", "one", "lab-nodes"),))

    async def read() -> tuple[TemplateGroup, ...]:
        return TemplateGroup("ComfyUI", (), "The server has a \x1b[31mfault (500)."), lab

    setattr(backend, "templates", read)  # noqa: B010 - a method to the type checker
    async with screen(backend) as it:
        await pick(it, "")
        await it.shows("Templates 1")
        await it.shows("Not all could be read. ComfyUI: The server has a fault (500).")
        await it.press("right", "right")
        await it.until(lambda: "Not all" not in it.text, "another list")


async def test_lists_that_are_cut_say_so() -> None:
    backend = FakeBackend()
    backend.saved = {f"w{number}.json": 0 for number in range(LIBRARY_LIMIT)}
    async with screen(backend) as it:
        await pick(it, "")
        await it.shows("Saved 20,000")
        await it.shows("No more than the first 20,000 are listed.")
