"""What a user is told of a workflow: what the server lacks, and what may be wrong."""

from typing import Any

import pytest

from comfytui.workflow.editor.findings import Finding
from comfytui.workflow.nodes import Slot
from tests.workflow.editor.corpus import converted, object_info, templates


def node(class_type: str, node_id: int = 1, **others: Any) -> dict[str, Any]:
    return {"id": node_id, "type": class_type, **others}


def findings(*nodes: dict[str, Any], info: dict[str, Any] | None = None, **others: Any) -> list[Finding]:
    return [*converted({"nodes": list(nodes), "links": [], **others}, info).findings]


def messages(*nodes: dict[str, Any], info: dict[str, Any] | None = None, **others: Any) -> list[str]:
    return [finding.message for finding in findings(*nodes, info=info, **others)]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"cnr_id": "nice-pack", "ver": "1.2.0"}, "it is in the pack nice-pack 1.2.0"),
        ({"cnr_id": "nice-pack"}, "it is in the pack nice-pack"),
        ({"aux_id": "someone/nice"}, "it is in the pack someone/nice on GitHub"),
        ({"cnr_id": "comfy-core", "ver": "0.9"}, "the server is too old for it, or it was removed from ComfyUI"),
        ({}, "the file does not say which pack has it"),
        ({"cnr_id": ["nice-pack"], "ver": 3}, "the file does not say which pack has it"),
    ],
)
def test_an_unknown_class_is_named_with_its_pack(properties: dict[str, Any], reason: str) -> None:
    (finding,) = findings(node("Nice", title="My\x1b[31m node", properties=properties))
    assert finding.message == f"The server lacks the class Nice of node 1 “My node”: {reason}."
    assert (finding.kind, finding.node_id, finding.blocks) == ("unknown_class", "1", True)


def test_an_unknown_class_is_told_once_and_only_of_nodes_that_run() -> None:
    nodes = [node("Nice", number, mode=mode) for number, mode in ((1, 2), (2, 0), (3, 0), (4, 4))]
    (finding,) = findings(*nodes)
    assert "of node 2 “Nice” and 1 more" in finding.message


def test_an_unknown_node_keeps_its_class_and_its_links() -> None:
    unknown = node("Nice", 2, inputs=[{"name": "model", "type": "MODEL", "link": 1}], widgets_values=["a", 3])
    graph = converted({"nodes": [node("TModel"), unknown], "links": [[1, 1, 0, 2, 0, "MODEL"]]}).graph
    assert graph["2"] == {"class_type": "Nice", "inputs": {"model": ["1", 0]}, "_meta": {"title": "Nice"}}


@pytest.mark.parametrize("class_type", ["workflow>mine", "workflow/mine"])
def test_a_group_node_is_refused_with_what_to_do(class_type: str) -> None:
    (finding,) = findings(node(class_type))
    assert finding.message.startswith("Open the workflow in ComfyUI and save it")
    assert (finding.kind, finding.blocks) == ("group_node", True)


def test_a_subgraph_that_is_not_in_the_file_is_named() -> None:
    (finding,) = findings(node("0badc0de-1111-4111-8111-111111111111", title="Upscale"))
    assert finding.message == "The file lacks the subgraph that node 1 “Upscale” stands for."
    assert finding.blocks


@pytest.mark.parametrize("workflow", [None, [], {}, {"1": {"class_type": "A", "inputs": {}}}, "{}", {"nodes": {}}])
def test_what_is_no_workflow_of_the_editor_is_refused(workflow: object) -> None:
    conversion = converted(workflow)
    assert conversion.graph == {}
    assert [(each.kind, each.blocks) for each in conversion.findings] == [("not_a_workflow", True)]


def test_a_workflow_is_found_in_a_wrapper() -> None:
    assert list(converted({"workflow": {"nodes": [node("TModel")], "links": []}}).graph) == ["1"]


def test_nodes_without_an_id_or_a_class_are_counted() -> None:
    broken: list[Any] = [{"id": 2}, {"type": "TModel"}, 7]
    assert messages(node("TModel"), *broken) == ["3 nodes of the file have no id or class and are left out."]
    assert messages(node("TModel"), *broken[:1]) == ["1 node of the file has no id or class and is left out."]


def test_a_missing_model_is_named_with_where_to_get_it_and_what_is_there() -> None:
    info = {"TModel": {"input": {"required": {"name": [["sd/model_v1.safetensors", "other.ckpt"]]}}}}
    models = [{"name": "model_v2.safetensors", "url": "https://models.test/v2", "directory": "checkpoints"}]
    missing = node("TModel", widgets_values=["model_v2.safetensors"], properties={"models": models})
    (finding,) = findings(missing, info=info)
    assert finding.message == (
        "The server does not have “model_v2.safetensors” for name of node 1 “TModel”; it belongs into "
        "models/checkpoints; it can be loaded from https://models.test/v2; the nearest there: sd/model_v1.safetensors."
    )
    assert (finding.kind, finding.node_id, finding.input_name, finding.blocks) == ("missing_choice", "1", "name", False)


def test_the_same_model_in_another_folder_is_the_nearest() -> None:
    info = {"TModel": {"input": {"required": {"name": [["aaa1.ckpt", "sd\\AAA.ckpt", "aaa2.ckpt"]]}}}}
    (message,) = messages(node("TModel", widgets_values=["old/aaa.ckpt"]), info=info)
    assert message.endswith("; the nearest there: sd\\AAA.ckpt.")


@pytest.mark.parametrize(
    ("name", "is_missing"),
    [
        ("example.png", False),
        ("example.png [input]", False),
        ("gone.png", True),
        ("gone.png [input]", True),
        ("clipspace/masked.png", False),
        ("clipspace/masked.png [input]", False),
        ("made.png [output]", False),
        ("made.png [temp]", False),
    ],
)
def test_a_missing_image_is_named_unless_it_may_be_elsewhere(name: str, *, is_missing: bool) -> None:
    found = findings(node("LoadImage", widgets_values=[name, "image"]))
    assert [(each.kind, each.input_name) for each in found] == [("missing_file", "image")] * is_missing


def test_one_of_several_chosen_may_be_missing() -> None:
    (message,) = messages(node("TMulti", widgets_values=[["a", "x"], 1]))
    assert message == "The server does not have “x” for m of node 1 “TMulti”."


def test_a_linked_input_is_not_checked() -> None:
    text = node("TDyn", 2, inputs=[{"name": "text", "link": 1, "widget": {"name": "text"}}], widgets_values=[7, "b"])
    conversion = converted(
        {"nodes": [node("TDyn", widgets_values=["a", "b"]), text], "links": [[1, 1, 0, 2, 0, "STRING"]]}
    )
    assert conversion.graph["2"]["inputs"]["text"] == ["1", 0]
    assert conversion.findings == ()


def test_a_misplaced_value_is_told_with_the_pack() -> None:
    values = ["randomize", 1.5, "a", True, "u"]
    (finding,) = findings(node("TNum", widgets_values=values, properties={"cnr_id": "nice-pack"}))
    assert finding.message.startswith("The value of i in node 1 “TNum” is no INT: the JavaScript of nice-pack may have")
    assert (finding.kind, finding.input_name, finding.blocks) == ("misplaced_value", "i", False)


def test_no_value_of_the_templates_is_misplaced() -> None:
    kinds = {finding.kind for template in templates() for finding in converted(template.workflow).findings}
    assert "misplaced_value" not in kinds
    assert "broken_link" not in kinds


def test_deprecated_and_paid_classes_are_named_once() -> None:
    info = {"Old": {"input": {}, "deprecated": True, "display_name": "Older"}, "Api": {"input": {}, "api_node": True}}
    assert messages(node("Old"), node("Api", 2), node("Api", 3), node("Old", 4, mode=2), info=info) == [
        "The class of node 1 “Older” is deprecated: a later server may lack it.",
        "The server calls a paid service for node 2 “Api” and 1 more.",
    ]


def test_what_only_a_browser_makes_is_told() -> None:
    found = findings(node("Load3D", widgets_values=["none"]))
    assert [(each.kind, each.input_name) for each in found] == [("browser_value", "image")]


def test_links_made_by_javascript_are_told() -> None:
    found = findings(node("Anything Everywhere"))
    assert [each.kind for each in found] == ["unknown_class", "javascript_links"]


def test_a_choice_that_several_nodes_lack_is_told_once() -> None:
    nodes = [node("TModel", number, widgets_values=["gone"]) for number in (1, 2, 3)]
    told = [each for each in findings(*nodes, node("TModel", 4, widgets_values=["other"])) if "choice" in each.kind]
    assert [each.message.partition(";")[0].rstrip(".") for each in told] == [
        "The server does not have “gone” for name of node 1 “TModel” and 2 more",
        "The server does not have “other” for name of node 4 “TModel”",
    ]
    assert told[0].more_nodes == ("2", "3")


def test_a_random_prompt_is_told_and_a_certain_one_is_not() -> None:
    assert [each.kind for each in findings(node("TDyn", widgets_values=["a {b|c}", "{d|e}"]))] == ["random_prompt"]
    assert findings(node("TDyn", widgets_values=["a {b}", "{d|e}"])) == []


def test_what_blocks_comes_first() -> None:
    found = findings(node("TDyn", widgets_values=["{a|b}", ""]), node("Nice", 2))
    assert [each.blocks for each in found] == [True, False]


def test_the_slots_that_a_top_level_subgraph_sets_are_promoted_in_its_order() -> None:
    inner = {"id": 11, "type": "TNum", "inputs": [{"name": name, "link": link} for name, link in (("i", 1), ("s", 2))]}
    other = {"id": 12, "type": "TOldCombo", "inputs": [{"name": "n", "link": 3}]}
    links = [
        {"id": number, "origin_id": -10, "origin_slot": slot, "target_id": target}
        for number, slot, target in ((1, 1, 11), (2, 0, 11), (3, 1, 12))
    ]
    inputs = [{"name": "text", "linkIds": [2]}, {"name": "count", "linkIds": [1, 3]}]
    definition = {"id": "sub", "nodes": [inner, other], "links": links, "inputs": inputs, "outputs": []}
    conversion = converted(
        {
            "nodes": [node("sub", 1, widgets_values=["hello", 16]), node("sub", 2, mode=4)],
            "links": [],
            "definitions": {"subgraphs": [definition]},
        }
    )
    assert conversion.promoted == (
        Slot("1:11", "s", "TNum"),
        Slot("1:11", "i", "TNum"),
        Slot("1:12", "n", "TOldCombo"),
    )
    assert [conversion.graph[slot.node_id]["inputs"][slot.input_name] for slot in conversion.promoted] == [
        "hello",
        16,
        16,
    ]


def test_no_definition_at_all_leaves_every_class_unknown() -> None:
    template = templates()[0]
    conversion = converted(template.workflow, {})
    assert conversion.graph.keys() == template.graph.keys()
    assert {each.kind for each in conversion.findings if each.blocks} == {"unknown_class"}
    assert object_info()
