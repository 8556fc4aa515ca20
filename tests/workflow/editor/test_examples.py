"""Official templates and cases of one rule each come out as the editor sends them."""

import json
from copy import deepcopy

import pytest

from tests.resources import cpu_limit
from tests.workflow.editor.corpus import Example, cases, converted, differences, object_info, templates


@pytest.mark.parametrize("template", templates(), ids=str)
def test_a_template_becomes_what_the_editor_sends(template: Example) -> None:
    assert differences(template.graph, json.loads(json.dumps(converted(template.workflow).graph))) == []


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_case_becomes_what_the_editor_sends(case: Example) -> None:
    assert differences(case.graph, json.loads(json.dumps(converted(case.workflow).graph))) == []


def test_there_are_as_many_examples_as_were_recorded() -> None:
    assert (len(templates()), len(cases())) == (60, 49)


def test_a_difference_is_seen() -> None:
    graph = {"1": {"class_type": "A", "inputs": {"x": 1, "y": [1, True]}}, "2": {"class_type": "B", "inputs": {}}}
    assert differences(graph, deepcopy(graph)) == []
    for wrong in ({"x": 2, "y": [1, True]}, {"x": 1, "y": [1, 1]}, {"x": 1}, {"x": 1, "y": [1, True], "z": 0}):
        assert differences(graph, {**graph, "1": {"class_type": "A", "inputs": wrong}})
    assert differences(graph, {"1": graph["1"]})
    assert differences({"1": graph["1"]}, graph)
    assert differences(graph, {**graph, "2": {"class_type": "C", "inputs": {}}})


def test_the_workflow_and_the_definitions_are_not_modified() -> None:
    info = deepcopy(object_info())
    for template in templates()[:10]:
        workflow = deepcopy(template.workflow)
        converted(template.workflow)
        assert template.workflow == workflow
    assert object_info() == info


def test_all_templates_are_converted_in_little_time() -> None:
    with cpu_limit(2):
        for template in templates():
            converted(template.workflow)
