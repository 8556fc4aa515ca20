"""Rules that no official template needs and no recorded case has."""

from datetime import datetime
from random import Random
from typing import Any

import pytest

from comfytui.workflow.editor.class_types import class_types
from comfytui.workflow.editor.convert import convert
from comfytui.workflow.editor.dynamic_prompts import expand_dynamic_prompt
from comfytui.workflow.editor.text_replacements import format_date
from tests.workflow.editor.corpus import NOW, converted, object_info, templates


def node(class_type: str, node_id: int | str = 1, **others: Any) -> dict[str, Any]:
    return {"id": node_id, "type": class_type, **others}


def linked(name: str, link: int, slot_type: str = "*") -> dict[str, Any]:
    return {"name": name, "type": slot_type, "link": link}


def graph_of(*nodes: dict[str, Any], info: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    graph = converted({"nodes": list(nodes), "links": [], **others}, info).graph
    return {node_id: each["inputs"] for node_id, each in graph.items()}


def values_of(definition: dict[str, Any], values: object) -> dict[str, Any]:
    inputs: dict[str, Any] = graph_of(node("A", widgets_values=values), info={"A": {"input": definition}})["1"]
    return inputs


@pytest.mark.parametrize(
    ("spec", "default"),
    [
        (["INT"], 0),
        (["FLOAT", {}], 0),
        (["BOOLEAN", {"default": None}], False),
        (["STRING", {}], ""),
        (["COLOR", {}], "#000000"),
        (["CURVE", {"default": {"points": []}}], {"points": []}),
        ([["a", "b"], {"default": ""}], "a"),
        (["COMBO", {"options": ["a", "b"], "default": "b"}], "b"),
        (["FLOAT,INT", {"widgetType": "FLOAT", "default": 2}], 2),
    ],
)
def test_a_widget_without_a_saved_value_has_its_default(spec: list[Any], default: object) -> None:
    assert values_of({"required": {"x": spec}}, []) == {"x": default}


@pytest.mark.parametrize("spec", [["STRING,INT", {}], ["CURVE"], ["COMBO", {"options": []}], ["COMBO", {"remote": {}}]])
def test_what_has_no_value_at_all_is_not_sent(spec: list[Any]) -> None:
    assert values_of({"required": {"x": spec}}, []) == {}


def test_a_refresh_button_and_its_switch_take_two_places() -> None:
    remote = ["COMBO", {"remote": {"route": "/x", "refresh_button": True}}]
    values = values_of({"required": {"voice": remote, "n": ["INT"]}}, ["v", False, "refresh", 7])
    assert values == {"voice": "v", "refresh": "refresh", "n": 7}


def test_dynamic_inputs_are_nested_as_deep_as_it_goes() -> None:
    def combo(**branches: Any) -> list[Any]:
        options = [{"key": key, "inputs": inputs} for key, inputs in branches.items()]
        return ["COMFY_DYNAMICCOMBO_V3", {"options": options}]

    deep = combo(x={"optional": {"n": ["INT"]}})
    definition = {"required": {"c": combo(a={}, b={"required": {"deep": deep}}), "last": ["STRING"]}}
    assert values_of(definition, ["b", "x", 5, "end"]) == {"c": "b", "c.deep": "x", "c.deep.n": 5, "last": "end"}
    assert values_of(definition, ["a", "end"]) == {"c": "a", "last": "end"}
    assert values_of(definition, [None, "end"]) == {"c": "a", "last": "end"}


def test_growing_widgets_of_a_template_with_two_inputs_have_their_own_names() -> None:
    inputs = {"image": ["IMAGE"], "weight": ["FLOAT", {"default": 1}]}
    template = {"input": {"required": inputs}, "prefix": "p", "min": 0}
    saved = node("A", 2, inputs=[linked("rows.image0", 1)], widgets_values=[0.5])
    info = {"A": {"input": {"required": {"rows": ["COMFY_AUTOGROW_V3", {"template": template}]}}}, "B": {"input": {}}}
    graph = graph_of(node("B"), saved, info=info, links=[[1, 1, 0, 2, 0, "IMAGE"]])
    assert graph["2"] == {"rows.weight0": 0.5, "rows.weight1": 1, "rows.image0": ["1", 0]}


def test_values_by_name_are_sent_with_what_the_class_does_not_declare() -> None:
    values = {"rate": 8, "crf": 19, "pix_fmt": "yuv420p", "save": True, "videopreview": {"a": 1}, "x": None, "y": [1]}
    sent = values_of({"required": {"rate": ["INT"], "loops": ["INT", {"default": 2}]}}, values)
    assert sent == {"rate": 8, "loops": 2, "crf": 19, "pix_fmt": "yuv420p", "save": True}


def test_rows_of_the_power_lora_loader_are_sent_by_number() -> None:
    rows: list[dict[str, Any]] = [{}, {"type": "PowerLoraLoaderHeaderWidget"}]
    rows += [{"on": on, "lora": name, "strength": 0.5, "strengthTwo": None} for on, name in ((True, "a"), (False, "b"))]
    name = "Power Lora Loader (rgthree)"
    inputs = graph_of(node(name, widgets_values=[*rows, ""]), info={name: {"input": {}}})["1"]
    assert inputs == {
        "lora_1": {"on": True, "lora": "a", "strength": 0.5},
        "lora_2": {"on": False, "lora": "b", "strength": 0.5},
    }


def test_a_reroute_of_a_pack_passes_on_its_input() -> None:
    reroute = node("Reroute (rgthree)", 2, inputs=[linked("", 1)], outputs=[{"type": "*"}])
    sink = node("TSink", 3, inputs=[linked("model", 2, "MODEL")])
    graph = graph_of(node("TModel"), reroute, sink, links=[[1, 1, 0, 2, 0, "*"], [2, 2, 0, 3, 0, "*"]])
    assert graph == {"1": {"name": "m1"}, "3": {"model": ["1", 0]}}


def test_a_getter_without_a_setter_gives_nothing_and_is_told() -> None:
    getter = node("GetNode", 2, widgets_values=["IM"])
    conversion = converted(
        {"nodes": [getter, node("TSink", 3, inputs=[linked("images", 1)])], "links": [[1, 2, 0, 3, 0, "IMAGE"]]}
    )
    assert conversion.graph["3"]["inputs"] == {}
    assert [each.message for each in conversion.findings] == ["Node 2 gets “IM”, which no node sets: it gives nothing."]


def test_ids_of_subgraphs_that_were_met_before_are_renumbered() -> None:
    inner = [node("TModel", 5), node("TSink", 6, inputs=[linked("model", 1, "MODEL")])]
    links = [{"id": 1, "origin_id": 5, "origin_slot": 0, "target_id": 6, "target_slot": 0}]
    definition = {"id": "sub", "nodes": inner, "links": links, "inputs": [], "outputs": []}
    instance = node("sub", 1, properties={"proxyWidgets": [["5", "name"]]}, widgets_values=["m2"])
    graph = graph_of(instance, node("TModel", 5), last_node_id=90, definitions={"subgraphs": [definition]})
    assert graph == {"5": {"name": "m1"}, "1:91": {"name": "m2"}, "1:6": {"model": ["1:91", 0]}}


def test_a_linked_instance_input_goes_before_its_value() -> None:
    inner = node("TDyn", 11, inputs=[linked("text", 1)], widgets_values=["inner", "p"])
    links = [{"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 11, "target_slot": 0}]
    definition = {"id": "sub", "nodes": [inner], "links": links, "inputs": [{"name": "text", "linkIds": [1]}]}
    host = node("sub", 2, inputs=[linked("text", 9)], widgets_values=["host"])
    subgraphs = {"subgraphs": [definition]}
    source = node("TDyn", 1, widgets_values=["a", "b"])
    sent = graph_of(source, host, links=[[9, 1, 0, 2, 0, "*"]], definitions=subgraphs)
    assert sent["2:11"]["text"] == ["1", 0]
    assert graph_of(host, definitions=subgraphs)["2:11"]["text"] == "host"


def test_an_output_fed_from_the_input_side_gives_nothing() -> None:
    links = [{"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": -20, "target_slot": 0}]
    sides = {"inputs": [{"name": "m", "linkIds": [1]}], "outputs": [{"name": "m", "linkIds": [1]}]}
    definition = {"id": "sub", "nodes": [], "links": links, **sides}
    host = node("sub", 2, inputs=[linked("m", 8)])
    sink = node("TSink", 3, inputs=[linked("model", 9, "MODEL")])
    numbers = [[8, 1, 0, 2, 0, "*"], [9, 2, 0, 3, 0, "*"]]
    graph = graph_of(node("TModel"), host, sink, links=numbers, definitions={"subgraphs": [definition]})
    assert graph["3"] == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd hh:mm:ss", "2026-01-02 03:04:05"),
        ("yy/M/d h:m:s", "26/1/2 3:4:5"),
        ("yyy Q", "yyy Q"),
    ],
)
def test_a_date_is_written_in_its_pattern(pattern: str, text: str) -> None:
    assert format_date(pattern, NOW) == text


@pytest.mark.parametrize(
    ("prefix", "sent"),
    [
        ("%date:yyyy-MM-dd%.x", "2026-01-02.x"),
        ("%date:yyyy.MM.dd%/x", "2026/x"),
        ("%date:yyyy.MM%/x", "%date:yyyy.MM%/x"),
        ("%Named.i%-%Named.f%-%Named.b%", "8-1.5-true"),
        ("%TNum.s%", "a_b"),
        ("%Named.nope%%i%%width%", "%Named.nope%%i%%width%"),
    ],
)
def test_a_file_name_prefix_is_filled_in(prefix: str, sent: str) -> None:
    source = node("TNum", 2, title="Named", widgets_values=[8.0, 1.5, "a|b", True, "u"])
    other = node("TNum", 3, properties={"Node name for S&R": "TNum"}, widgets_values=[1, 2, "a|b", True, "u"])
    graph = graph_of(node("SaveImage", widgets_values=[prefix]), source, other)
    assert graph["1"]["filename_prefix"] == sent


def test_a_prefix_of_any_other_class_is_sent_as_it_is() -> None:
    info = {"Other": {"input": {"required": {"filename_prefix": ["STRING"]}}}}
    assert graph_of(node("Other", widgets_values=["%date:yyyy%"]), info=info)["1"] == {"filename_prefix": "%date:yyyy%"}


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("a {red|blue} car // note", {"a red car ", "a blue car "}),
        ("{a|{b|c}}!", {"a!", "b!", "c!"}),
        ("{|x}", {"", "x"}),
        (r"\{a\|b\} {c|\}}", {"{a|b} c", "{a|b} }"}),
        ("x {a|b y", {"x a", "x b y"}),
        ("{a|{b|c}, d", {"a", "b, d", "c, d"}),
        ("}{a|b", {"}a", "}b"}),
        ("{", {""}),
        (r"\\{a|b}", {r"\\a", r"\\b"}),
        (r"\\\{a|b}", {r"\\{a|b}"}),
        (r"{a\\|b}", {r"a\\", "b"}),
        (r"\n{a|b}", {r"\na", r"\nb"}),
        ("a}b|c", {"a}b|c"}),
        ("a/*b\n*/c/*d", {"ac/*d"}),
        ("https://x\ny", {"https:\ny"}),
        ("a\\b", {"a\\b"}),
    ],
)
def test_a_dynamic_prompt_is_drawn(text: str, drawn: set[str]) -> None:
    assert {expand_dynamic_prompt(text, Random(seed))[0] for seed in range(60)} == drawn


def test_equal_randomness_and_time_give_an_equal_graph() -> None:
    workflow = {"nodes": [node("TDyn", widgets_values=["{a|b|c|d|e|f|g|h}" * 4, ""])], "links": []}
    info = {"TDyn": {"input": {"required": {"text": ["STRING", {"dynamicPrompts": True}]}}}}

    def drawn(seed: int) -> object:
        return convert(workflow, info, now=datetime(2026, 1, 1), rng=Random(seed)).graph

    assert drawn(1) == drawn(1)
    assert len({str(drawn(seed)) for seed in range(9)}) > 5


@pytest.mark.parametrize(
    ("options", "value", "pushed"),
    [
        ({"step": 8, "min": 4}, 12, 12),
        ({"step": 8, "min": 4}, 15, 12),
        ({"step": 8, "min": 4}, 16, 20),
        ({"min": 3, "max": 5}, 9, 5),
        ({}, 2**63 + 1, 2**63 + 1),
        ({}, 2.5, 3),
        ({}, "text", "text"),
        ({}, None, None),
        ({"step": 0}, 7, 7),
    ],
)
def test_a_primitive_sets_a_whole_number_within_its_limits(options: dict[str, Any], value: Any, pushed: Any) -> None:
    assert pushed_into("INT", options, value) == pushed


@pytest.mark.parametrize(
    ("options", "value", "pushed"),
    [
        ({}, 1.26, 1.3),
        ({}, 5000.0, 2048),
        ({"min": -10}, -20.5, -10),
        ({"step": 1}, 1.26, 1.26),
        ({"step": 0.01, "round": 0.05}, 1.26, 1.25),
        ({"round": False, "step": 0.001}, 0.12345, 0.123),
        ({"max": 1e300, "min": -1e300}, 1e200, 1e200),
    ],
)
def test_a_primitive_sets_a_fraction_within_its_limits(options: dict[str, Any], value: float, pushed: float) -> None:
    assert pushed_into("FLOAT", options, value) == pytest.approx(pushed)


def pushed_into(kind: str, options: dict[str, Any], value: object) -> object:
    target = node("A", 2, inputs=[{"name": "x", "link": 1, "widget": {"name": "x"}}], widgets_values=[1])
    primitive = node("PrimitiveNode", outputs=[{"type": kind, "links": [1]}], widgets_values=[value, "fixed"])
    info = {"A": {"input": {"required": {"x": [kind, options]}}}}
    return graph_of(primitive, target, info=info, links=[[1, 1, 0, 2, 0, kind]])["2"]["x"]


def test_a_widget_of_an_instance_inside_is_found_by_whose_it_is() -> None:
    texts = [node("TDyn", number, inputs=[linked("text", number)], widgets_values=["x", "p"]) for number in (11, 12)]
    links = [{"id": number, "origin_id": -10, "origin_slot": number - 11, "target_id": number} for number in (11, 12)]
    inputs = [{"name": "text", "linkIds": [11]}, {"name": "text_1", "linkIds": [12]}]
    inner = {"id": "inner", "nodes": texts, "links": links, "inputs": inputs}
    outer = {"id": "outer", "nodes": [node("inner", 31)], "links": []}
    for entry in (["31", "text", "12"], ["31", "12: text"], ["31", "text_1"]):
        host = node("outer", properties={"proxyWidgets": [entry]}, widgets_values=["new"])
        graph = graph_of(host, definitions={"subgraphs": [inner, outer]})
        assert (graph["1:31:11"]["text"], graph["1:31:12"]["text"]) == ("x", "new")


def test_the_definitions_of_the_needed_classes_are_enough() -> None:
    for template in templates():
        needed = class_types(template.workflow)
        info = {name: definition for name, definition in object_info().items() if name in needed}
        assert converted(template.workflow, info) == converted(template.workflow)


def test_needed_classes_are_those_that_a_server_may_have() -> None:
    definition = {"id": "sub", "nodes": [node("TDyn"), node("PrimitiveNode", 2)], "links": []}
    nodes = [node("sub"), node("Note", 2), node("Reroute", 3), node("TNum", 4, mode=2), {"type": "NoId"}]
    workflow = {"nodes": nodes, "definitions": {"subgraphs": [definition]}}
    assert class_types(workflow) == {"TDyn", "TNum"}
    assert class_types("no workflow") == frozenset()
