"""The prompt form on a server: it waits for choices, and what is said against a field goes when it is mended."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from rich.cells import cell_len
from textual.widgets import Select

from comfytui.session.model import JobStatus
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.dashboard.form_actions import FormActions
from comfytui.ui.form.form import PromptForm
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Workflow, workflow_of
from comfytui.workflow.input_specs import MAX_OPTIONS
from tests.sim.graphs import text_to_image
from tests.ui.screen import screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as server:
        yield server


def with_model(name: str) -> Workflow:
    workflow = txt2img()
    loader = workflow.graph["4"]
    return replace(workflow, graph={**workflow.graph, "4": {**loader, "inputs": {"ckpt_name": name}}})


async def test_f5_before_the_servers_choices_are_read_waits_for_them(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.generate("early bird", images="2")
        await it.shows("2 of 2 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == [QUICK.checkpoints[0]] * 2
        assert "Waiting for the server's" not in it.text


@pytest.mark.parametrize(("status", "text"), [(200, "{}"), (500, None), (200, "<html>")])
async def test_a_server_that_names_no_choices_gets_what_the_form_has(
    sim: SimServer, status: int, text: str | None
) -> None:
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
async def test_a_server_that_names_no_choices_says_so_where_the_form_has_some(
    sim: SimServer, status: int, text: str | None, said: str
) -> None:
    sim.faults.fail(status, "/object_info").text = text
    async with screen(sim.url, workflow=workflow_of("portrait", text_to_image())) as it:
        await it.shows(said)
        await it.generate("a fox", images="1")
        await it.shows("1 of 1 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == ["sd_xl_base_1.0.safetensors"]


async def test_choices_that_never_come_are_waited_for_a_few_seconds(
    sim: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comfytui.ui.dashboard.form_actions.CHOICES_TIMEOUT", 0.05)
    with sim.faults.hold_answers("/object_info"):
        async with screen(sim.url) as it:
            await it.generate("early bird", images="1")
            await it.shows("The server sent no choices for")
            await it.shows("! Value not in list")


async def test_a_batch_waits_for_choices_for_as_long_as_the_server_is_away(
    sim: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[None] = []
    end = FormActions._on_timeout

    def counted(form: FormActions) -> None:
        ends.append(None)
        end(form)

    monkeypatch.setattr(FormActions, "_on_timeout", counted)
    monkeypatch.setattr("comfytui.ui.dashboard.form_actions.CHOICES_TIMEOUT", 0.01)
    with sim.faults.hold_answers() as away:
        async with screen(sim.url) as it:
            await it.generate("early bird", images="1")
            await it.until(lambda: len(ends) > 1, "the timeout")
            monkeypatch.setattr("comfytui.ui.dashboard.form_actions.CHOICES_TIMEOUT", 60.0)
            before = len(ends)
            await it.until(lambda: len(ends) > before, "its last end")
            away.end()
            await it.shows("1 of 1 done")
            assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == [QUICK.checkpoints[0]]


async def test_images_that_would_all_be_the_same_are_warned_about_and_sent(sim: SimServer) -> None:
    warning = "All 3 images will be the same"
    async with screen(sim.url) as it:
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
async def test_the_name_of_the_workflow_stands_above_the_form(sim: SimServer, size: tuple[int, int], name: str) -> None:
    async with screen(sim.url, size=size, workflow=workflow_of(name, text_to_image())) as it:
        await it.shows("live")
        await it.press("escape", "n")
        await it.shows("Negative")
        title, below = it.text.split("\n")[1:3]
        assert title.startswith(f"╭─ Prompt · {'portrait ─' if name == 'portrait' else '狐[red]の絵夜'}")
        assert cell_len(title) == size[0]
        assert title.endswith("╮")
        assert below.split()[1] == "Prompt"


@pytest.mark.parametrize("order", [("width", "height"), ("height", "width")])
async def test_what_is_wrong_stands_below_its_field_in_the_fields_order(sim: SimServer, order: tuple[str, str]) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        for field in order:
            await it.write(field, "1")
            await it.shows(f"! {field.capitalize()} must be")
        assert it.text.index("Size ") < it.text.index("! Width") < it.text.index("! Height") < it.text.index("Steps ")


async def test_a_refusal_names_the_field_where_two_share_a_row(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one(PromptForm).show_refusal(Field.HEIGHT, "Value 8 smaller than min of 16")
        await it.shows("! Height: Value 8 smaller")


async def test_of_countless_choices_the_first_are_shown_and_the_rest_is_counted() -> None:
    names = [f"model_{index}.safetensors" for index in range(MAX_OPTIONS + 500)]
    own = with_model(names[-1])
    async with SimServer(replace(QUICK, checkpoints=tuple(names))) as sim, screen(sim.url, workflow=own) as it:
        await it.shows(f"The first {MAX_OPTIONS:,} of")
        await it.generate(images="1")
        await it.shows("1 of 1 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == [names[-1]]


async def test_a_model_that_the_server_lacks_is_not_sent(sim: SimServer) -> None:
    async with screen(sim.url, workflow=with_model("gone.safetensors")) as it:
        await it.shows("'gone.safetensors' is")
        await it.press("f5")
        await it.pilot.pause()
        assert sim.submitted == []
        it.app.screen.query_one("#model", Select).value = QUICK.checkpoints[1]
        await it.until(lambda: "not on the server" not in it.text, "the mark to go")
        await it.generate(images="1")
        await it.shows("1 of 1 done")


async def test_a_refusal_at_a_field_goes_with_the_next_batch(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        sim.submissions.nodes = catalogue(replace(QUICK, checkpoints=("other.safetensors",)))
        await it.generate(images="1")
        await it.shows("Value not in list")
        sim.submissions.nodes = catalogue(QUICK)
        await it.press("f5")
        await it.shows("1 of 1 done")
        assert "! Value not in list" not in it.text


async def test_many_images_are_asked_about(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="1000")
        await it.shows("Queue 1000 images?")
        await it.press("n")
        await it.write("images", "100")
        await it.press("f5")
        await it.shows("Queue 100 images?")
        await it.press("y")
        await it.until(lambda: sim.submitted, "the batch")


async def test_a_whole_batch_is_cancelled_after_a_question() -> None:
    slow = SimConfig(steps_per_second=5, load_seconds=0)
    async with SimServer(slow) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="6", steps="1000")
        await it.shows("Image 1 of 6 - Step")
        await it.press("escape", "end", "X")
        await it.shows("Cancel the remaining 6 images")
        await it.press("y")
        await it.shows("5 removed, 1 interrupted.")
        await it.shows("0 of 6 done, 1 interrupted, 5 cancelled")
        statuses = [job.status for job in it.app.service.state.jobs.values()] if it.app.service else []
        assert statuses == [JobStatus.INTERRUPTED] + [JobStatus.CANCELLED] * 5
