"""What the editor sends for workflows that were changed after they were saved, as it was recorded for templates."""

from typing import Any

from tests.workflow.editor.corpus import converted
from tests.workflow.editor.test_rules import graph_of, linked, node, values_of


def test_an_input_that_follows_its_link_asks_a_bypassed_node_for_the_saved_type() -> None:
    bypassed = node(
        "GetImageSize", 2, mode=4, inputs=[linked("image", 1, "IMAGE")], outputs=[{"type": "INT", "links": [2]}]
    )
    graph = graph_of(
        node("LoadImage", 1, outputs=[{"type": "IMAGE", "links": [1]}]),
        bypassed,
        node("ComfySwitchNode", 3, inputs=[linked("on_true", 2, "INT")]),
        links=[[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "INT"]],
    )
    assert graph["3"] == {"switch": False}


def test_ids_of_the_root_are_avoided_and_do_not_raise_the_next_one() -> None:
    definition = {"id": "sub", "nodes": [node("TNum", 4), node("TNum", 5)], "links": []}
    graph = graph_of(
        node("TNum", 4), node("sub", 900), node("TNum", 11), last_node_id=10, definitions={"subgraphs": [definition]}
    )
    assert set(graph) == {"4", "11", "900:12", "900:5"}


def test_a_custom_choice_of_nothing_is_its_first_text() -> None:
    texts = ["red", "blue", ""]
    inner = node("CustomCombo", 4, inputs=[{**linked("choice", 7), "widget": {"name": "choice"}}])
    definition = {
        "id": "sub",
        "nodes": [{**inner, "widgets_values": ["blue", 1, *texts]}],
        "links": [{"id": 7, "origin_id": -10, "origin_slot": 0, "target_id": 4, "target_slot": 0, "type": "COMBO"}],
        "inputs": [{"name": "choice", "type": "COMBO", "linkIds": [7]}],
    }
    instance = node("sub", 1, inputs=[{"name": "choice", "type": "COMBO", "link": None}], widgets_values=[None])
    own = node("CustomCombo", 2, widgets_values=[None, 0, *texts])
    graph = graph_of(instance, own, definitions={"subgraphs": [definition]})
    assert (graph["1:4"]["choice"], graph["2"]["choice"]) == ("red", "red")


def test_choices_that_are_read_from_a_path_have_a_switch_that_is_not_sent() -> None:
    definition: dict[str, Any] = {"required": {"voice": ["COMBO", {"remote": {"route": "/voices"}}], "n": ["INT", {}]}}
    assert values_of(definition, ["deep", False, 3]) == {"voice": "deep", "n": 3}


def test_the_picture_of_a_saved_mesh_is_empty_whatever_is_saved() -> None:
    graph = graph_of(node("SaveGLB", widgets_values=["mesh/a", {"a": 1}]))
    assert graph["1"] == {"filename_prefix": "mesh/a", "image": ""}


def test_a_scene_is_sent_as_the_user_saw_it_last() -> None:
    camera = {"position": {"x": 1, "y": 2, "z": 3}, "zoom": 2}
    info = {"Preview3DAdvanced": {"input": {"required": {"viewport_state": ["LOAD_3D", {}], "width": ["INT", {}]}}}}
    turned = node("Preview3DAdvanced", 1, widgets_values=["", 512], properties={"Camera Config": {"state": camera}})
    new = node("Preview3DAdvanced", 2, widgets_values=["", 512], properties={"Camera Config": "broken"})
    assert converted({"nodes": [turned, new]}, info).findings == ()
    graph = graph_of(turned, new, info=info)
    assert (graph["1"]["viewport_state"]["camera_info"], graph["1"]["width"]) == (camera, 512)
    assert graph["2"]["viewport_state"]["camera_info"]["position"]["x"] == 10
