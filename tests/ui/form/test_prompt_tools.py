"""The tools of a prompt: weights, completion, another editor, the whole screen, and what its variations become."""

import asyncio
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual._xterm_parser import XTermParser

from comfytui.sim.server import SimServer
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.external_editor import EditorError, edit_text, editor_command
from comfytui.ui.form.completion_list import CompletionList
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.input_list import InputList
from comfytui.ui.form.prompt_area import PromptArea
from comfytui.ui.screens.text import TextScreen
from comfytui.workflow.graph import workflow_of
from comfytui.workflow.prompt_text.completion import Kind, Query
from tests.fake_backend import FakeBackend
from tests.sim.graphs import two_seeds
from tests.timings import FAST, timings
from tests.ui.screen import PATIENT, Screen, screen
from tests.workflow.graphs import stable_diffusion

TAGS = '1girl,0,900,"girl"\nblue_eyes,0,500\nblue_sky,0,700\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "wildcards").mkdir()
    (tmp_path / "wildcards/animal.txt").write_text("fox\nowl\n")
    (tmp_path / "tags.csv").write_text(TAGS)
    return tmp_path


def prompt_of(it: Screen) -> PromptArea:
    return it.app.screen.query_one("#prompt", PromptArea)


async def opened_list(it: Screen) -> CompletionList:
    await it.until(lambda: any(each.is_open for each in it.app.screen.query(CompletionList)), "the list")
    return it.app.screen.query_one(CompletionList)


async def test_weight_keys_change_the_word_at_the_cursor_and_can_be_undone() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a fox")
        await it.press("ctrl+up")
        assert prompt_of(it).text == "a (fox:1.05)"
        await it.press("alt+up", "ctrl+down", "alt+down")
        assert prompt_of(it).text == "a fox"
        assert prompt_of(it).selected_text == "fox"
        await it.press("ctrl+up")
        prompt_of(it).undo()
        assert prompt_of(it).text == "a fox"


async def test_palette_changes_the_weight_at_the_cursor() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a fox")
        for name, text in (("raise the weight", "a (fox:1.05)"), ("lower the weight", "a fox")):
            await it.press("ctrl+p", *("space" if each == " " else each for each in name))
            await it.shows("weight at the cursor")
            await it.press("down", "enter")
            await it.until(lambda: it.app.screen.query("#prompt"), "the form")
            assert prompt_of(it).text == text


async def test_weights_are_left_alone_where_the_encoder_reads_none() -> None:
    graph = stable_diffusion.hires()
    for node in graph.values():
        if "ckpt_name" in node["inputs"]:
            node["inputs"] |= {"clip_name": "qwen_2.5_vl_7b", "type": "qwen_image"}
    async with screen(FakeBackend(), workflow=workflow_of("qwen", graph)) as it:
        await it.write("prompt", "fox")
        await it.press("ctrl+up")
        await it.shows("reads no weights")
        assert prompt_of(it).text == "fox"


async def test_completion_of_a_wildcard_is_taken_with_tab(files: Path) -> None:
    async with screen(FakeBackend(), prompt_files=files) as it:
        await it.write("prompt", "a __an")
        await it.shows("animal")
        await it.press("tab")
        assert prompt_of(it).text == "a __animal__"
        assert prompt_of(it).has_focus


async def test_completion_of_tags_is_moved_and_closed(files: Path) -> None:
    async with screen(FakeBackend(), prompt_files=files) as it:
        await it.write("prompt", "blu")
        await it.shows("blue eyes  500")
        assert it.text.index("blue sky") < it.text.index("blue eyes")
        await it.press("down", "tab")
        assert prompt_of(it).text == "blue eyes, "
        await it.press("g", "i", "r")
        await it.shows("1girl")
        await it.press("escape")
        await it.until(lambda: "1girl" not in it.text, "the list to close")
        assert prompt_of(it).has_focus
        await it.press("enter")
        assert prompt_of(it).text == "blue eyes, gir\n"


@pytest.mark.parametrize("lines", [2, 21])
async def test_the_list_leaves_the_line_of_the_cursor_free(files: Path, lines: int) -> None:
    async with screen(FakeBackend(), size=(80, 24), prompt_files=files) as it:
        await it.write("prompt", "")
        await it.press("alt+z", *["enter"] * lines, *"fox_and_owl, blue")
        completions = await opened_list(it)
        await it.until(lambda: completions.region.height == 2, "the list")
        area = it.app.screen.query_one(PromptArea)
        row = area.cursor_screen_offset.y
        assert completions.region.y == (row + 1 if lines == 2 else row - 2)
        assert "fox_and_owl, blue" in it.text


async def test_completion_without_any_files_types_on() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "blue __x embedding:y")
        assert prompt_of(it).text == "blue __x embedding:y"


async def test_changed_files_are_read_again_while_typing(files: Path) -> None:
    soon = timings(PATIENT, form={"completions": 0.0})
    async with screen(FakeBackend(), prompt_files=files, timings=soon) as it:
        await it.write("prompt", "blu")
        await it.shows("blue eyes  500")
        (files / "tags.csv").write_text("blue_moon,0,9\n")
        await it.press("e")
        await it.shows("blue moon  9")
        assert "blue eyes" not in it.text
        await it.write("prompt", "a __an")
        await it.shows("animal")
        (files / "wildcards/ancient.txt").write_text("temple\n")
        await it.press("c")
        await it.shows("ancient")
        await it.press("escape")
        (files / "wildcards/anchor.txt").write_text("rusty\n")
        prompt_of(it).complete()
        sources = prompt_of(it).sources
        assert sources is not None
        await it.until(lambda: sources.find(Query(Kind.WILDCARD, "anch", 0)), "the wildcard")
        assert "anchor" not in it.text


async def test_names_of_the_server_are_read_again_after_it_came_back() -> None:
    backend = FakeBackend()
    backend.embedded = ("old_hands",)
    async with screen(backend, timings=FAST) as it:
        await it.shows("live")
        await it.write("prompt", "embedding:")
        await it.shows("old_hands")
        backend.embedded = ("new_hands",)
        await it.write("prompt", "embedding:")
        await it.shows("old_hands")
        backend.go_down()
        await it.until(lambda: "live" not in it.text, "the link to break")
        await it.write("prompt", "embedding:o")
        await it.shows("old_hands")
        backend.is_up = True
        await it.shows("live")
        await it.write("prompt", "embedding:")
        await it.shows("new_hands")
        assert "old_hands" not in it.text


async def test_letters_typed_among_200_000_tags_are_all_there(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text("".join(f"long_hair_{number},0,{number}\n" for number in range(200_000)))
    async with screen(FakeBackend(), prompt_files=tmp_path) as it:
        await it.write("prompt", "lo")
        await it.shows("long hair 199999")
        await it.press(*"ng hair 77")
        assert prompt_of(it).text == "long hair 77"
        await it.shows("long hair 77999")
        assert "long hair 199999" not in it.text


async def test_expansions_are_shown_with_their_seeds(files: Path) -> None:
    async with screen(FakeBackend(), prompt_files=files) as it:
        await it.write("seed", "7")
        await it.write("prompt", "a {red|blue} __animal__ __anmial__")
        await it.press("f4")
        await it.shows("10 of this prompt's texts")
        await it.shows("it stays text: __anmial__")
        await it.shows("seed 7")
        assert "a red" in it.text or "a blue" in it.text
        await it.press("escape")
        await it.until(lambda: it.app.screen.query("#prompt"), "the form")
        await it.write("prompt", "a fox")
        await it.press("f4")
        await it.shows("no variations")


async def test_expansions_are_shown_as_they_are_sent(files: Path) -> None:
    async with screen(FakeBackend(), prompt_files=files) as it:
        await it.shows("live")
        name = FakeBackend().models["loras"][0]
        await it.write("prompt", f"a {{red|blue}} fox <lora:{name}:0.8:0.5>")
        await it.press("f4")
        await it.shows(f"LoRA {name} x 0.8, CLIP x 0.5")
        assert "<lora:" not in it.text
        await it.press("escape")
        await it.until(lambda: it.app.screen.query("#prompt"), "the form")
        await it.write("prompt", f"a fox <lora:{name}>")
        await it.press("f4")
        await it.shows("This prompt as it is sent")
        await it.shows(f"LoRA {name} x 1")
        await it.press("escape")
        await it.until(lambda: it.app.screen.query("#prompt"), "the form")
        await it.write("prompt", "a fox <lora:nowhere:1>")
        await it.press("f4")
        await it.shows("LoRA 'nowhere' is not on the")


async def test_fixed_seed_says_that_variations_are_the_same_too() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a fox")
        await it.write("seed", "7")
        await it.write("images", "3")
        await it.shows("All 3 images will be the same:")
        await it.write("prompt", "a {red|blue} fox")
        await it.shows("with the same variations")
        await it.write("prompt", "a red fox")
        await it.shows("All 3 images will be the same:")


async def test_alt_z_as_terminals_send_it_is_no_letter() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a fox")
        parser = XTermParser()
        keys = [*parser.feed("\x1bz")]
        # An escape sequence may follow the escape, until some time is over.
        while not keys:
            await asyncio.sleep(0.01)
            keys += parser.tick()
        for key in keys:
            it.app.post_message(key)
        await it.until(lambda: it.app.screen.query_one(PromptArea).size.height > 30, "the whole screen")
        assert it.app.screen.query_one(PromptArea).text == "a fox"
        await it.press("escape")


async def test_whole_screen_gives_the_text_back() -> None:
    async with screen(FakeBackend(), (80, 24)) as it:
        await it.press("escape", "n")
        await it.write("prompt", "a fox")
        await it.press("alt+z")
        await it.until(lambda: it.app.screen.query_one(PromptArea).size.height > 15, "the whole screen")
        await it.press("space", "x")
        assert it.app.screen.query_one(PromptArea).text == "a fox x"
        await it.press("ctrl+up", "escape")
        await it.until(lambda: it.app.screen.query("#prompt"), "the form")
        assert prompt_of(it).text.endswith("(x:1.05)")


# $EDITOR


def script(folder: Path, body: str) -> list[str]:
    file = folder / "editor.py"
    file.write_text(f"import sys, os\npath = sys.argv[1]\n{body}\n")
    return [sys.executable, str(file)]


def test_the_edited_text_comes_back_from_a_private_file(tmp_path: Path) -> None:
    body = "open(path + '.mode', 'w').write('x'); mode = os.stat(path).st_mode & 0o777\n"
    body += "text = open(path).read(); open(path, 'w').write(f'{text} {mode:o} é\\n')"
    assert edit_text("a fox", script(tmp_path, body)) == "a fox 600 é"
    assert edit_text("a\n", script(tmp_path, "pass")) == "a\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(3)", "ended with code 3"),
        ("os.remove(path)", "was not found"),
        ("open(path, 'wb').write(b'\\xff\\xff')", "not UTF-8"),
        ("open(path, 'wb').write(b'x' * 5_000_000)", "too large"),
    ],
)
def test_an_editor_that_fails_is_one_sentence(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(EditorError, match=message):
        edit_text("a fox", script(tmp_path, body))


def test_visual_comes_before_editor_and_may_have_arguments() -> None:
    assert editor_command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor_command({"EDITOR": "vi"}) == ["vi"]
    with pytest.raises(EditorError, match="quote"):
        editor_command({"EDITOR": "vi '"})
    with pytest.raises(EditorError, match="was not found"):
        edit_text("a", ["/nonexistent/editor"])


async def test_ctrl_e_edits_the_prompt_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = script(tmp_path, "open(path, 'a').write(' in snow')")
    monkeypatch.setenv("VISUAL", " ".join(command))
    async with screen(FakeBackend()) as it:
        monkeypatch.setattr(it.app, "suspend", nullcontext)
        await it.write("prompt", "a fox")
        await it.press("ctrl+e")
        assert prompt_of(it).text == "a fox in snow"
        monkeypatch.setenv("VISUAL", "/nonexistent/editor")
        await it.press("ctrl+e")
        await it.shows("was not found")
        assert prompt_of(it).text == "a fox in snow"
    assert not [name for name in os.listdir(tmp_path) if name.startswith("comfytui-")]  # noqa: PTH208


async def test_lora_is_completed_with_its_trigger_words_and_loaded() -> None:
    async with SimServer() as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.write("prompt", "a fox <lora:")
        await it.until(lambda: any(each.is_open for each in it.app.screen.query(CompletionList)), "the list")
        name = it.app.screen.query_one(CompletionList).entries[0].name
        await it.press("tab")
        assert prompt_of(it).text == f"a fox <lora:{name.removesuffix('.safetensors')}:1>"
        await it.write("images", "1")
        await it.press("f5")
        await it.shows("1 of 1 done")
        job = next(iter(it.app.service.state.jobs.values()))  # type: ignore[union-attr]
        assert job.parameters.prompt == "a fox"
        assert "LoraLoader" in job.classes.values()


async def test_the_template_of_a_further_prompt_is_expanded_although_it_was_not_edited() -> None:
    graph = two_seeds()
    graph["12"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "{red|blue}", "clip": ["4", 1]}}
    graph["11"]["inputs"]["positive"] = ["12", 0]
    backend = FakeBackend()
    async with screen(backend, workflow=workflow_of("two prompts", graph)) as it:
        await it.shows("live")
        await it.generate("a fox", images="1")
        await it.until(lambda: backend.submitted, "the image")
        assert backend.submitted[0]["prompt"]["12"]["inputs"]["text"] in {"red", "blue"}


async def test_the_tools_act_on_the_prompt_under_the_cursor_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = two_seeds()
    graph["12"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "a {red|blue} fox", "clip": ["4", 1]}}
    graph["11"]["inputs"]["positive"] = ["12", 0]
    workflow = workflow_of("two prompts", graph)
    [key] = [key for key, slots in workflow.fields.items() if slots[0].node_id == "12"]
    monkeypatch.setenv("VISUAL", " ".join(script(tmp_path, "open(path, 'a').write(' in snow')")))
    async with screen(FakeBackend(), workflow=workflow) as it:
        monkeypatch.setattr(it.app, "suspend", nullcontext)
        await it.shows("live")
        inputs = it.app.screen.query_one(InputList)
        inputs.focus()
        await it.pilot.pause()
        assert inputs.select_item(key)
        await it.press("f4")
        await it.shows("10 of this prompt's texts")
        assert " red fox" in it.text or " blue fox" in it.text
        await it.press("escape", "ctrl+e")
        await it.shows("a {red|blue} fox in snow")
        await it.press("ctrl+up")
        await it.shows("(snow:1.05)")
        await it.press("f4")
        await it.shows("10 of this prompt's texts")
        await it.press("escape", "escape")
        await it.until(lambda: isinstance(it.app.screen, Dashboard), "the form")
        assert it.app.screen.query_one(PromptForm).texts()[key] == "a {red|blue} fox in (snow:1.05)"
        await it.press("alt+z")
        await it.until(lambda: isinstance(it.app.screen, TextScreen), "the whole screen")
        assert it.app.screen.query_one(PromptArea).text == "a {red|blue} fox in (snow:1.05)"
