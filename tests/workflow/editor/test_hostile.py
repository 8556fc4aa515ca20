"""Whatever is in a file, or in a server's definitions, a conversion ends soon, with a graph that is well-formed."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.convert import Conversion
from tests.resources import cpu_limit
from tests.workflow.editor.corpus import cases, converted, object_info, templates

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
IDS = st.integers(-20, 6) | st.sampled_from(["1", "2", "x", "", "\x1b[31m", 1.0, True, 2**70])
CLASSES = st.sampled_from(
    [
        *("TNum", "TSink", "TPass", "TModel", "TDyn", "CustomCombo", "SaveVideo", "BatchImagesNode", "Load3D", "Nope"),
        *("PrimitiveNode", "Reroute", "GetNode", "SetNode", "Note", "s0", "s1", "s2", "workflow>a"),
    ]
)
NAMES = st.sampled_from(["", "i", "f", "s", "model", "images", "any", "text", "format.codec", "gone", "\x1b]0;a"])
TYPES = st.sampled_from(["*", "", "INT", "MODEL", "IMAGE", "IMAGE,MASK"]) | JSON
INPUTS = st.fixed_dictionaries(
    {"name": NAMES, "type": TYPES, "link": IDS | st.none()}, optional={"widget": st.fixed_dictionaries({"name": NAMES})}
)
PROXIES = st.lists(st.tuples(st.sampled_from(["-1", "1", "2", "3"]), st.sampled_from(["s", "i", "1: s"])).map(list))
NODES = st.fixed_dictionaries(
    {"id": IDS, "type": CLASSES},
    optional={
        "mode": st.sampled_from([0, 2, 4]) | JSON,
        "inputs": st.lists(INPUTS | JSON, max_size=4),
        "outputs": st.lists(st.fixed_dictionaries({"type": TYPES, "links": st.lists(IDS)}) | JSON, max_size=2),
        "widgets_values": JSON | st.lists(st.sampled_from([5, 1.5, "a", True, None, [1], {"lora": 1}]), max_size=6),
        "properties": st.fixed_dictionaries({}, optional={"proxyWidgets": PROXIES | JSON, "models": JSON}) | JSON,
        "title": JSON,
    },
)
LINKS = st.tuples(IDS, IDS, IDS, IDS, IDS, TYPES).map(list) | st.fixed_dictionaries(
    {"id": IDS, "origin_id": IDS | st.just(-10), "origin_slot": IDS, "target_id": IDS, "target_slot": IDS}
)
SIDES = st.lists(st.fixed_dictionaries({"name": NAMES, "type": TYPES, "linkIds": st.lists(IDS)}) | JSON, max_size=3)
GRAPHS = {"nodes": st.lists(NODES | JSON, max_size=6), "links": st.lists(LINKS | JSON, max_size=6)}
SUBGRAPHS = st.fixed_dictionaries(
    {"id": st.sampled_from(["s0", "s1", "s2"]), "inputs": SIDES, "outputs": SIDES, **GRAPHS}
)
WORKFLOWS = st.fixed_dictionaries(
    {**GRAPHS, "definitions": st.fixed_dictionaries({"subgraphs": st.lists(SUBGRAPHS | JSON, max_size=3)}) | JSON},
    optional={"last_node_id": JSON, "extra": JSON, "state": JSON, "models": JSON},
)
MANY = 20_000
EXAMPLES = [*templates(), *cases()]


def check(conversion: Conversion) -> None:
    """Check that each link leads to a node, each finding is one line, and each promoted slot is there."""
    json.dumps(conversion.graph)
    for node in conversion.graph.values():
        for value in node["inputs"].values():
            if isinstance(value, list):
                source, slot = value
                assert source in conversion.graph
                assert isinstance(slot, int)
    for slot_of in conversion.promoted:
        assert slot_of.input_name in conversion.graph[slot_of.node_id]["inputs"]
    for finding in conversion.findings:
        assert finding.message == sanitize(finding.message, 2_000)
        assert finding.message.endswith(".")
        assert (
            finding.node_id is None or finding.node_id in conversion.graph or finding.kind in {"circle", "broken_link"}
        )


@given(JSON | WORKFLOWS)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_json_is_converted(workflow: Any) -> None:
    check(converted(workflow))


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_workflow_with_a_few_wrong_values_is_converted(data: st.DataObject) -> None:
    workflow = deepcopy(data.draw(st.sampled_from(EXAMPLES)).workflow)
    for _ in range(data.draw(st.integers(1, 6))):
        spoil(workflow, data)
    check(converted(workflow))


def spoil(document: Any, data: st.DataObject) -> None:
    """Replace one value, anywhere in a document."""
    for depth in range(20):
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if depth and (not isinstance(document[key], dict | list) or data.draw(st.integers(0, 5)) == 0):
            document[key] = data.draw(JSON | IDS)
            return
        document = document[key] if isinstance(document[key], dict | list) else document


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_definitions_will_do(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(EXAMPLES))
    used = sorted({node["type"] for node in example.workflow["nodes"] if node["type"] in object_info()})
    info = dict(object_info())
    for class_type in used[:3]:
        info[class_type] = deepcopy(info[class_type])
        spoil(info[class_type], data)
        if data.draw(st.integers(0, 9)) == 0:
            info[class_type] = data.draw(JSON)
    check(converted(example.workflow, info))


def subgraph(number: int, *nodes: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "name": f"s{number}", "nodes": [*nodes], "links": [], **others}


def with_subgraphs(*subgraphs: dict[str, Any], count: int = 1) -> dict[str, Any]:
    nodes = [{"id": number, "type": "s0"} for number in range(count)]
    return {"nodes": nodes, "links": [], "definitions": {"subgraphs": list(subgraphs)}}


def nested(levels: int, instances: int) -> dict[str, Any]:
    def holds(level: int) -> Iterator[dict[str, Any]]:
        for number in range(instances):
            yield {"id": 10 + level * instances + number, "type": f"s{level + 1}"}

    return with_subgraphs(
        *(subgraph(level, *holds(level)) for level in range(levels)), subgraph(levels, {"id": 9, "type": "TModel"})
    )


def chain(link_type: str, mode: int, *, is_circle: bool = False) -> dict[str, Any]:
    middle = [
        {
            "id": number,
            "type": link_type,
            "mode": mode,
            "inputs": [{"name": "model", "type": "MODEL", "link": number - 1}],
            "outputs": [{"type": "MODEL"}],
        }
        for number in range(1, MANY)
    ]
    ends = [
        {"id": MANY + number, "type": "TSink", "inputs": [{"name": "model", "type": "MODEL", "link": MANY - 1}]}
        for number in range(MANY)
    ]
    links = [[number, number, 0, number + 1, 0, "MODEL"] for number in range(MANY)]
    if is_circle:
        links[0][1] = MANY - 1
    return {"nodes": [{"id": 0, "type": "TModel"}, *middle, *ends], "links": links}


LARGE: dict[str, Callable[[], dict[str, Any]]] = {
    "nodes": lambda: {
        "nodes": [{"id": number, "type": "TNum", "widgets_values": [8, 1.5, "a", True, "u"]} for number in range(MANY)]
    },
    "nodes with one id": lambda: {"nodes": [{"id": 1, "type": "TModel"}] * MANY},
    "unknown classes": lambda: {"nodes": [{"id": number, "type": f"X{number}"} for number in range(MANY)]},
    "a chain of reroutes": lambda: chain("Reroute", 0),
    "a circle of reroutes": lambda: chain("Reroute", 0, is_circle=True),
    "a chain of bypassed nodes": lambda: chain("TPass", 4),
    "subgraphs that hold two of the next": lambda: nested(60, 2),
    "deeply nested subgraphs": lambda: nested(5_000, 1),
    "instances of a subgraph with many inputs": lambda: with_subgraphs(
        subgraph(0, {"id": -1, "type": "TModel"}, inputs=[{"name": f"i{number}"} for number in range(10_000)]),
        count=MANY,
    ),
    "primitives without targets": lambda: {
        "nodes": [{"id": number, "type": "PrimitiveNode", "widgets_values": [1]} for number in range(MANY)],
        "links": [[number, number, 0, 0, 0, "INT"] for number in range(MANY)],
    },
    "braces and comments": lambda: {
        "nodes": [{"id": 1, "type": "TDyn", "widgets_values": ["{" * MANY + "/*" * MANY + "}" * MANY]}]
    },
    "names between percent signs": lambda: {
        "nodes": [{"id": 1, "type": "SaveImage", "widgets_values": ["%a.b%" * MANY]}]
    },
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_is_converted_in_a_few_seconds(name: str) -> None:
    workflow = {"links": [], **LARGE[name]()}
    with cpu_limit(15):
        conversion = converted(workflow)
    check(conversion)
    assert len(conversion.findings) < 100


def test_choices_without_end_are_searched_in_a_few_seconds() -> None:
    options = [f"folder/model_{number:07}_fp16.safetensors" for number in range(200_000)]
    info = {"TModel": {"input": {"required": {"name": [options]}}}}
    nodes = [{"id": number, "type": "TModel", "widgets_values": [f"modell_{number}.ckpt"]} for number in range(200)]
    with cpu_limit(15):
        conversion = converted({"nodes": nodes, "links": []}, info)
    assert len(conversion.findings) == 51
    assert conversion.findings[-1].message == "There are 150 more of this kind: missing choice."


def test_subgraphs_in_a_circle_are_refused() -> None:
    inner = subgraph(1, {"id": 12, "type": "s0"}, {"id": 13, "type": "TModel"})
    conversion = converted(with_subgraphs(subgraph(0, {"id": 11, "type": "s1"}), inner))
    (finding,) = [each for each in conversion.findings if each.blocks]
    assert finding.kind == "circle"
    assert finding.message == "The subgraph “s0” contains itself: it cannot be run."
    assert list(conversion.graph) == ["0:11:13"]


def test_subgraphs_that_grow_exponentially_are_refused() -> None:
    conversion = converted(nested(60, 2))
    assert [each.kind for each in conversion.findings if each.blocks] == ["too_large"]
    assert conversion.graph == {}


def test_eight_levels_of_two_are_no_trouble() -> None:
    assert len(converted(nested(8, 2)).graph) == 2**8
