"""The form's list of inputs: those that matter, and every input of every node, edited with keys."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.color import Color
from textual.events import Paste
from textual.widgets import TextArea

from comfytui.comfy.errors import ServerError
from comfytui.comfy.protocol.library import ServerFile
from comfytui.sim.catalogue.node_types import NodeType
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.drafts import DraftFolder
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.input_controls import InputFilter
from comfytui.ui.form.input_help import help_text
from comfytui.ui.form.input_list import InputList
from comfytui.ui.form.input_rows import Heading, Item, Row
from comfytui.ui.form.input_values import InputValues
from comfytui.ui.form.workflow_inputs import WorkflowInputs
from comfytui.ui.screens.text import TextScreen
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.graph import Workflow, apply_values, workflow_of
from comfytui.workflow.input_specs import InputSpec, Upload
from comfytui.workflow.nodes import Slot
from tests.fake_backend import FakeBackend
from tests.ui.screen import Screen, screen


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def with_nodes(**nodes: dict[str, Any]) -> Workflow:
    """The built-in workflow with other nodes."""
    return workflow_of("mine", {**txt2img().graph, **nodes})


def with_lora() -> Workflow:
    graph = dict(txt2img().graph)
    graph["10"] = node(
        "LoraLoader",
        lora_name="detail.safetensors",
        strength_model=0.8,
        strength_clip=1.0,
        model=["4", 0],
        clip=["4", 1],
    )
    graph["3"] = {**graph["3"], "inputs": {**graph["3"]["inputs"], "model": ["10", 0]}}
    graph["6"] = node("CLIPTextEncode", text="", clip=["10", 1])
    return workflow_of("lora", graph)


OTHER = with_nodes(
    **{
        "20": node("MyNode", size=3, ratio=0.5, fast=True, tint="#ff0000", note="one"),
        "21": node("Second node", text="two\nlines", weight=7),
    }
)


def inputs(it: Screen) -> InputList:
    return it.app.screen.query_one(InputList)


def line(it: Screen, label: str) -> str:
    """The line on the screen that begins with a label."""
    # The line of help below the list may begin with the label, too.
    return next(each for each in it.text.splitlines() if label in each[:34])


async def to_item(it: Screen, key: str) -> None:
    """Open what has to be open, and go to a value."""
    inputs(it).focus()
    await it.pilot.pause()
    if not inputs(it).select_item(key):
        await it.press("end")
        if isinstance(inputs(it).current, Heading):
            await it.press("right")
        for heading in [each for each in inputs(it).lines if isinstance(each, Heading) and not each.is_open]:
            inputs(it).post_message(InputList.Toggled(heading, True))
        await it.pilot.pause()
        assert inputs(it).select_item(key), list(inputs(it).lines)
    await it.pilot.pause()


def filled_in(it: Screen) -> Any:
    """The graph as the form would send it."""
    form = it.app.screen.query_one(PromptForm)
    values = form.read()
    assert values is not None
    return apply_values(form.workflow, values.values, values.object_info)


async def test_inputs_that_matter_come_first_and_all_others_are_closed() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("▸ All inputs")
        assert "Denoise" in it.text
        assert "MyNode" not in it.text
        inputs(it).focus()
        await it.press("end", "enter")
        await it.shows("▸ MyNode #20")
        await it.shows("▸ Second node #21")
        await it.press("end", "up", "right")
        await it.shows("▾ MyNode #20")
        assert "ratio" in line(it, "ratio")
        await it.press("left")
        await it.until(lambda: "ratio" not in it.text, "the node to close")


@pytest.mark.parametrize(
    ("key", "keys", "expected"),
    [
        ("20.size", ["right", "right", "left"], 4),
        ("20.size", ["shift+right"], 13),
        ("20.size", ["plus", "plus", "minus"], 4),
        ("20.size", [*"42", "enter"], 42),
        ("20.size", ["enter", "backspace", *"12", "down"], 12),
        ("20.size", ["enter", *"99", "escape"], 3),
        ("20.ratio", ["right"], 0.6),
        ("20.ratio", ["enter", "backspace", *"75", "enter"], 0.75),
        ("20.fast", ["space"], False),
        ("20.fast", ["enter", "enter"], True),
        ("20.note", [*"new", "enter"], "new"),
        ("20.note", ["enter", *" more", "tab"], "one more"),
        ("20.size", ["right", "ctrl+r"], 3),
    ],
)
async def test_values_are_edited_in_their_place(key: str, keys: list[str], expected: object) -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, key)
        await it.press(*["space" if each == " " else each for each in keys])
        await it.pilot.pause()
        value = filled_in(it)["20"]["inputs"][key.partition(".")[2]]
        assert value == expected
        assert type(value) is type(expected)


async def test_changed_value_is_marked_and_put_back() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "20.size")
        assert "•" not in line(it, " size")
        await it.press("right")
        assert "•" in line(it, " size")
        await it.shows("Was 3 (ctrl+r).")
        await it.press("ctrl+r")
        assert "•" not in line(it, " size")
        await it.press("right", "left")
        assert "•" not in line(it, " size")


async def test_wrong_value_is_marked_kept_and_not_sent() -> None:
    server = FakeBackend()
    async with screen(server, workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "20.size")
        await it.press(*"many", "enter")
        await it.shows("! size must be a whole number.")
        assert re.search(r"│ !\s*size\s+many", it.text)  # Not by its colour alone.
        await it.press("escape", "f5")
        await it.shows("! size must be a whole number.")
        assert it.app.screen.focused is inputs(it)
        assert server.submitted == []
        await it.press(*"8", "enter")
        assert filled_in(it)["20"]["inputs"]["size"] == 8
        assert re.search(r"│ •\s*size\s+8", it.text)


async def test_drafts_keep_values_of_nodes(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), drafts=drafts, workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "20.size")
        await it.press(*"many", "enter")
        await to_item(it, "denoise")
        await it.press("left")
    async with screen(FakeBackend(), drafts=drafts, workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await it.press("f5")
        await it.shows("! size must be a whole number.")
        await it.press("ctrl+r")
        graph = filled_in(it)
        assert graph["20"]["inputs"]["size"] == 3
        assert graph["3"]["inputs"]["denoise"] == 0.99


async def test_lora_stands_in_one_line_and_is_switched_off() -> None:
    async with screen(FakeBackend(), workflow=with_lora()) as it:
        await it.shows("dreamshaper_8")
        await it.shows("[x] detail")
        await to_item(it, "lora_strength")
        await it.press("plus", "plus")
        await it.shows("0.82")
        await it.press("space")
        await it.shows("[ ] detail")
        await it.press("escape")
        assert filled_in(it)["3"]["inputs"]["model"] == ["4", 0]


async def test_several_values_multiply_the_images() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "20.size")
        await it.press(*"1..3", "enter")
        await it.shows("Generate 12 (4 × 3)")
        await it.shows("3 values: an")
        await to_item(it, "denoise")
        await it.press(*"0.5,", "space", *"0.7", "enter")
        await it.shows("Generate 24 (4 × 2 × 3)")
        values = it.app.screen.query_one(PromptForm).read()
        assert values is not None
        assert values.axes == {"denoise": (0.5, 0.7), "20.size": (1, 2, 3)}
        assert (values.values["denoise"], values.values["20.size"]) == (0.5, 1)


def graphs(server: FakeBackend) -> list[Any]:
    return [each["prompt"] for each in server.submitted]


async def test_several_choices_are_marked_in_a_list() -> None:
    server = FakeBackend()
    workflow = with_nodes(**{"20": node("KSamplerSelect", sampler_name="euler")})
    async with screen(server, workflow=workflow) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "20.sampler_name")
        await it.until(lambda: "to choose from" in it.text, "the choices")
        await it.press(",")
        await it.shows("Several of sampler_name")
        await it.press("down", "space", "enter")
        await it.shows("Generate 8 (4 × 2)")


async def test_choice_that_the_server_lacks_blocks_unless_it_is_switched_off() -> None:
    server = FakeBackend()
    async with screen(server, workflow=with_lora()) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one(PromptForm).update_specs({"lora": InputSpec("choice", options=("other.safetensors",))})
        await it.generate(images="1")
        await it.shows("not on the server")
        assert inputs(it).has_focus
        assert server.submitted == []
        await it.press("space", "f5")
        await it.until(lambda: server.submitted, "the prompt")
        assert graphs(server)[0]["3"]["inputs"]["model"] == ["4", 0]


async def test_choice_of_a_node_is_taken_from_a_picker() -> None:
    server = FakeBackend()
    workflow = with_nodes(**{"20": node("KSamplerSelect", sampler_name="euler")})
    async with screen(server, workflow=workflow) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "20.sampler_name")
        await it.until(lambda: server.definition_requests, "the definitions")
        await it.until(lambda: "to choose from" in it.text, "the choices")
        await it.press(*"dpmpp_2m", "enter")
        await it.until(lambda: it.app.screen.query(InputList), "the picker to close")
        assert "dpmpp_2m" in line(it, "sampler_")


async def test_text_of_several_lines_is_edited_on_a_screen_of_its_own() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "21.text")
        await it.press("enter")
        await it.until(lambda: it.app.screen.query(TextArea) and not it.app.screen.query(InputList), "the screen")
        await it.shows("─ text ─")
        await it.shows("esc takes it")
        await it.press("enter", *"three", "escape")
        await it.until(lambda: it.app.screen.query(InputList), "the form")
        assert filled_in(it)["21"]["inputs"]["text"] == "two\nlines\nthree"


async def test_filter_finds_inputs_by_node_and_name() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("dreamshaper_8")
        await it.press("ctrl+f", *"second", "space", *"wei")
        await it.shows("▾ Second node #21")
        rows = [each for each in inputs(it).lines if isinstance(each, Row)]
        assert [row.items[0].key for row in rows] == ["21.weight"]
        await it.press("enter", "end", "right")
        assert "8" in line(it, "weight")
        await it.press("ctrl+f", "escape")
        await it.shows("Denoise")
        assert it.app.screen.focused is inputs(it)


async def test_promoted_inputs_are_open_from_the_start() -> None:
    promoted = replace(OTHER, promoted=(Slot("20", "size", "MyNode"),))
    async with screen(FakeBackend(), workflow=promoted) as it:
        await it.shows("▾ Workflow inputs")
        assert "3" in line(it, " size")


async def test_promoted_inputs_tell_which_nodes_they_are_of() -> None:
    def titled(title: str, **values: Any) -> dict[str, Any]:
        return {**node("MyNode", **values), "_meta": {"title": title}}

    workflow = with_nodes(
        **{"20": titled("First", size=3), "21": titled("Second", size=4), "22": titled("Fast?", value=True)}
    )
    promoted = (Slot("20", "size", "MyNode"), Slot("21", "size", "MyNode"), Slot("22", "value", "MyNode"))
    async with screen(FakeBackend(), workflow=replace(workflow, promoted=promoted), size=(200, 60)) as it:
        await it.shows("dreamshaper_8")
        await it.shows("▾ Workflow inputs")
        assert "3" in line(it, "size · First")
        assert "4" in line(it, "size · Second")
        assert "[x] on" in line(it, "Fast?")
        await it.press("ctrl+f", *"second")
        await it.until(lambda: "size · First" not in it.text, "the filtered list")
        rows = [each for each in inputs(it).lines if isinstance(each, Row)]
        assert [row.items[0].key for row in rows] == ["21.size"]


async def test_refused_value_shows_the_server_error() -> None:
    server = FakeBackend()
    async with screen(server, workflow=with_picture()) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="1")
        await it.shows("Invalid image file")
        item = inputs(it).current_item
        assert item is not None
        assert item.key == "image"


class Uploads(FakeBackend):
    """A server that holds an upload up until it may go on."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.go_on = False
        self.cancelled = False
        self.error = error

    async def upload(self, source: Any, name: str, report: Any = None, **_: Any) -> ServerFile:
        report(25, 100)
        try:
            while not self.go_on:  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        return await super().upload(source, f"new {name}", report)


def with_picture() -> Workflow:
    return with_nodes(**{"20": node("LoadImage", image="old.png"), "21": node("PreviewImage", images=["20", 0])})


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a cat.png"
    path.write_bytes(b"png")
    return path


async def test_upload_shows_its_progress_and_takes_the_name_of_the_server(picture: Path) -> None:
    server = Uploads()
    async with screen(server, workflow=with_picture()) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "image")
        it.app.post_message(Paste(str(picture)))
        await it.shows("25 % Uploading")
        server.go_on = True
        await it.until(lambda: "new a cat.png" in line(it, "Image "), "the server's name")
        assert filled_in(it)["20"]["inputs"]["image"] == "new a cat.png"


async def test_upload_is_cancelled(picture: Path) -> None:
    server = Uploads()
    async with screen(server, workflow=with_picture()) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "image")
        it.app.post_message(Paste(f"'{picture}'"))
        await it.shows("cancels it.")
        await it.press("ctrl+r")
        await it.shows("cancelled.")
        assert server.cancelled
        assert filled_in(it)["20"]["inputs"]["image"] == "old.png"


async def test_upload_ends_when_another_file_is_named(picture: Path) -> None:
    server = Uploads()
    other = picture.with_name("a dog.png")
    other.write_bytes(b"mine")
    async with screen(server, workflow=with_picture()) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "image")
        it.app.post_message(Paste(str(picture)))
        await it.shows("25 % Uploading")
        it.app.post_message(Paste(str(other)))
        await it.until(lambda: server.cancelled, "the end of the first upload")
        server.go_on = True
        await it.until(lambda: "new a dog.png" in line(it, "Image "), "the second file")


async def test_nothing_is_queued_while_a_file_is_uploaded(picture: Path) -> None:
    server = Uploads()
    async with screen(server, workflow=with_picture()) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "image")
        it.app.post_message(Paste(str(picture)))
        await it.shows("25 % Uploading")
        await it.press("f5")
        await it.shows("still being uploaded")
        assert it.app.service
        assert not it.app.service.state.jobs
        server.go_on = True
        await it.until(lambda: "new a cat.png" in line(it, "Image "), "the server's name")
        assert not inputs(it).has_class("-wrong")
        await it.press("f5")
        await it.until(lambda: it.app.service and it.app.service.state.jobs, "the batch")


async def test_upload_that_fails_says_why(picture: Path) -> None:
    server = Uploads(ServerError("The server takes files of up to 100 MB."))
    server.go_on = True
    async with screen(server, workflow=with_picture()) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "image")
        it.app.post_message(Paste(str(picture)))
        await it.shows("takes files")
        assert "old.png" in line(it, "Image ")


async def test_text_of_several_lines_is_kept_when_the_program_ends_while_it_is_edited(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), workflow=OTHER, drafts=drafts) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "21.text")
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, TextScreen), "the text")
        await it.press("x", "y")
        await it.press("ctrl+q")
    assert drafts.read(OTHER)["21.text"] == "two\nlinesxy"


def test_headings_of_nodes_are_safe_to_print_whatever_their_ids_are() -> None:
    hostile = with_nodes(**{"\x1b[31m7\u202e\n" + "8" * 1000: node("MyNode", size=3)})
    titles = [section.title for section in WorkflowInputs(hostile).nodes()]
    (title,) = [each for each in titles if each.startswith("MyNode")]
    assert title.startswith("MyNode #7 8888")
    assert len(title) < 60


async def test_three_hundred_inputs_cost_no_widget_and_a_key_renders_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    many = with_nodes(**{str(n): node(f"Node{n}", a=n, b="text", c=0.5) for n in range(100, 200)})
    rendered: list[int] = []
    render = InputList.render_row

    def counted(self: InputList, index: int, width: int) -> Any:
        rendered.append(index)
        return render(self, index, width)

    async with screen(FakeBackend(), workflow=many) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "199.c")
        assert len(it.app.screen.query("PromptForm *")) < 70
        assert len(inputs(it).lines) > 300
        assert inputs(it).size.height == len(inputs(it).lines)
        monkeypatch.setattr(InputList, "render_row", counted)
        await it.press("up")
        assert 0 < len(rendered) < 2 * it.app.size.height


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_cursor_and_help_stay_in_view(size: tuple[int, int]) -> None:
    many = with_nodes(**{str(n): node(f"Node{n}", a=n) for n in range(100, 140)})
    async with screen(FakeBackend(), size, workflow=many) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "139.a")
        await it.press("right")
        await it.shows("Was 139 (ctrl+r).")
        assert "140" in it.text
        await it.press("home")
        await it.until(lambda: "Denoise" in it.text, "the first line")


async def test_another_choice_is_sent_with_the_inputs_of_its_branch() -> None:
    branches = [
        {"key": "auto", "inputs": {"required": {}}},
        {"key": "mp4", "inputs": {"required": {"codec": [["h264", "av1"]], "crf": ["INT", {"default": 20}]}}},
    ]
    backend = FakeBackend()
    save = NodeType(
        "SaveClip", None, "video", (), {"format": ("COMFY_DYNAMICCOMBO_V3", {"options": branches})}, is_output=True
    )
    backend.described = {**backend.described, "SaveClip": save}
    async with screen(backend, workflow=with_nodes(**{"20": node("SaveClip", format="auto")})) as it:
        await it.shows("live")
        await to_item(it, "20.format")
        await it.press("enter", "m", "p", "4", "enter")
        await it.until(lambda: filled_in(it)["20"]["inputs"]["format"] == "mp4", "the choice")
        assert filled_in(it)["20"]["inputs"] == {"format": "mp4", "format.codec": "h264", "format.crf": 20}


async def test_inputs_that_matter_stand_above_the_button_which_stays_in_view() -> None:
    async with screen(FakeBackend(), (120, 40), workflow=with_lora()) as it:
        await it.shows("[x] detail")
        lines = it.text.splitlines()
        places = [next(at for at, each in enumerate(lines) if text in each) for text in ("Images", "[x]", "▸ All")]
        button = next(at for at, each in enumerate(lines) if "Generate  F5" in each)
        assert places == sorted(places)
        assert places[-1] < button
    many = with_nodes(**{str(n): node(f"Node{n}", a=n) for n in range(100, 140)})
    async with screen(FakeBackend(), (80, 24), workflow=many) as it:
        await it.shows("live")
        await it.shows("Generate  F5")
        await to_item(it, "139.a")
        await it.shows("Generate  F5")
        await it.press("home", "tab")
        assert it.app.screen.focused is it.app.screen.query_one("#generate")
        await it.press("shift+tab", "shift+tab")
        assert it.app.screen.focused is it.app.screen.query_one("#images")
        await it.shows("Images")


async def test_filter_stays_at_the_top_with_what_it_finds_below_it() -> None:
    async with screen(FakeBackend(), (80, 24), workflow=OTHER) as it:
        await it.shows("live")
        await it.press("ctrl+f", *"second")
        await it.shows("▾ Second node #21")
        lines = it.text.splitlines()
        assert next(at for at, each in enumerate(lines) if "second" in each) < 5
        assert line(it, "weight")
        await it.press("escape")
        await it.until(lambda: "second" not in it.text, "the filter to close")
        await it.until(lambda: it.app.screen.focused is it.app.screen.query_one("#prompt"), "the prompt")
        await it.shows("Scheduler")


async def test_filter_keeps_the_focus_before_it_is_laid_out() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("live")
        dashboard = it.app.screen
        assert isinstance(dashboard, Dashboard)
        search = dashboard.query_one(InputFilter)
        search.display = True
        dashboard.set_focus(search)
        assert not search.region.area
        # As after a resize.
        dashboard._pages.focus_visible()
        await it.press(*"second")
        assert dashboard.focused is search
        assert search.value == "second"


async def test_letters_after_the_key_of_the_filter_go_there_whatever_else_looks_after_the_focus() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("live")
        dashboard = it.app.screen
        assert isinstance(dashboard, Dashboard)
        dashboard.set_focus(None)
        dashboard.action_find_input()
        # As after a resize that comes before the next message.
        dashboard._pages.focus_visible()
        await it.press(*"second")
        assert dashboard.query_one(InputFilter).value == "second"
        assert "second" not in dashboard.query_one("#prompt", TextArea).text


async def test_cursor_stands_on_the_first_match_after_each_letter() -> None:
    both = with_nodes(**{"30": node("MyNode", tint=3, weight=1), "31": node("MyNode", tint=4, weight=2)})
    async with screen(FakeBackend(), workflow=both) as it:
        await it.shows("live")
        await to_item(it, "31.tint")

        def at() -> str:
            item = inputs(it).current_item
            return item.key if item else ""

        await it.press("ctrl+f", *"tin")
        await it.until(lambda: at() == "30.tint", "the first match")
        await it.press(*["backspace"] * 3, *"weight")
        await it.until(lambda: at() == "30.weight", "the first match")
        await it.press("down", "right")
        assert filled_in(it)["30"]["inputs"]["weight"] == 2


async def test_escape_in_the_filter_goes_back_to_where_the_focus_was() -> None:
    async with screen(FakeBackend(), (80, 24), workflow=OTHER) as it:
        await it.shows("live")
        await it.press("ctrl+f", *"wei", "escape")
        await it.until(lambda: it.app.screen.focused is it.app.screen.query_one("#prompt"), "the prompt")
        await it.press("x")
        assert "x" in it.app.screen.query_one("#prompt", TextArea).text
        await it.press("ctrl+f", *"wei", "down", "ctrl+f", "escape")
        await it.until(lambda: it.app.screen.focused is inputs(it), "the list, where a match was")


async def test_filter_leads_to_the_fields_above_or_says_that_nothing_matches() -> None:
    async with screen(FakeBackend(), workflow=OTHER) as it:
        await it.shows("live")
        await it.press("ctrl+f", *"cfgs")
        await it.shows("Nothing matches 'cfgs'.")
        await it.press("backspace")
        await it.shows("↑ CFG · KSampler")
        await it.press("enter")
        await it.until(lambda: it.app.screen.focused is it.app.screen.query_one("#cfg"), "the field")
        await it.shows("▸ All inputs")
        await it.press("ctrl+f", *"cf", "down", "enter")
        await it.until(lambda: it.app.screen.focused is it.app.screen.query_one("#cfg"), "the field")


async def test_labels_are_whole_where_values_leave_room_and_help_names_what_is_cut() -> None:
    name = "a very long name of a picture that no list shows whole.png"
    graph = with_nodes(**{"20": node("LoadImage", image=name), "21": node("PreviewImage", images=["20", 0])})
    async with screen(FakeBackend(), workflow=graph) as it:
        await it.shows("live")
        assert "Filename prefix" in it.text
        await to_item(it, "image")
        item = inputs(it).current_item
        assert item is not None
        # The error about a missing file would come first.
        missing = help_text(item, inputs(it).values, whole=inputs(it).is_current_cut)
        assert missing.startswith("! ")
        listed = replace(item, spec=InputSpec("file"))
        assert help_text(listed, inputs(it).values, whole=True).startswith(f"Image: {name}.")
        assert inputs(it).is_current_cut
        await to_item(it, "filename_prefix")
        assert not inputs(it).is_current_cut


async def test_help_of_a_file_says_how_to_upload_one_and_of_a_lora_which_number_it_is() -> None:
    async with screen(FakeBackend(), workflow=with_lora()) as it:
        await it.shows("live")
        await to_item(it, "lora_strength")
        await it.shows("LoRA strength:")
        await it.press("right")
        await it.shows("LoRA clip strength:")
    item = Item("image", "Image", InputSpec("file", options=("a.png",), upload=Upload("image")), "a.png")
    assert "enter chooses a file or uploads one" in help_text(item, InputValues({}))


async def test_upload_under_the_same_name_ends_an_earlier_error(picture: Path) -> None:
    server = Uploads()
    server.go_on = True
    workflow = with_nodes(
        **{"20": node("LoadImage", image="new a cat.png"), "21": node("PreviewImage", images=["20", 0])}
    )
    async with screen(server, workflow=workflow) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "image")
        it.app.post_message(Paste("/nowhere/at all.png"))
        await it.shows("There is no file")
        it.app.post_message(Paste(str(picture)))
        await it.until(lambda: "There is no file" not in it.text, "the end of the error")


async def test_name_beside_a_number_that_is_edited_stands_apart_from_it() -> None:
    long = with_lora()
    nodes = dict(long.graph)
    nodes["10"] = {**nodes["10"], "inputs": {**nodes["10"]["inputs"], "lora_name": "detail_tweaker_of_a_long_name"}}
    async with screen(FakeBackend(), workflow=workflow_of("lora", nodes)) as it:
        await it.shows("dreamshaper_8")
        await to_item(it, "lora_strength")
        await it.press(*"0.5")
        await it.shows("… 0.5")


async def test_choice_that_is_missing_names_the_nearest_one() -> None:
    older = with_nodes(**{"4": node("CheckpointLoaderSimple", ckpt_name="dreamshaper_7.safetensors")})
    async with screen(FakeBackend(), workflow=older) as it:
        await it.shows("there is")
        await it.shows("'dreamshaper_8.safetensors'")


async def test_colour_has_a_swatch_and_is_readable_without_colours() -> None:
    backend = FakeBackend()
    mine = NodeType("MyNode", None, "image", (), {"tint": ("COLOR", {"default": "#ffffff"})}, is_output=True)
    backend.described = {**backend.described, "MyNode": mine}
    tinted = with_nodes(**{"20": node("MyNode", tint="#12ab9f")})
    async with screen(backend, workflow=tinted, ascii=True) as it:
        await it.shows("live")
        await to_item(it, "20.tint")
        await it.press("up")
        await it.until(lambda: "## #12ab9f" in line(it, "tint"), "the swatch, in ASCII")
        at = next(at for at, each in enumerate(inputs(it).lines) if isinstance(each, Row) and each.label == "tint")
        (drawn,) = [part for part in inputs(it).render_row(at, 40) if part.text == "██"]
        assert drawn.style
        assert drawn.style.color == Color.parse("#12ab9f")
        await it.press("down", "enter", *["backspace"] * 3, *"000", "enter")
        assert filled_in(it)["20"]["inputs"]["tint"] == "#12a000"
