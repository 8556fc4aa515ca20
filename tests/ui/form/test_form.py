"""The prompt form with a server: choices, errors at fields, submission."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from rich.cells import cell_len
from textual.events import Key
from textual.widgets import Select

from comfytui.session.model import JobStatus
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.dashboard.form_actions import FormActions
from comfytui.ui.form.controls import Choice
from comfytui.ui.form.form import PromptForm
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Workflow, workflow_of
from tests.fake_backend import FakeBackend
from tests.sim.graphs import text_to_image
from tests.timings import timings
from tests.ui.screen import screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as server:
        yield server


@pytest.fixture
def server() -> FakeBackend:
    return FakeBackend()


def with_model(name: str) -> Workflow:
    workflow = txt2img()
    loader = workflow.graph["4"]
    return replace(workflow, graph={**workflow.graph, "4": {**loader, "inputs": {"ckpt_name": name}}})


async def test_submit_before_choices_are_read_waits_for_them(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.generate("early bird", images="2")
        await it.shows("2 of 2 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == [QUICK.checkpoints[0]] * 2
        assert "Waiting for the server's" not in it.text


@pytest.mark.parametrize(("status", "text"), [(200, "{}"), (500, None), (200, "<html>")])
async def test_server_without_choices_gets_form_as_it_is(sim: SimServer, status: int, text: str | None) -> None:
    sim.faults.fail(status, "/object_info").text = text
    async with screen(sim.url, size=(120, 40)) as it:
        await it.generate("early bird", images="1")
        await it.shows("The server sent no choices for")
        # An empty name is none of its models, and it says so.
        await it.shows("! Value not in list")
        assert "Waiting for the server's" not in it.text


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [(200, "{}", "Scheduler: the form offers its own."), (500, None, "choices could not be")],
)
async def test_missing_choices_are_reported_if_form_has_its_own(
    sim: SimServer, status: int, text: str | None, said: str
) -> None:
    sim.faults.fail(status, "/object_info").text = text
    async with screen(sim.url, workflow=workflow_of("portrait", text_to_image())) as it:
        await it.shows(said)
        await it.generate("a fox", images="1")
        await it.shows("1 of 1 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == ["sd_xl_base_1.0.safetensors"]


async def test_wait_for_choices_times_out(sim: SimServer) -> None:
    with sim.faults.hold_responses("/object_info"):
        async with screen(sim.url, timings=timings(form={"choices": 0.05})) as it:
            await it.generate("early bird", images="1")
            await it.shows("The server sent no choices for")
            await it.shows("! Value not in list")


async def test_batch_waits_for_choices_while_server_is_away(sim: SimServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[None] = []
    end = FormActions._on_timeout
    is_last = False

    def counted(form: FormActions) -> None:
        ends.append(None)
        if not is_last:
            end(form)

    monkeypatch.setattr(FormActions, "_on_timeout", counted)
    with sim.faults.hold_responses() as away:
        async with screen(sim.url, timings=timings(form={"choices": 0.01})) as it:
            await it.generate("early bird", images="1")
            await it.until(lambda: len(ends) > 1, "the timeout")
            is_last, before = True, len(ends)
            await it.until(lambda: len(ends) > before, "its last end")
            away.end()
            await it.shows("1 of 1 done")
            assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == [QUICK.checkpoints[0]]


async def test_identical_images_are_submitted_with_warning(server: FakeBackend) -> None:
    warning = "All 3 images will be the same"
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.write("images", "3")
        mode = it.app.screen.query_one("#seed-mode", Select)
        assert warning not in it.text
        mode.value = "fixed"
        await it.shows(warning)
        assert not it.app.screen.query(".-wrong")
        mode.value = "increment"
        await it.until(lambda: warning not in it.text, "the warning to go")
        mode.value = "fixed"
        await it.press("f5")
        await it.shows("3 of 3 done")
        await it.write("images", "1")
        await it.until(lambda: warning not in it.text, "the warning to go")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("name", ["portrait", "狐[red]の\x1b[2J絵\u202e" + "夜" * 80], ids=["short", "hostile"])
async def test_workflow_name_is_form_title(server: FakeBackend, size: tuple[int, int], name: str) -> None:
    async with screen(server, size=size, workflow=workflow_of(name, text_to_image())) as it:
        await it.shows("live")
        await it.press("escape", "n")
        await it.shows("Negative")
        title, below = it.text.split("\n")[1:3]
        assert title.startswith(f"╭─ Prompt · {'portrait ─' if name == 'portrait' else '狐[red]の絵夜'}")
        assert cell_len(title) == size[0]
        assert title.endswith("╮")
        assert below.split()[1] == "Prompt"


@pytest.mark.parametrize("order", [("width", "height"), ("height", "width")])
async def test_errors_are_below_fields_in_order(server: FakeBackend, order: tuple[str, str]) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        for field in order:
            await it.write(field, "1")
            await it.shows(f"! {field.capitalize()} must be")
        assert it.text.index("Size ") < it.text.index("! Width") < it.text.index("! Height") < it.text.index("Steps ")


async def test_refusal_names_field_in_shared_row(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one(PromptForm).show_refusal(Field.HEIGHT, "Value 8 smaller than min of 16")
        await it.shows("! Height: Value 8 smaller")


async def test_long_choice_list_opens_picker() -> None:
    names = tuple(f"model_{index}.safetensors" for index in range(200_000))
    server = FakeBackend(config=replace(QUICK, checkpoints=names))
    async with screen(server, workflow=with_model(names[-1])) as it:
        await it.until(lambda: it.app.screen.query_one("#model", Choice)._many, "the choices")
        it.app.screen.query_one("#model").focus()
        await it.press("enter")
        await it.shows("200,000")
        assert " model_199998.safetensors" in it.text
        await it.press("escape")
        for key in [*"model_1234.", "enter"]:  # At once, as a fast typist does.
            it.app.post_message(Key(key, key if len(key) == 1 else None))
        await it.until(lambda: it.app.screen.query("#model"), "the picker to close")
        await it.shows("model_1234")
        await it.generate(images="1")
        await it.shows("1 of 1 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in server.submitted] == [names[1234]]


async def test_click_opens_picker_of_long_choice_list() -> None:
    server = FakeBackend(config=replace(QUICK, checkpoints=tuple(f"model_{index}" for index in range(60))))
    async with screen(server, workflow=with_model("model_7")) as it:
        await it.shows("model_7")
        await it.until(lambda: it.app.screen.query_one("#model", Choice)._many, "the choices")
        await it.pilot.click("#model")
        await it.shows("type to find")
        await it.press("down", "enter")
        await it.until(lambda: it.app.screen.query("#model"), "the picker to close")
        assert it.app.screen.query_one("#model", Select).value == "model_8"
        assert it.app.screen.focused is it.app.screen.query_one("#model")


async def test_unknown_model_is_not_submitted(server: FakeBackend) -> None:
    async with screen(server, workflow=with_model("gone.safetensors")) as it:
        await it.shows("'gone.safetensors' is")
        await it.press("f5")
        await it.pilot.pause()
        assert server.submitted == []
        it.app.screen.query_one("#model", Select).value = QUICK.checkpoints[1]
        await it.until(lambda: "not on the server" not in it.text, "the mark to go")
        await it.generate(images="1")
        await it.shows("1 of 1 done")


async def test_refusal_is_cleared_by_next_submit(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        server.nodes = catalogue(replace(QUICK, checkpoints=("other.safetensors",)))
        await it.generate(images="1")
        await it.shows("Value not in list")
        server.nodes = catalogue(QUICK)
        await it.press("f5")
        await it.shows("1 of 1 done")
        assert "! Value not in list" not in it.text


async def test_many_images_need_confirmation(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="1000")
        await it.shows("Queue 1000 images?")
        await it.press("n")
        await it.write("images", "100")
        await it.press("f5")
        await it.shows("Queue 100 images?")
        await it.press("y")
        await it.until(lambda: server.submitted, "the batch")


async def test_cancel_batch_after_confirmation() -> None:
    slow = SimConfig(steps_per_second=5, load_seconds=0)
    async with SimServer(slow) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="6", steps="1000")
        await it.shows("Image 1 of 6 - Step")
        await it.has_jobs(JobStatus.RUNNING, *[JobStatus.QUEUED] * 5)
        await it.press("escape", "end", "X")
        await it.shows("Cancel the remaining 6 images")
        await it.press("y")
        await it.shows("5 removed, 1 interrupted.")
        await it.shows("0 of 6 done, 1 interrupted, 5 cancelled")
        statuses = [job.status for job in it.app.service.state.jobs.values()] if it.app.service else []
        assert statuses == [JobStatus.INTERRUPTED] + [JobStatus.CANCELLED] * 5
