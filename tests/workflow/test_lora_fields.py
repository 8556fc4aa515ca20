"""LoRAs in the shapes in which graphs have them: what their rows set, and prompts without those that are off."""

from copy import deepcopy

import pytest

from comfytui.workflow.field_keys import FieldValue
from comfytui.workflow.graph import apply_values, read_values, workflow_of
from tests.workflow.graphs import Graph, node, stable_diffusion


def with_loras() -> Graph:
    """Two loaders for model and CLIP, then one for the model only."""
    graph = stable_diffusion.sd15()
    graph["20"] = node("LoraLoader", model=["4", 0], clip=["4", 1], lora_name="a", strength_model=1, strength_clip=0.5)
    graph["21"] = node("LoraLoader", model=["20", 0], clip=["20", 1], lora_name="b", strength_model=0.2)
    graph["22"] = node("LoraLoaderModelOnly", model=["21", 0], lora_name="c", strength_model=0.3)
    graph["3"]["inputs"]["model"] = ["22", 0]
    for encoder in ("6", "7"):
        graph[encoder]["inputs"]["clip"] = ["21", 1]
    return graph


def lora_values(graph: Graph) -> dict[str, object]:
    values = read_values(workflow_of("any", graph))
    return {key: value for key, value in values.items() if key.startswith("lora")}


def test_loaders_are_rows_in_the_order_in_which_they_are_applied() -> None:
    assert lora_values(with_loras()) == {
        "lora": "a",
        "lora-2": "b",
        "lora-3": "c",
        "lora_on": True,
        "lora_on-2": True,
        "lora_on-3": True,
        "lora_strength": 1,
        "lora_strength-2": 0.2,
        "lora_strength-3": 0.3,
        "lora_clip_strength": 0.5,
    }


@pytest.mark.parametrize(
    ("off", "links"),
    [
        ([1], {"21.model": ["4", 0], "21.clip": ["4", 1], "22.model": ["21", 0], "6.clip": ["21", 1]}),
        ([2], {"22.model": ["20", 0], "6.clip": ["20", 1], "7.clip": ["20", 1]}),
        ([3], {"3.model": ["21", 0], "6.clip": ["21", 1]}),
        ([1, 2, 3], {"3.model": ["4", 0], "6.clip": ["4", 1], "7.clip": ["4", 1]}),
        ([3, 1, 2], {"3.model": ["4", 0], "6.clip": ["4", 1], "7.clip": ["4", 1]}),
    ],
)
def test_a_lora_that_is_off_is_bypassed(off: list[int], links: dict[str, object]) -> None:
    workflow = workflow_of("any", with_loras())
    before = deepcopy(workflow.graph)
    keys = ["lora_on" if number == 1 else f"lora_on-{number}" for number in off]
    graph = apply_values(workflow, {**dict.fromkeys(keys, False), "lora": "z", "steps": 9})
    assert {str(19 + number) for number in off}.isdisjoint(graph)
    assert len(graph) == len(before) - len(off)
    assert {key: graph[key.split(".")[0]]["inputs"][key.split(".")[1]] for key in links} == links
    assert graph["3"]["inputs"]["steps"] == 9
    assert workflow.graph == before


def test_a_loader_whose_outputs_cannot_be_passed_on_has_no_switch() -> None:
    graph = stable_diffusion.sd15()
    graph["20"] = node("LoraLoader", lora_name="a", strength=1.0)
    graph["3"]["inputs"]["model"] = ["20", 0]
    assert lora_values(graph) == {"lora": "a", "lora_strength": 1.0}


def test_an_unused_loader_is_no_row() -> None:
    graph = stable_diffusion.sd15()
    graph["20"] = node("LoraLoaderModelOnly", model=["4", 0], lora_name="a", strength_model=1.0)
    assert lora_values(graph) == {}


def test_loras_that_are_objects_are_rows_with_their_own_switch() -> None:
    graph = stable_diffusion.sd15()
    graph["20"] = node(
        "Power Lora Loader (rgthree)",
        PowerLoraLoaderHeaderWidget={"type": "PowerLoraLoaderHeaderWidget"},
        lora_1={"on": True, "lora": "a", "strength": 1, "strengthTwo": 0.5},
        lora_2={"on": False, "lora": "b", "strength": 0.7, "strengthTwo": None},
        lora_3={"on": 1, "lora": None},
        model=["4", 0],
    )
    graph["3"]["inputs"]["model"] = ["20", 0]
    assert lora_values(graph) == {
        "lora": "a",
        "lora-2": "b",
        "lora_on": True,
        "lora_on-2": False,
        "lora_strength": 1,
        "lora_strength-2": 0.7,
        "lora_clip_strength": 0.5,
    }
    workflow = workflow_of("any", graph)
    values: dict[str, FieldValue] = {"lora_on": False, "lora_on-2": True, "lora-2": "c", "lora_strength-2": 0.9}
    changed = apply_values(workflow, values)["20"]["inputs"]
    assert changed["lora_1"] == {"on": False, "lora": "a", "strength": 1, "strengthTwo": 0.5}
    assert changed["lora_2"] == {"on": True, "lora": "c", "strength": 0.9, "strengthTwo": None}
    assert graph["20"]["inputs"]["lora_1"]["on"] is True


def test_the_used_loras_of_a_stack_are_rows() -> None:
    graph = stable_diffusion.sd15()
    graph["20"] = node("LoRA Stacker", lora_count=2, lora_name_1="a", lora_wt_1=0.4, lora_name_2="b", lora_name_3="c")
    graph["21"] = node("Lora Loader Stack (rgthree)", lora_01="d", strength_01=0.6, model=["4", 0])
    graph["22"] = node("CR Apply LoRA Stack", lora_stack=["20", 0], model=["21", 0])
    graph["3"]["inputs"]["model"] = ["22", 0]
    assert lora_values(graph) == {
        "lora": "a",
        "lora-2": "b",
        "lora-3": "d",
        "lora_strength": 0.4,
        "lora_strength-3": 0.6,
    }
