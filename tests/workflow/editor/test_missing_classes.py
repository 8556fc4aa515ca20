"""Which values are known where a server lacks classes of a workflow, or inputs of them: no other is ever shown."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from tests.workflow.editor.corpus import MADE_BY_BROWSER, Example, converted, is_same, object_info, templates

LOADER: dict[str, Any] = {"input": {"required": {"file": ["STRING"]}}}
SAMPLER: dict[str, Any] = {"input": {"required": {"seed": ["INT"], "steps": ["INT"]}}}


def widget(name: str, link: int) -> dict[str, Any]:
    return {"name": name, "type": "*", "link": link, "widget": {"name": name}}


def two_in_a_subgraph(**properties: Any) -> dict[str, Any]:
    """Return a workflow whose subgraph has a loader's file and a sampler's steps for inputs."""
    inside = [
        {"id": 1, "type": "Loader", "inputs": [widget("file", 1)], "widgets_values": ["inner"]},
        {"id": 2, "type": "Sampler", "inputs": [widget("steps", 2)], "widgets_values": [7, "fixed", 20]},
    ]
    links = [
        {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0, "type": "*"},
        {"id": 2, "origin_id": -10, "origin_slot": 1, "target_id": 2, "target_slot": 1, "type": "*"},
    ]
    inputs = [{"name": "file", "type": "*", "linkIds": [1]}, {"name": "steps", "type": "*", "linkIds": [2]}]
    definition = {"id": "sub", "nodes": inside, "links": links, "inputs": inputs}
    host = {"id": 9, "type": "sub", "widgets_values": ["outer", 30], **properties}
    return {"nodes": [host], "links": [], "definitions": {"subgraphs": [definition]}}


def values(workflow: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    return {node_id: node["inputs"] for node_id, node in converted(workflow, info).graph.items()}


def test_values_of_an_instance_stay_at_their_names_if_a_class_is_missing() -> None:
    workflow = two_in_a_subgraph()
    everything = {"9:1": {"file": "outer"}, "9:2": {"seed": 7, "steps": 30}}
    assert values(workflow, {"Loader": LOADER, "Sampler": SAMPLER}) == everything
    assert values(workflow, {"Sampler": SAMPLER}) == everything
    assert values(workflow, {"Loader": LOADER}) == {"9:1": {"file": "outer"}, "9:2": {"steps": 30}}


def test_values_of_an_instance_stay_at_their_names_if_a_class_lacks_an_input() -> None:
    old_loader: dict[str, Any] = {"input": {"required": {}}}
    found = values(two_in_a_subgraph(), {"Loader": old_loader, "Sampler": SAMPLER})
    assert found == {"9:1": {}, "9:2": {"seed": 7, "steps": 30}}


def test_values_in_the_order_of_proxy_widgets_stay_at_their_names_if_a_class_is_missing() -> None:
    order = {"properties": {"proxyWidgets": [["2", "steps"], ["1", "file"]]}, "widgets_values": [30, "outer"]}
    found = values(two_in_a_subgraph(**order), {"Sampler": SAMPLER})
    assert found == {"9:1": {"file": "outer"}, "9:2": {"seed": 7, "steps": 30}}


def test_a_value_that_is_not_known_is_not_sent() -> None:
    workflow = two_in_a_subgraph(widgets_values=[])
    assert values(workflow, {"Sampler": SAMPLER}) == {"9:1": {}, "9:2": {"seed": 7, "steps": 20}}


def test_a_primitive_without_a_value_leaves_what_is_known() -> None:
    primitive = {"id": 1, "type": "PrimitiveNode", "outputs": [{"type": "INT", "links": [1, 2]}]}
    gone = {"id": 2, "type": "Gone", "inputs": [widget("n", 1)]}
    sampler = {"id": 3, "type": "Sampler", "inputs": [widget("seed", 2)], "widgets_values": [7, "fixed", 20]}
    links = [[1, 1, 0, 2, 0, "INT"], [2, 1, 0, 3, 0, "INT"]]
    found = values({"nodes": [primitive, gone, sampler], "links": links}, {"Sampler": SAMPLER})
    assert found["3"] == {"seed": 7, "steps": 20}


def test_a_file_name_keeps_what_stands_for_a_value_that_is_not_known() -> None:
    gone = {"id": 1, "type": "Gone", "title": "Gone", "inputs": [{"name": "n", "type": "INT", "widget": {"name": "n"}}]}
    save = {"id": 2, "type": "SaveImage", "widgets_values": ["%Gone.n%"]}
    info = {"SaveImage": {"input": {"required": {"filename_prefix": ["STRING"]}}}}
    assert values({"nodes": [gone, save], "links": []}, info)["2"] == {"filename_prefix": "%Gone.n%"}


@pytest.mark.parametrize("seed", range(3))
def test_no_value_of_a_template_is_at_another_name_if_classes_are_missing(seed: int) -> None:
    rng, wrong = Random(seed), list[str]()
    for template in templates():
        gone = some_classes(template, rng) if seed else classes_of(template)
        wrong += misplaced(template, {name: each for name, each in object_info().items() if name not in gone})
    assert wrong == []


@pytest.mark.parametrize("seed", range(2))
def test_no_value_of_a_template_is_at_another_name_if_classes_lack_inputs(seed: int) -> None:
    rng, wrong = Random(seed), list[str]()
    for template in templates():
        old = some_classes(template, rng)
        info = {name: older(each) if name in old else each for name, each in object_info().items()}
        wrong += misplaced(template, info, besides=old)
    assert wrong == []


def classes_of(template: Example) -> set[str]:
    return {node["class_type"] for node in template.graph.values() if "class_type" in node}


def some_classes(template: Example, rng: Random) -> set[str]:
    classes = sorted(classes_of(template))
    return set(rng.sample(classes, -(-len(classes) // 3)))


def older(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition as a server had it before the class got its last inputs."""
    changed = deepcopy(definition)
    for inputs in changed["input"].values():
        if isinstance(inputs, dict) and inputs:
            inputs.popitem()
    changed.pop("input_order", None)
    return changed


def misplaced(template: Example, info: Mapping[str, Any], besides: Collection[str] = ()) -> list[str]:
    """Return the values that a server with all classes would not get, besides those of some classes."""
    return [
        f"{template} {node_id} {node['class_type']}.{name}: {value!r}"
        for node_id, node in converted(template.workflow, info).graph.items()
        for name, value in node["inputs"].items()
        if node["class_type"] not in besides and (node["class_type"], name) not in MADE_BY_BROWSER
        if "class_type" in template.graph[node_id] and not isinstance(value, list)
        if not is_same(template.graph[node_id]["inputs"].get(name), value)
    ]
