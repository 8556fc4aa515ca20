"""Dynamic prompts of the editor's files in a form: shown as templates, and chosen anew for each image."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.service.submission.batch_builder import build_batch
from comfytui.workflow.batch_values import BatchValues
from comfytui.workflow.conversion import workflow_from
from comfytui.workflow.documents import document_from_json
from comfytui.workflow.editor.dynamic_prompts import expand_dynamic_prompt, template_of_dynamic_prompt
from comfytui.workflow.editor.text_replacements import fill_in_dates
from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, node_key
from comfytui.workflow.graph import Graph, Workflow, read_values, workflow_of
from comfytui.workflow.prompt_text.rendering import NO_TOOLS, PromptTools, render
from comfytui.workflow.prompt_text.variations import expand, literal_template, varies
from comfytui.workflow.seeds import SeedMode, SeedRange
from tests.workflow.editor.corpus import NOW, Example, cases, object_info, templates
from tests.workflow.graphs.editor import editor_txt2img, node

Option = TypeVar("Option")
TOOLS = PromptTools(loras=())


class Scripted(Random):
    """Makes the choices of one path through a tree of choices, and knows how many options there were."""

    def __init__(self, path: list[int]) -> None:
        super().__init__(0)
        self.path, self.counts = path, list[int]()

    def choice(self, options: Sequence[Option]) -> Option:  # type: ignore[override]
        self.counts.append(len(options))
        step = len(self.counts) - 1
        return options[self.path[step] if step < len(self.path) else 0]


def all_drawn(text: str) -> set[str]:
    """Return all texts that the editor may send for a text."""
    drawn, paths = set[str](), [list[int]()]
    while paths:
        path = paths.pop()
        rng = Scripted(path)
        drawn.add(expand_dynamic_prompt(text, rng)[0])
        for step in range(len(path), len(rng.counts)):
            taken = [*path, *[0] * (step - len(path))]
            paths += [[*taken, option] for option in range(1, rng.counts[step])]
    return drawn


def opened(document: object) -> Workflow:
    """Return a workflow as the form shows it."""
    return workflow_from(document_from_json(document, "it", "it"), object_info(), NOW, Random(1), keep_choices=True)


def sent(
    workflow: Workflow, values: Mapping[FieldKey, FieldValue] | None = None, seed: int = 5, tools: PromptTools = TOOLS
) -> Graph:
    """Return what is sent of a form with some values changed."""
    graph = render(workflow, {**read_values(workflow), **(values or {})}, seed, tools, {})
    return fill_in_dates(graph, workflow.file_names, NOW)


def inputs_of(graph: Graph) -> dict[str, Any]:
    return {node_id: each["inputs"] for node_id, each in graph.items()}


def with_dynamic_lyrics() -> dict[str, Any]:
    """Return a workflow with a dynamic prompt that is no prompt of the form."""
    workflow = editor_txt2img()
    workflow["nodes"].append(node(20, "TDyn", ["{la|lo|li|lu|le} // refrain", "x"]))
    return workflow


def with_promoted_prompt(text: str) -> dict[str, Any]:
    """Return a workflow whose prompt is the value of a subgraph's input."""
    workflow = editor_txt2img()
    encoder = next(each for each in workflow["nodes"] if each["id"] == 6)
    inner = {
        **encoder,
        "inputs": [
            {"name": "clip", "type": "CLIP", "link": 1},
            {"name": "text", "type": "STRING", "widget": {"name": "text"}, "link": 2},
        ],
        "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": [3]}],
    }

    def link(key: int, origin: int, origin_slot: int, target: int, target_slot: int, kind: str) -> dict[str, Any]:
        ends = {"origin_id": origin, "origin_slot": origin_slot, "target_id": target, "target_slot": target_slot}
        return {"id": key, "type": kind, **ends}

    definition = {
        "id": "s-u-b",
        "name": "Encoding",
        "nodes": [inner],
        "links": [
            link(1, -10, 0, 6, 0, "CLIP"),
            link(2, -10, 1, 6, 1, "STRING"),
            link(3, 6, 0, -20, 0, "CONDITIONING"),
        ],
        "inputs": [
            {"name": "clip", "type": "CLIP", "linkIds": [1]},
            {"name": "text", "type": "STRING", "linkIds": [2]},
        ],
        "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "linkIds": [3]}],
    }
    instance = node(6, "s-u-b", [text], {"clip": 1})
    workflow["nodes"] = [instance if each["id"] == 6 else each for each in workflow["nodes"]]
    return {**workflow, "definitions": {"subgraphs": [definition]}}


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("a {red|blue} car // note", "a {red|blue} car "),
        ("{a|{b|c}} {only}", "{a|{b|c}} only"),
        ("a/* x */ {b|c", "a {b|c}"),
        (r"\{a\|b\} {c|\}\|}", r"\{a|b\} {c|\}\|}"),
        ("cat{ with hat|}", "cat{{1$$} with hat|}"),
        ("{\n/|}", "{{1$$}\n/|}"),
        ("a { red | blue } car", "a { red | blue } car"),
        ("https://x {a|b}", "https:"),
    ],
)
def test_the_form_shows_the_template(text: str, template: str) -> None:
    assert (template_of_dynamic_prompt(text) or expand_dynamic_prompt(text, Random(1))[0]) == template


@given(st.text(alphabet="{}|\\ab /*\n", max_size=14))
def test_a_template_becomes_what_the_editor_may_send(text: str) -> None:
    drawn = all_drawn(text)
    template = template_of_dynamic_prompt(text)
    if template is None:
        return
    for seed in range(5):
        # A space at the start of an option is taken for one that makes the template readable.
        assert expand(template, seed).replace(" ", "") in {each.replace(" ", "") for each in drawn}


@given(st.text(alphabet='{}|\\ab$1:_" ', max_size=20))
def test_any_text_can_be_shown_so_that_it_is_sent_as_it_is(text: str) -> None:
    template = literal_template(text)
    assert not varies(template)
    assert expand(template, 1) == text


@pytest.mark.parametrize("tools", [TOOLS, NO_TOOLS])
@pytest.mark.parametrize("example", [*templates(), *cases()], ids=str)
def test_a_form_that_nobody_edits_sends_what_the_editor_sends(example: Example, tools: PromptTools) -> None:
    document = document_from_json(example.workflow, "it", "it")
    plain = workflow_from(document, object_info(), NOW, Random(1))
    kept = opened(example.workflow)
    if any(each.kind == "random_prompt" for each in plain.findings):
        assert kept.templates
        return
    assert inputs_of(sent(kept, tools=tools)) == inputs_of(plain.graph)


def test_each_image_of_a_batch_has_a_choice_of_its_own() -> None:
    workflow = opened(editor_txt2img("a {red|blue|green|white} fox // of the wood"))
    assert read_values(workflow)[Field.PROMPT] == "a {red|blue|green|white} fox "
    wanted = BatchValues(read_values(workflow), SeedMode.INCREMENT, 20, {Field.SEED: SeedRange(0, 99)}, {})
    for tools in (TOOLS, NO_TOOLS):
        batch, _ = build_batch(workflow, wanted, Random(1), previews=False, tools=tools)
        texts = [graph["6"]["inputs"]["text"] for graph in batch.graphs]
        assert set(texts) == {f"a {colour} fox " for colour in ("red", "blue", "green", "white")}
        assert any(first != second for first, second in pairwise(texts))
        reopened = workflow_of("again", batch.graphs[3])
        assert read_values(reopened)[Field.PROMPT] == "a {red|blue|green|white} fox "
        assert sent(reopened, seed=10, tools=tools)["6"]["inputs"]["text"] == texts[3]


def test_it_is_said_that_images_differ() -> None:
    findings = opened(editor_txt2img("a {red|blue} fox")).findings
    [finding] = [each for each in findings if each.kind == "random_prompt"]
    assert finding.message == "Parts of text in node 6 are drawn at random for each image from what stands in {a|b}."
    assert not finding.blocks


def test_a_text_that_is_given_is_a_template_only_where_variations_are_wanted() -> None:
    workflow = opened(editor_txt2img("a {red|blue} fox"))
    typed: dict[FieldKey, FieldValue] = {Field.PROMPT: "{x|y}"}
    assert sent(workflow, typed, tools=NO_TOOLS)["6"]["inputs"]["text"] == "{x|y}"
    assert sent(workflow, typed)["6"]["inputs"]["text"] in {"x", "y"}


def test_a_dynamic_prompt_that_is_no_field_is_chosen_for_each_image_too() -> None:
    workflow = opened(with_dynamic_lyrics())
    key = node_key("20", "text")
    assert workflow.graph["20"]["inputs"]["text"] == "{la|lo|li|lu|le} "
    for tools in (TOOLS, NO_TOOLS):
        texts = [sent(workflow, seed=seed, tools=tools)["20"]["inputs"]["text"] for seed in range(30)]
        assert set(texts) == {"la ", "lo ", "li ", "lu ", "le "}
    assert sent(workflow, {key: "{x|y}"})["20"]["inputs"]["text"] in {"x", "y"}
    assert sent(workflow, {key: "{x|y}"}, tools=NO_TOOLS)["20"]["inputs"]["text"] == "{x|y}"
    again = workflow_of("again", sent(workflow))
    assert again.graph["20"]["inputs"]["text"] == "{la|lo|li|lu|le} "
    assert sent(again)["20"]["inputs"] == sent(workflow)["20"]["inputs"]


@pytest.mark.parametrize("text", ["a {red|blue} fox", r"\{a|b\}", '{"a": 1} {2$$x|y}'])
def test_the_value_of_a_subgraphs_input_goes_as_it_is(text: str) -> None:
    workflow = opened(with_promoted_prompt(text))
    [slot] = workflow.fields[Field.PROMPT]
    assert slot in workflow.promoted
    for tools in (TOOLS, NO_TOOLS):
        assert inputs_of(sent(workflow, tools=tools))[slot.node_id]["text"] == text
    shown = str(read_values(workflow)[Field.PROMPT])
    assert inputs_of(sent(workflow, {Field.PROMPT: f"{shown}, {{x|x}}"}))[slot.node_id]["text"] == f"{text}, x"


def test_a_file_that_holds_a_prompt_is_left_alone() -> None:
    graph = {"1": {"class_type": "LLM", "inputs": {"question": 'Say {"a": "b|c"} or {x|y} // now'}}}
    assert inputs_of(sent(opened(graph))) == inputs_of(graph)
