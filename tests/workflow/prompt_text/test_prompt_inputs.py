"""Which texts of a graph are prompts: those that get into a text encoder as they are."""

from typing import Any

import pytest

from comfytui.workflow.annotations import restore_templates
from comfytui.workflow.field_keys import FieldValue
from comfytui.workflow.graph import workflow_of
from comfytui.workflow.prompt_text.literal import literal_texts
from comfytui.workflow.prompt_text.prompt_inputs import prompt_inputs
from comfytui.workflow.prompt_text.rendering import PromptTextError, PromptTools, check_choices, render
from comfytui.workflow.prompt_text.template_keys import needs_loras, template_keys
from comfytui.workflow.prompt_text.wildcards import NO_WILDCARDS
from tests.workflow.graphs import node
from tests.workflow.graphs.stable_diffusion import sd15

GRAPH: dict[str, Any] = {
    **sd15(),
    "20": node("CLIPTextEncode", text=["21", 0], clip=["4", 1]),
    "21": node("StringConcatenate", string_a=["22", 0], string_b="a hat", delimiter="{,|;}"),
    "22": node("PrimitiveStringMultiline", value="a fox"),
    "23": node("TextGenerate", prompt="describe {a|b}", clip=["4", 1]),
    "24": node("CLIPTextEncode", text=["23", 0], clip=["4", 1]),
    "25": node("SaveImage", images=["8", 0], filename_prefix="{a|b}"),
    "26": node("TextEncodeQwenImageEdit", prompt="a fox", clip=["4", 1]),
    "27": node("CLIPLoader", clip_name="a{b|c}", type="qwen_image"),
}


def rendered(values: dict[str, FieldValue], seed: int = 1) -> Any:
    return render(workflow_of("test", GRAPH), values, seed, PromptTools(loras=("ink.safetensors",)), {})


def test_texts_of_encoders_are_prompts_and_instructions_and_names_are_not() -> None:
    found = prompt_inputs(GRAPH)
    assert {("22", "value"), ("21", "string_b"), ("26", "prompt")} <= found
    assert not {node_id for node_id, _ in found} & {"23", "24", "25", "27", "4"}
    assert ("21", "delimiter") not in found


def test_any_value_is_searched() -> None:
    looped = {"1": node("CLIPTextEncode", text=["2", 0]), "2": node("Reroute", value=["2", 0])}
    assert prompt_inputs(looped) == prompt_inputs([]) == prompt_inputs({"1": 3}) == frozenset()


def test_variations_of_a_nodes_prompt_are_expanded_and_kept() -> None:
    template = "a {red|blue} fox"
    graph = rendered({"22.value": template, "25.filename_prefix": template, "23.prompt": template})
    assert graph["22"]["inputs"]["value"] in {"a red fox", "a blue fox"}
    assert graph["25"]["inputs"]["filename_prefix"] == graph["23"]["inputs"]["prompt"] == template
    assert restore_templates(graph)["22"]["inputs"]["value"] == template


def test_lora_tag_of_a_nodes_prompt_is_loaded() -> None:
    values: dict[str, FieldValue] = {"26.prompt": "a fox <lora:ink:0.5>"}
    assert needs_loras(workflow_of("test", GRAPH), values)
    graph = {**GRAPH, "3": {**GRAPH["3"], "inputs": {**GRAPH["3"]["inputs"], "positive": ["26", 0]}}}
    made = render(workflow_of("test", graph), values, 1, PromptTools(loras=("ink.safetensors",)), {})
    assert made["26"]["inputs"]["prompt"] == "a fox"
    assert "LoraLoader" in {each["class_type"] for each in made.values()}


def test_second_prompts_are_templates_too() -> None:
    workflow = workflow_of("test", GRAPH)
    values: dict[str, FieldValue] = {
        "prompt-2": "{a|b}",
        "lyrics": "__x__",
        "steps": 3,
        "model": "a__b__c",
        "prompt": "a",
    }
    assert template_keys(workflow, values) == ["prompt-2", "lyrics"]


def test_nodes_prompt_that_was_sent_as_it_is_can_be_sent_so_again() -> None:
    text = "a {red|blue} fox <lora:ink:0.5>"
    sent = {**GRAPH, "22": node("PrimitiveStringMultiline", value=text), "23": node("TextGenerate", prompt="{a|c}")}
    workflow = workflow_of("test", GRAPH)
    literal = literal_texts(sent, workflow, NO_WILDCARDS)
    assert literal.keys() == {"22.value"}
    assert rendered({"22.value": text, **literal})["22"]["inputs"]["value"] == text
    assert literal_texts(sent, workflow_of("test", sent), NO_WILDCARDS) == {}
    made = rendered({"22.value": "a {red|blue} fox"})
    assert literal_texts(made, workflow, NO_WILDCARDS) == {}


def test_variations_of_a_nodes_prompt_that_would_take_minutes_are_refused() -> None:
    workflow, values = workflow_of("test", GRAPH), {"22.value": "{a|b}" * 1_000}
    check_choices(workflow, values, 10, PromptTools())
    check_choices(workflow, {"25.filename_prefix": "{a|b}" * 1_000}, 1_000, PromptTools())
    with pytest.raises(PromptTextError, match="too many variations"):
        check_choices(workflow, values, 1_000, PromptTools())
