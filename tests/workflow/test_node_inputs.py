"""Every value of every node: what is shown of it, how it is named, and what setting it changes."""

from copy import deepcopy
from typing import Any

import pytest

from comfytui.workflow.field_keys import FieldValue, node_key, split_node_key
from comfytui.workflow.graph import apply_values, workflow_of
from comfytui.workflow.node_inputs import NodeInput, node_inputs, set_value
from comfytui.workflow.nodes import Slot
from tests.workflow.graphs import Graph, stable_diffusion

CODECS = [
    {"key": "auto", "inputs": {"required": {}}},
    {"key": "h264", "inputs": {"required": {"crf": ["FLOAT", {"default": 23.0}]}, "optional": {"audio": ["AUDIO"]}}},
]
CODEC = {"options": CODECS, "default": "h264"}
FORMATS = [
    {"key": "auto", "inputs": {}},
    {
        "key": "mp4",
        "inputs": {"required": {"codec": ["COMFY_DYNAMICCOMBO_V3", {"options": CODECS, "default": "h264"}]}},
    },
    {"key": "webm", "inputs": {"required": {"codec": ["COMBO", {"options": ["vp9", "av1"]}], "loop": ["BOOLEAN"]}}},
]
DEFINITIONS: dict[str, Any] = {
    "KSampler": {
        "display_name": "Sampler\x1b[2J",
        "input": {
            "required": {
                "model": ["MODEL"],
                "steps": ["INT", {"default": 20, "min": 1, "tooltip": "How many\nsteps"}],
                "seed": ["INT", {"min": 0}],
                "cfg": ["FLOAT", {"default": 8.0, "display_name": "Guidance"}],
            },
            "optional": {"boost": ["BOOLEAN", {"default": True}], "forced": ["INT", {"forceInput": True}]},
        },
        "input_order": {"required": ["model", "seed", "steps", "cfg", "gone"]},
    },
    "SaveVideo": {
        "input": {
            "required": {
                "video": ["VIDEO"],
                "format": ["COMFY_DYNAMICCOMBO_V3", {"options": FORMATS}],
                "filename_prefix": ["STRING"],
            }
        }
    },
    "Batch": {
        "input": {
            "required": {
                "floats": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"float": ["FLOAT", {"max": 2}]}}}}]
            }
        }
    },
}


def video(**inputs: object) -> Graph:
    return {"7": {"class_type": "SaveVideo", "inputs": {"video": ["1", 0], "filename_prefix": "x", **inputs}}}


def inputs_of(graph: object, definitions: dict[str, Any] = DEFINITIONS) -> dict[str, NodeInput]:
    return {each.key: each for group in node_inputs(graph, definitions) for each in group.inputs}


def test_the_widgets_of_a_class_come_in_its_order_without_links_and_with_defaults() -> None:
    graph = stable_diffusion.sd15()
    (sampler, *_) = node_inputs(graph, DEFINITIONS)
    assert (sampler.node_id, sampler.title, sampler.class_type, sampler.is_known) == ("3", "Sampler", "KSampler", True)
    declared, undeclared = sampler.inputs[:4], sampler.inputs[4:]
    assert [(each.key, each.value, each.label, each.spec.kind) for each in declared] == [
        ("3.seed", 1, "seed", "int"),
        ("3.steps", 20, "steps", "int"),
        ("3.cfg", 7.5, "Guidance", "float"),
        ("3.boost", True, "boost", "bool"),
    ]
    assert [each.spec.is_seed for each in declared] == [True, False, False, False]
    assert declared[1].tooltip == "How many steps"
    # Values that the class does not declare may be used by the server all the same.
    assert [(each.key, each.spec.kind) for each in undeclared] == [
        ("3.sampler_name", "text"),
        ("3.scheduler", "text"),
        ("3.denoise", "float"),
    ]


def test_kinds_of_unknown_classes_are_guessed_and_lists_are_left_out() -> None:
    values = {"a": True, "b": 3, "c": 2.5, "d": "x", "e": "x\ny", "f": [1, 2], "g": None, "h": {"on": False, "n": {}}}
    (group,) = node_inputs({"1": {"class_type": "Odd\x1b[2J", "inputs": values}}, DEFINITIONS)
    assert (group.title, group.is_known) == ("Odd", False)
    assert [(each.key, each.spec.kind, each.spec.multiline) for each in group.inputs] == [
        ("1.a", "bool", False),
        ("1.b", "int", False),
        ("1.c", "float", False),
        ("1.d", "text", False),
        ("1.e", "text", True),
        ("1.h.on", "bool", False),
    ]
    assert group.inputs[-1].label == "h.on"


def test_nodes_are_named_by_title_and_come_in_the_order_of_the_graph() -> None:
    graph = stable_diffusion.sd15()
    graph["6"]["_meta"] = {"title": "The prompt"}
    graph["7"]["_meta"] = {"title": 5}
    titles = [(group.node_id, group.title) for group in node_inputs(graph)]
    assert titles[3:5] == [("6", "The prompt"), ("7", "CLIPTextEncode")]
    assert [node_id for node_id, _ in titles] == ["3", "4", "5", "6", "7", "9"]


def test_promoted_inputs_come_first_and_once() -> None:
    graph = stable_diffusion.sd15()
    text, gone = Slot("6", "text", "CLIPTextEncode"), Slot("99", "text", "CLIPTextEncode")
    first, *rest = node_inputs(graph, {}, [text, gone, text])
    assert [each.key for each in first.inputs] == ["6.text"]
    assert "6" not in [group.node_id for group in rest]


@pytest.mark.parametrize("node_id", ["3", "12:3", "a.b", "50%", "1%2E", ""])
def test_the_key_of_an_input_names_exactly_one(node_id: str) -> None:
    key = node_key(node_id, "model.prompt")
    assert split_node_key(key) == (node_id, "model.prompt")
    graph = {node_id: {"class_type": "A", "inputs": {"model.prompt": "x"}}, "a": {"class_type": "B", "inputs": {}}}
    changed = apply_values(workflow_of("any", graph), {key: "y"})
    assert changed[node_id]["inputs"] == {"model.prompt": "y"}


def test_the_inputs_of_a_branch_are_those_of_the_choice() -> None:
    graph = video(**{"format": "mp4", "format.codec": "h264", "format.codec.crf": 20})
    found = inputs_of(graph)
    assert list(found) == ["7.format", "7.format.codec", "7.format.codec.crf", "7.filename_prefix"]
    assert found["7.format"].spec.is_dynamic
    assert found["7.format"].spec.options == ("auto", "mp4", "webm")
    assert found["7.format.codec.crf"].spec.kind == "float"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {}),
        ("webm", {"format.codec": "vp9", "format.loop": False}),
        ("unknown", {}),
    ],
)
def test_another_choice_replaces_the_inputs_of_its_branch(choice: str, expected: dict[str, FieldValue]) -> None:
    graph = video(**{"format": "mp4", "format.codec": "h264", "format.codec.crf": 20})
    before = deepcopy(graph)
    changed = set_value(graph, DEFINITIONS, Slot("7", "format", "SaveVideo"), choice)
    assert changed == video(format=choice, **expected)
    assert graph == before


def test_the_defaults_of_a_branch_bring_their_own_branches() -> None:
    changed = set_value(video(format="auto"), DEFINITIONS, Slot("7", "format", "SaveVideo"), "mp4")
    assert changed == video(**{"format": "mp4", "format.codec": "h264", "format.codec.crf": 23.0})


def test_a_choice_and_an_input_of_its_branch_can_be_set_together() -> None:
    workflow = workflow_of("any", video(format="auto"))
    values: dict[str, FieldValue] = {"7.format.codec.crf": 18.0, "7.format": "mp4"}
    changed = apply_values(workflow, values, DEFINITIONS)
    assert changed == video(**{"format": "mp4", "format.codec": "h264", "format.codec.crf": 18.0})


def test_the_widgets_of_a_growing_group_have_its_definition() -> None:
    graph = {"1": {"class_type": "Batch", "inputs": {"floats.float0": 1.5, "floats.float1": ["2", 0]}}}
    found = inputs_of(graph)
    assert {key: each.spec.maximum for key, each in found.items()} == {"1.floats.float0": 2}


def test_linked_inputs_and_missing_nodes_are_left_as_they_are() -> None:
    workflow = workflow_of("any", stable_diffusion.sd15())
    assert apply_values(workflow, {"3.model": 5, "99.steps": 5, "3.steps": 5})["3"]["inputs"]["model"] == ["4", 0]
    slot = Slot("3", "model", "KSampler")
    assert set_value(workflow.graph, {}, slot, 5) is workflow.graph
    assert set_value(workflow.graph, {}, Slot("3", "steps", "KSampler", "inner"), 5) is workflow.graph


def test_an_input_wins_over_the_field_that_sets_it_too() -> None:
    workflow = workflow_of("hires", stable_diffusion.hires())
    changed = apply_values(workflow, {"1.cfg": 2.0, "cfg": 5.0})
    assert (changed["3"]["inputs"]["cfg"], changed["1"]["inputs"]["cfg"]) == (5.0, 2.0)


@pytest.mark.parametrize(
    "definition",
    [None, 5, {"input": 5}, {"input": {"required": []}}, {"input": {"required": {"x": None, "y": [], "z": [{}]}}}]
    + [
        {"input": {"required": {"x": ["COMFY_DYNAMICCOMBO_V3", bad]}}}
        for bad in (None, {"options": 3}, {"options": [1]})
    ]
    + [{"input": {"required": {"x": ["COMFY_AUTOGROW_V3", bad]}}} for bad in (None, {"template": 3})]
    + [{"input": {"required": {"x": ["INT"]}}, "input_order": bad} for bad in (5, {"required": [5, [], "x"]})],
)
def test_malformed_definitions_never_raise(definition: object) -> None:
    graph = {"1": {"class_type": "A", "inputs": {"x": "a", "x.y": 1}}}
    assert {each.slot.input_name for group in node_inputs(graph, {"A": definition}) for each in group.inputs} >= {"x"}


API = {
    "input": {
        "required": {
            "model": [
                "COMFY_DYNAMICCOMBO_V3",
                {
                    "options": [
                        {
                            "key": "small",
                            "inputs": {
                                "required": {
                                    "prompt": ["STRING", {"multiline": True}],
                                    "size": [["1K"]],
                                    "fast": ["BOOLEAN"],
                                }
                            },
                        },
                        {
                            "key": "large",
                            "inputs": {"required": {"prompt": ["STRING"], "size": [["2K", "4K"]], "steps": ["INT"]}},
                        },
                    ]
                },
            ],
            "seed": ["INT"],
        }
    }
}


def test_another_choice_keeps_the_values_that_its_branch_has_too() -> None:
    inputs = {"model": "small", "model.prompt": "a fox", "model.size": "1K", "model.fast": True, "seed": 1}
    workflow = workflow_of("api", {"1": {"class_type": "Maker", "inputs": inputs}})
    values: dict[str, FieldValue] = {
        "prompt": "an owl",
        "seed": 5,
        "1.model": "large",
        "1.model.fast": False,
        "1.model.size": "1K",
        "1.model.steps": 9,
    }
    changed = apply_values(workflow, values, {"Maker": API})["1"]["inputs"]
    assert changed == {
        "model": "large",
        "model.prompt": "an owl",
        "model.size": "2K",
        "model.steps": 9,
        "seed": 5,
    }
