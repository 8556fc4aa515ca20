"""Documents become workflows: graphs as they are, the editor's format with a server's definitions."""

from datetime import datetime
from random import Random

import pytest

from comfytui.workflow.conversion import obstacles, warnings, workflow_from
from comfytui.workflow.documents import WorkflowDocument, document_from_json
from comfytui.workflow.editor.class_types import class_types
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Workflow, read_values
from tests.workflow.editor.corpus import object_info, templates
from tests.workflow.graphs.editor import MODEL, editor_txt2img, node
from tests.workflow.graphs.stable_diffusion import sd15


def workflow_of(document: WorkflowDocument) -> Workflow:
    return workflow_from(document, object_info(), datetime.now(), Random(1))


def test_a_workflow_of_the_editor_has_fields_to_set() -> None:
    workflow = workflow_of(document_from_json(editor_txt2img(), "fox", "it"))
    values = read_values(workflow)
    assert (values[Field.PROMPT], values[Field.MODEL], values[Field.STEPS]) == ("a red fox", MODEL, 4)
    assert workflow.name == "fox"
    assert workflow.editor == editor_txt2img()


def test_a_graph_that_a_file_has_is_not_converted_again() -> None:
    both = {"prompt": sd15(), "workflow": editor_txt2img("another prompt")}
    workflow = workflow_of(document_from_json(both, "both", "it"))
    assert workflow.graph == sd15()
    assert workflow.editor == editor_txt2img("another prompt")
    assert workflow.findings == ()


def test_a_number_that_json_does_not_have_is_refused() -> None:
    workflow = editor_txt2img()
    workflow["nodes"][4]["widgets_values"][3] = float("nan")
    with pytest.raises(WorkflowError, match="not a number"):
        workflow_of(document_from_json(workflow, "fox", "it"))


def test_what_the_editor_shows_on_a_subgraph_is_promoted() -> None:
    example = next(each for each in templates() if each.name == "image_z_image_turbo.json")
    workflow = workflow_of(document_from_json(example.workflow, "turbo", "it"))
    assert workflow.promoted
    assert all(slot.input_name in workflow.graph[slot.node_id]["inputs"] for slot in workflow.promoted)


def test_the_classes_that_a_conversion_needs_are_those_of_all_nodes() -> None:
    subgraph = {"id": "a-b", "nodes": [{"id": 1, "type": "Inner"}, {"id": 2, "type": "c-d"}]}
    other = {"id": "c-d", "nodes": [{"id": 3, "type": "Innermost"}]}
    outer = [{"id": 1, "type": "a-b"}, {"id": 2, "type": "Outer"}]
    workflow = {"nodes": outer, "definitions": {"subgraphs": [subgraph, other]}}
    assert class_types(workflow) == {"Outer", "Inner", "Innermost"}


def test_what_several_nodes_lack_is_told_unless_all_of_them_get_another_value() -> None:
    nodes = [node(number, "LoraLoaderModelOnly", ["gone", 1.0]) for number in (1, 2)]
    workflow = workflow_of(document_from_json({"nodes": nodes}, "it", "it"))
    keys = ["1.lora_name", "2.lora_name"]
    assert [len(warnings(workflow, given)) for given in ([], keys[:1], keys)] == [1, 1, 0]


@pytest.mark.parametrize("workflow", [None, [], {"nodes": 1}, {"nodes": [1, {"id": 1}]}])
def test_what_is_no_workflow_needs_no_classes(workflow: object) -> None:
    assert class_types(workflow) == frozenset()


def test_a_workflow_of_which_nothing_runs_cannot_be_queued() -> None:
    workflow = editor_txt2img()
    for each in workflow["nodes"]:
        each["mode"] = 2
    [obstacle] = obstacles(workflow_of(document_from_json(workflow, "fox", "it")))
    assert "nothing to queue" in obstacle
    assert obstacles(workflow_of(document_from_json(editor_txt2img(), "fox", "it"))) == ()
