"""LoRA tags leave the text and become nodes of the graph."""

from typing import Any

import pytest

from comfytui.workflow.annotations import restore_templates
from comfytui.workflow.graph import workflow_of
from comfytui.workflow.prompt_text.literal import literal_texts
from comfytui.workflow.prompt_text.lora_tags import LoraTag, LoraTagError, match_lora, take_lora_tags
from comfytui.workflow.prompt_text.rendering import PromptTextError, PromptTools, render
from comfytui.workflow.prompt_text.template_keys import needs_loras
from comfytui.workflow.prompt_text.wildcards import NO_WILDCARDS

NAMES = ("styles/ink.safetensors", "Detail_Tweaker.safetensors", "a/same.pt", "b/same.pt", "deep\\wash.safetensors")
GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15"}},
    "2": {"class_type": "CLIPSetLastLayer", "inputs": {"clip": ["1", 1], "stop_at_clip_layer": -2}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["2", 0]}, "_meta": {"title": "Pos"}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["2", 0]}},
    "5": {
        "class_type": "KSampler",
        "inputs": {"model": ["1", 0], "positive": ["3", 0], "negative": ["4", 0], "seed": 7, "latent_image": ["6", 0]},
    },
    "6": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 8, "batch_size": 1}},
    "7": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
}


def rendered(prompt: str, graph: dict[str, Any] = GRAPH, seed: int = 1) -> Any:
    return render(workflow_of("test", graph), {"prompt": prompt}, seed, PromptTools(loras=NAMES), {})


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a cat <lora:ink:0.8>", "a cat"),
        ("a cat, <lora:ink:0.8>", "a cat"),
        ("<lora:ink:0.8> a cat", "a cat"),
        ("<lora:ink:0.8>, a cat", "a cat"),
        ("a cat, <lora:ink:0.8>, a dog", "a cat, a dog"),
        ("a <lora:ink:0.8> cat", "a cat"),
        ("a cat\n<lora:ink:0.8>\na dog", "a cat\n\na dog"),
        ("a <lora:ink:1><lora:ink:1> cat", "a cat"),
        ("<lora:ink:0.8>", ""),
        ("a  cat , b", "a  cat , b"),
    ],
)
def test_a_tag_leaves_the_text_without_a_gap(text: str, rest: str) -> None:
    assert take_lora_tags(text)[0] == rest


def test_strengths_of_model_and_clip() -> None:
    _, tags = take_lora_tags("<lora:a> <lora:b:0.8> <LORA:c:-0.5:.25>")
    assert tags == (LoraTag("a"), LoraTag("b", 0.8, 0.8), LoraTag("c", -0.5, 0.25))


@pytest.mark.parametrize("tag", ["<lora:a:x>", "<lora:a:>", "<lora:a:1:y>", "<lora:a:1e9>", "<lora:a:nan>"])
def test_a_strength_that_is_no_number_is_said(tag: str) -> None:
    with pytest.raises(LoraTagError, match=r"needs a number from -100 to 100"):
        take_lora_tags(tag)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("styles/ink.safetensors", 0),
        ("ink", 0),
        ("INK.safetensors", 0),
        ("styles\\ink", 0),
        ("detail_tweaker", 1),
        ("a/same", 2),
        ("deep/wash", 4),
        ("wash", 4),
    ],
)
def test_a_name_is_found_without_folder_and_extension(name: str, found: int) -> None:
    assert match_lora(name, NAMES) == NAMES[found]


def test_names_that_are_unknown_or_ambiguous_are_said() -> None:
    with pytest.raises(LoraTagError, match="LoRA 'same' may be one of a/same"):
        match_lora("same", NAMES)
    with pytest.raises(LoraTagError, match="LoRA 'inc' is not on the server: the nearest are styles/ink"):
        match_lora("inc", NAMES)
    with pytest.raises(LoraTagError, match="it has none"):
        match_lora("inc", ())


def test_a_tag_becomes_a_node_before_all_that_take_model_and_clip() -> None:
    graph = rendered("a cat <lora:ink:0.8:0.6>")
    assert graph["8"]["class_type"] == "LoraLoader"
    assert graph["8"]["inputs"] == {
        "lora_name": "styles/ink.safetensors",
        "strength_model": 0.8,
        "strength_clip": 0.6,
        "model": ["1", 0],
        "clip": ["1", 1],
    }
    assert graph["2"]["inputs"]["clip"] == ["8", 1]
    assert graph["5"]["inputs"]["model"] == ["8", 0]
    assert graph["7"]["inputs"]["vae"] == ["1", 2]
    assert graph["3"]["inputs"]["text"] == "a cat"


def test_several_tags_are_a_chain_in_their_order() -> None:
    graph = rendered("<lora:ink:1> <lora:wash:1> a cat")
    assert [graph[each]["inputs"]["lora_name"] for each in ("8", "9")] == [NAMES[0], NAMES[4]]
    assert graph["9"]["inputs"]["model"] == ["8", 0]
    assert graph["5"]["inputs"]["model"] == ["9", 0]
    assert graph["2"]["inputs"]["clip"] == ["9", 1]


def test_a_loader_without_a_clip_gets_a_node_for_the_model_only() -> None:
    graph = {
        **GRAPH,
        "3": {"class_type": "TextEncoder", "inputs": {"text": "a"}},
        "4": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["3", 0]}},
    }
    changed = rendered("<lora:ink:0.5>", graph)
    assert changed["8"]["class_type"] == "LoraLoaderModelOnly"
    assert "strength_clip" not in changed["8"]["inputs"]
    assert changed["5"]["inputs"]["model"] == ["8", 0]


def test_models_behind_a_guider_and_other_loras_are_followed() -> None:
    graph = {
        **GRAPH,
        "10": {"class_type": "LoraLoader", "inputs": {"model": ["1", 0], "clip": ["1", 1], "lora_name": "x"}},
        "5": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {"guider": ["11", 0], "sigmas": ["12", 0], "noise": ["13", 0]},
        },
        "11": {"class_type": "BasicGuider", "inputs": {"model": ["10", 0], "conditioning": ["3", 0]}},
        "12": {"class_type": "BasicScheduler", "inputs": {"model": ["10", 0], "steps": 4}},
        "13": {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}},
    }
    changed = rendered("<lora:ink:0.5>", graph)
    assert changed["14"]["inputs"]["model"] == ["1", 0]
    assert changed["10"]["inputs"] == {"model": ["14", 0], "clip": ["14", 1], "lora_name": "x"}
    assert changed["11"]["inputs"]["model"] == ["10", 0]


def test_a_workflow_without_a_model_says_so() -> None:
    graph = {"1": {"class_type": "PaidNode", "inputs": {"prompt": "a", "seed": 1}}}
    with pytest.raises(PromptTextError, match="needs a prompt whose sampler has a model"):
        rendered("<lora:ink:1>", graph)


def test_an_unknown_name_names_its_field() -> None:
    with pytest.raises(PromptTextError) as caught:
        rendered("<lora:nothing:1>")
    assert caught.value.key == "prompt"


def test_a_node_that_reads_tags_itself_keeps_them() -> None:
    graph = {**GRAPH, "3": {"class_type": "PCTextEncode", "inputs": {"text": "a", "clip": ["2", 0]}}}
    assert rendered("<lora:any:1>", graph)["3"]["inputs"]["text"] == "<lora:any:1>"
    assert not needs_loras(workflow_of("test", graph), {"prompt": "<lora:any:1>"})
    assert needs_loras(workflow_of("test", GRAPH), {"prompt": "<lora:any:1>"})


def test_the_template_and_the_expanded_text_are_both_kept() -> None:
    template = "a {black|white} cat <lora:{ink|wash}:0.8>"
    graph = rendered(template)
    assert graph["3"]["inputs"]["text"] in {"a black cat", "a white cat"}
    assert restore_templates(graph) == {
        **GRAPH,
        "3": {**GRAPH["3"], "inputs": {"text": template, "clip": ["2", 0]}},
    }
    assert rendered(template) == graph
    assert GRAPH["3"]["inputs"]["text"] == "a cat"


def test_a_chain_of_several_nodes_is_taken_out_again() -> None:
    restored = restore_templates(rendered("<lora:ink:1> <lora:wash:1> a cat"))
    assert restored["5"] == GRAPH["5"]
    assert set(restored) == set(GRAPH)


def test_text_without_variations_and_tags_leaves_no_notes() -> None:
    assert rendered("a dog")["3"] == {**GRAPH["3"], "inputs": {"text": "a dog", "clip": ["2", 0]}}


@pytest.mark.parametrize(
    "text", ["a <lora:ink:0.8> cat", "a \\<LORA:ink> cat", "{a|b} <lora:none:1>", "<lora:<lora:ink:1>", "<lora: cat"]
)
def test_texts_that_were_sent_as_they_are_can_be_sent_so_again(text: str) -> None:
    graph = rendered("a cat")
    graph["3"] = {**graph["3"], "inputs": {**graph["3"]["inputs"], "text": text}}
    workflow = workflow_of("test", graph)
    texts = {"prompt": text, **literal_texts(graph, workflow, NO_WILDCARDS)}
    assert render(workflow, texts, 1, PromptTools(loras=NAMES), {})["3"]["inputs"]["text"] == text


def test_the_template_of_a_text_is_not_escaped() -> None:
    graph = rendered("a {red|blue} cat <lora:ink:0.8>")
    assert literal_texts(graph, workflow_of("test", graph), NO_WILDCARDS) == {}
