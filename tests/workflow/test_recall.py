"""Whether the form of an open workflow can show what a job was made of."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.fields import Field
from comfytui.workflow.graph import apply_values, read_values, workflow_of
from comfytui.workflow.input_specs import text_of
from comfytui.workflow.nodes import value_at
from comfytui.workflow.prompt_text.rendering import PromptTools, render
from comfytui.workflow.recall import recalled_values, same_shape
from tests.workflow.graphs import stable_diffusion

GRAPH = stable_diffusion.sd15()
WORKFLOW = workflow_of("fox", GRAPH)
SAMPLER = next(node_id for node_id, node in GRAPH.items() if node["class_type"] == "KSampler")
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    graph = copy.deepcopy(dict(GRAPH))
    change(graph)
    return graph


def test_values_that_differ_are_returned_by_their_keys() -> None:
    graph = apply_values(WORKFLOW, {Field.PROMPT: "狐\n<b>", Field.STEPS: 7, Field.CFG: 2, Field.SEED: 2**64 - 1})
    values = recalled_values(graph, WORKFLOW)
    assert values == {Field.PROMPT: "狐\n<b>", Field.STEPS: 7, Field.CFG: 2, Field.SEED: 2**64 - 1}
    assert apply_values(WORKFLOW, values) == graph


def test_an_equal_graph_has_no_values_that_differ() -> None:
    assert recalled_values(copy.deepcopy(GRAPH), WORKFLOW) == {}


def test_titles_and_the_order_of_nodes_do_not_count() -> None:
    titled = {
        node_id: {**node, "_meta": {"title": f"other {node_id}"}} for node_id, node in reversed(list(GRAPH.items()))
    }
    assert recalled_values(titled, WORKFLOW) == {}


def test_a_value_that_is_no_field_is_named_by_its_node() -> None:
    graph = changed(lambda graph: graph["9"]["inputs"].update(note="b"))
    workflow = workflow_of("fox", changed(lambda graph: graph["9"]["inputs"].update(note="a")))
    assert recalled_values(graph, workflow) == {"9.note": "b"}


def rename(graph: dict[str, Any]) -> None:
    graph["90"] = graph.pop("9")


SHAPES: dict[str, Change] = {
    "another class": lambda graph: graph[SAMPLER].update(class_type="KSamplerAdvanced"),
    "a further node": lambda graph: graph.update({"77": {"class_type": "Note", "inputs": {}}}),
    "a node less": lambda graph: graph.pop("9"),
    "another id": rename,
    "a further input": lambda graph: graph[SAMPLER]["inputs"].update(extra=1),
    "an input less": lambda graph: graph[SAMPLER]["inputs"].pop("steps"),
    "another link": lambda graph: graph[SAMPLER]["inputs"].update(positive=graph[SAMPLER]["inputs"]["negative"]),
    "a link in place of a value": lambda graph: graph[SAMPLER]["inputs"].update(steps=["9", 0]),
    "a value in place of a link": lambda graph: graph[SAMPLER]["inputs"].update(positive="fox"),
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES.keys())
def test_a_graph_of_another_shape_is_another_workflow(change: Change) -> None:
    graph = changed(change)
    assert not same_shape(graph, GRAPH)
    assert not same_shape(GRAPH, graph)
    assert recalled_values(graph, WORKFLOW) is None


@pytest.mark.parametrize("value", [None, [], {}, "20", True, [1, 2, 3]])
def test_a_value_of_another_kind_is_another_workflow(value: object) -> None:
    graph = changed(lambda graph: graph[SAMPLER]["inputs"].update(steps=value))
    assert recalled_values(graph, WORKFLOW) is None


def test_different_values_in_one_field_are_another_workflow() -> None:
    workflow = workflow_of("hires", stable_diffusion.hires())
    first, second = workflow.fields[Field.CFG]
    both = apply_values(workflow, {Field.CFG: 3.5})
    assert recalled_values(both, workflow) == {Field.CFG: 3.5}
    for slot in (first, second):
        one = copy.deepcopy(dict(workflow.graph))
        one[slot.node_id]["inputs"][slot.input_name] = 3.5
        assert recalled_values(one, workflow) is None


def test_the_template_of_a_text_is_recalled() -> None:
    workflow = workflow_of("fox", GRAPH)
    values = {**read_values(workflow), Field.PROMPT: "a {red|blue} fox", Field.STEPS: 9}
    graph = render(workflow, values, 5, PromptTools(), {Field.STEPS: 9})
    assert "{" not in str(value_at(graph, workflow.fields[Field.PROMPT][0]))
    assert recalled_values(graph, workflow) == {Field.PROMPT: "a {red|blue} fox", Field.STEPS: 9}


def test_a_lora_that_was_off_is_switched_off() -> None:
    workflow = workflow_of("loras", stable_diffusion.controlled())
    key = next(key for key in workflow.fields if key.startswith(Field.LORA_ON))
    graph = apply_values(workflow, {key: False, Field.STEPS: 9})
    assert len(graph) < len(workflow.graph)
    assert recalled_values(graph, workflow) == {key: False, Field.STEPS: 9}


@pytest.mark.parametrize(
    ("value", "text"), [("a fox", "a fox"), (7, "7"), (0.5, "0.5"), (True, "true"), (False, "false")]
)
def test_values_are_written_as_they_are_typed(value: str | float, text: str) -> None:
    assert text_of(value) == text


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_json_can_be_compared(document: Any) -> None:
    assert not same_shape(document, GRAPH)
    if isinstance(document, dict):
        assert recalled_values(document, WORKFLOW) is None
