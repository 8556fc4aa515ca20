"""Which inputs findings are about, and which of them still hold."""

from dataclasses import replace
from typing import Any

from comfytui.workflow.builtin import txt2img
from comfytui.workflow.editor.findings import Finding
from comfytui.workflow.finding_inputs import finding_keys, valid_findings
from comfytui.workflow.graph import Workflow, apply_values

MODEL = Finding("missing_choice", "no model", "4", input_name="ckpt_name")
BOTH = Finding("missing_choice", "no clip", "6", input_name="note", more_nodes=("7",))
CLASS = Finding("unknown_class", "no class", "9")


def workflow() -> Workflow:
    graph = apply_values(txt2img(), {"model": "gone.ckpt"})
    nodes = {node_id: {**graph[node_id], "inputs": {**graph[node_id]["inputs"], "note": 3}} for node_id in ("6", "7")}
    return replace(txt2img(), graph={**graph, **nodes}, findings=(MODEL, BOTH, CLASS))


def test_input_is_a_field_or_one_of_a_node() -> None:
    assert finding_keys(workflow(), MODEL) == ("model",)
    assert finding_keys(workflow(), BOTH) == ("6.note", "7.note")
    assert finding_keys(workflow(), CLASS) == ()


def test_finding_holds_until_every_value_is_replaced() -> None:
    assert valid_findings(workflow(), {}) == (MODEL, BOTH, CLASS)
    assert valid_findings(workflow(), {"model": "gone.ckpt", "6.note": "4"}) == (MODEL, BOTH, CLASS)
    assert valid_findings(workflow(), {"model": "other.ckpt"}) == (BOTH, CLASS)
    assert valid_findings(workflow(), {"6.note": "4", "7.note": "5"}) == (MODEL, CLASS)


def test_switch_that_is_as_it_was_is_not_replaced() -> None:
    graph = {"4": {"class_type": "A", "inputs": {"on": True}}}
    switch = Finding("missing_choice", "no switch", "4", input_name="on")
    assert valid_findings(replace(workflow(), graph=graph, findings=(switch,)), {"4.on": "true"}) == (switch,)


def test_one_that_keeps_the_workflow_from_being_queued_always_holds() -> None:
    blocking = replace(MODEL, blocks=True)
    assert valid_findings(replace(workflow(), findings=(blocking,)), {"model": "other.ckpt"}) == (blocking,)


def test_graph_of_anything_is_no_error() -> None:
    graphs: list[dict[str, Any]] = [{}, {"4": 7}, {"4": {"inputs": []}}]
    for graph in graphs:
        assert valid_findings(replace(workflow(), graph=graph), {"model": "gone.ckpt"}) == (BOTH, CLASS)
