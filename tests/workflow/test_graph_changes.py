"""What a graph changes in another one."""

from comfytui.presentation.prompt_text import changes_text, json_text
from comfytui.workflow.annotations import TEMPLATES, annotated
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Graph, apply_values, workflow_of
from comfytui.workflow.graph_changes import changed_inputs


def lines(before: Graph, after: Graph) -> list[str]:
    return changes_text(changed_inputs(before, after)).split("\n")


def test_changed_inputs_are_listed_with_both_values() -> None:
    graph = txt2img().graph
    changed = apply_values(txt2img(), {Field.STEPS: 30, Field.PROMPT: "a red fox"})
    assert lines(graph, changed) == ["KSampler · steps: 20 → 30", 'CLIPTextEncode · text: "" → a red fox']
    assert lines(graph, graph) == ["Nothing: this is the workflow as it was opened."]


def test_added_and_removed_nodes_are_listed() -> None:
    graph = dict(txt2img().graph)
    without = {node_id: node for node_id, node in graph.items() if node_id != "5"}
    assert "EmptyLatentImage · width: 512 → nothing" in lines(graph, without)
    assert "EmptyLatentImage · width: nothing → 512" in lines(without, graph)


def test_lora_that_is_switched_off_is_one_line() -> None:
    graph = dict(txt2img().graph)
    lora = {"lora_name": "ink", "strength_model": 1.0, "strength_clip": 1.0, "model": ["4", 0], "clip": ["4", 1]}
    graph["10"] = {"class_type": "LoraLoader", "inputs": lora}
    for node_id, name in (("3", "model"), ("6", "clip"), ("7", "clip")):
        output = 0 if name == "model" else 1
        graph[node_id] = {**graph[node_id], "inputs": {**graph[node_id]["inputs"], name: ["10", output]}}
    changed = apply_values(workflow_of("ink", graph), {Field.LORA_ON: False, Field.STEPS: 30})
    assert lines(graph, changed) == ["KSampler · steps: 20 → 30", "LoraLoader #10: switched off"]


def test_a_switch_is_not_a_number() -> None:
    def one(value: object) -> Graph:
        return {"1": {"class_type": "A", "inputs": {"on": value}}}

    assert lines(one(1), one(True)) == ["A · on: 1 → true"]


def test_hostile_titles_and_values_are_harmless_and_short() -> None:
    node = {"class_type": "A", "inputs": {"te\x1bxt": "a"}, "_meta": {"title": "\x1b[31m" + "T" * 500}}
    changed = {"1": {**node, "inputs": {"te\x1bxt": "\x1b]0;x\x07" + "b" * 5000}}}
    (line,) = lines({"1": node}, changed)
    assert "\x1b" not in line
    assert len(line) < 400
    assert "\x1b" not in json_text(changed)


def test_many_changes_and_long_graphs_are_cut() -> None:
    graph = {str(index): {"class_type": "A", "inputs": {"x": index}} for index in range(3000)}
    assert len(lines({}, graph)) == 501
    shown = json_text(graph).split("\n")
    assert len(shown) == 5_001
    assert shown[-1].endswith("more lines")


def test_a_text_that_was_drawn_is_shown_with_its_template() -> None:
    def one(text: str, template: str = "") -> Graph:
        node = {"class_type": "A", "inputs": {"text": text}}
        return {"1": annotated(node, TEMPLATES, {"text": template}) if template else node}

    template = "a {red|blue} fox"
    assert lines(one(""), one("a blue fox", template)) == [f'A · text: "" → {template}, sent as: a blue fox']
    assert lines(one(template), one("a blue fox", template)) == [f"A · text: {template}, sent as: a blue fox"]
    assert lines(one("a red fox"), one("a red fox", template)) == [
        f"A · text: a red fox → {template}, sent as: a red fox"
    ]
