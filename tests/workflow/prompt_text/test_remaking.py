"""A graph with new seeds draws its prompts again from the templates that it keeps."""

from pathlib import Path
from random import Random
from typing import Any

from comfytui.workflow.annotations import CELL, TEMPLATES, annotated, cell_of, restore_templates
from comfytui.workflow.graph import workflow_of
from comfytui.workflow.prompt_text.remaking import remake
from comfytui.workflow.prompt_text.rendering import PromptTools, render
from comfytui.workflow.prompt_text.wildcards import load_wildcards
from tests.workflow.graphs.stable_diffusion import sd15

LORAS = ("ink.safetensors", "wash.safetensors")


def wildcards(folder: Path, *names: str) -> PromptTools:
    for name in names:
        (folder / f"{name}.txt").write_text("\n".join(f"{name} {number}" for number in range(1_000)))
    return PromptTools(load_wildcards(folder), LORAS)


def made(template: str, tools: PromptTools, graph: Any = None) -> Any:
    return render(workflow_of("test", graph or sd15()), {"prompt": template}, 1, tools, {})


def prompt_of(graph: Any) -> str:
    return str(graph["6"]["inputs"]["text"])


def seed_of(graph: Any) -> int:
    return int(graph["3"]["inputs"]["seed"])


def test_prompt_is_drawn_by_the_new_seed_as_the_form_would(tmp_path: Path) -> None:
    tools = wildcards(tmp_path, "animal")
    template = "a __animal__ <lora:{ink|wash}:0.8>"
    graph = made(template, tools)
    remade = remake(graph, Random(3), tools)
    assert remade.new_text
    assert remade.graph is not None
    assert prompt_of(remade.graph) != prompt_of(graph)
    assert seed_of(remade.graph) != seed_of(graph)
    own = restore_templates(remade.graph)
    assert prompt_of(own) == template
    assert remade.graph == render(workflow_of("test", own), {"prompt": template}, seed_of(own), tools, {})
    assert len([each for each in remade.graph.values() if each["class_type"] == "LoraLoader"]) == 1


def test_prompt_of_a_wildcard_that_is_gone_stays(tmp_path: Path) -> None:
    graph = made("a __animal__ in __snow__", wildcards(tmp_path, "animal"))
    assert prompt_of(graph).endswith("in __snow__")
    remade = remake(graph, Random(3), PromptTools(loras=LORAS))
    assert remade.graph is not None
    assert remade.kept_because == "The wildcard __animal__ is gone."
    assert prompt_of(remade.graph) == prompt_of(graph)
    assert seed_of(remade.graph) != seed_of(graph)
    assert prompt_of(restore_templates(remade.graph)) == "a __animal__ in __snow__"


def test_name_that_never_was_a_wildcard_stays_text(tmp_path: Path) -> None:
    tools = wildcards(tmp_path, "animal")
    remade = remake(made("a __animal__ in __snow__", tools), Random(3), tools)
    assert remade.new_text
    assert not remade.kept_because


def test_lora_that_is_gone_leaves_text_and_nodes_as_they_were() -> None:
    graph = made("{a|b} <lora:ink:0.8>", PromptTools(loras=LORAS))
    remade = remake(graph, Random(3), PromptTools(loras=()))
    assert "'ink' is not on the server" in remade.kept_because
    assert remade.graph is not None
    assert {**remade.graph, "3": graph["3"]} == graph


def test_text_of_a_graph_without_templates_stays() -> None:
    graph = made("a fox", PromptTools())
    graph["6"]["inputs"]["text"] = "an {a|b} of another client"
    remade = remake(graph, Random(3), PromptTools())
    assert remade.graph is not None
    assert prompt_of(remade.graph) == "an {a|b} of another client"
    assert not remade.new_text


def test_graph_without_a_seed_has_at_least_another_text(tmp_path: Path) -> None:
    tools = wildcards(tmp_path, "animal")
    graph = {"1": {"class_type": "PaidNode", "inputs": {"prompt": "a"}}}
    first = made("a __animal__", tools, graph)
    remade = remake(first, Random(3), tools)
    assert remade.new_text
    assert remade.graph is not None
    assert remade.graph["1"]["inputs"]["prompt"] != first["1"]["inputs"]["prompt"]
    assert remake(made("{a|a}", tools, graph), Random(3), tools).graph is None


def test_cell_stays_and_notes_at_other_inputs_are_drawn_without_wildcards() -> None:
    graph = made("{a|b}", PromptTools())
    graph["3"] = annotated(graph["3"], CELL, {"Steps": 20})
    graph["4"] = annotated(graph["4"], TEMPLATES, {"ckpt_name": "{x|y}", "nothing": "{x|y}"})
    remade = remake(graph, Random(3), PromptTools())
    assert remade.graph is not None
    assert cell_of(remade.graph) == (("Steps", 20),)
    assert remade.graph["4"]["inputs"]["ckpt_name"] in {"x", "y"}
    assert "nothing" not in remade.graph["4"]["inputs"]
