"""The fields of official templates, as their graphs are sent by ComfyUI's editor."""

import json

import pytest

from comfytui.workflow.fields import find_fields
from comfytui.workflow.graph import apply_values, read_values, workflow_of
from comfytui.workflow.node_inputs import node_inputs
from comfytui.workflow.nodes import nodes_of
from tests.workflow.editor.corpus import FOLDER, object_info, templates

LISTS = {"ImageCompare", "CurveEditor", "ImageCompositor", "BuildJsonPromptIdeogram", "CreateBoundingBoxes"}
"""Classes with values that are lists or objects."""
DRAWN = {"Load3D", "Painter"}
"""Classes whose pictures are made in the browser."""


def expected() -> dict[str, list[str]]:
    """Return the lines of each template: a key and its slots."""
    fields: dict[str, list[str]] = {}
    for line in (FOLDER / "fields.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            lines = fields[line.removeprefix("# ")] = []
        else:
            lines.append(line)
    return fields


EXPECTED = expected()
GRAPHS = {each.name: each.graph for each in templates()}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_template_has_exactly_these_fields(name: str) -> None:
    found = find_fields(GRAPHS[name])
    slots = {key: " ".join(f"{slot.node_id}.{slot.input_name}" for slot in group) for key, group in found.items()}
    assert [f"{key} {each}" for key, each in slots.items()] == EXPECTED[name]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_template_whose_values_are_set_again_stays_the_same(name: str) -> None:
    workflow = workflow_of(name, GRAPHS[name])
    assert apply_values(workflow, read_values(workflow)) == workflow.graph
    inputs = [each for group in node_inputs(workflow.graph, object_info()) for each in group.inputs]
    assert json.dumps(apply_values(workflow, {each.key: each.value for each in inputs}, object_info())) == json.dumps(
        {**workflow.graph}
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_every_value_of_every_node_is_an_input(name: str) -> None:
    graph = GRAPHS[name]
    shown = {each.slot for group in node_inputs(graph, object_info()) for each in group.inputs}
    names = {(slot.node_id, slot.input_name) for slot in shown}
    for node in nodes_of(graph).values():
        values = {input_name for input_name in node.inputs if input_name not in node.links}
        missing = {each for each in values if (node.id, each) not in names}
        assert not missing or node.class_type in LISTS | DRAWN
