"""Graphs in the API format are checked before they are sent: what the server lacks, and nothing else."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.editor.graph_checks import check_graph
from comfytui.workflow.graph import apply_values

OBJECT_INFO = {name: node.info() for name, node in catalogue(SimConfig()).items()}


def graph_with(**nodes: dict[str, Any]) -> Mapping[str, Any]:
    return {**apply_values(txt2img(), {}), **nodes}


def messages(graph: Mapping[str, Any], editor: object = None) -> list[str]:
    return [finding.message for finding in check_graph(graph, OBJECT_INFO, editor)]


def test_a_graph_that_the_server_can_run_needs_no_note() -> None:
    assert not messages(graph_with())


def test_an_unknown_class_is_said_with_its_pack_and_does_not_block() -> None:
    graph = graph_with(**{"20": {"class_type": "Fox\x1b[31m", "inputs": {}, "_meta": {"title": "My fox"}}})
    (finding,) = check_graph(graph, OBJECT_INFO)
    assert "lacks the class Fox of node 20 “My fox”" in finding.message
    assert not finding.blocks
    editor = {"nodes": [{"id": 20, "type": "Fox\x1b[31m", "properties": {"cnr_id": "foxes", "ver": "1.2"}}]}
    assert "the pack foxes 1.2" in messages(graph, editor)[0]


def test_models_and_images_that_the_server_lacks_are_said() -> None:
    graph = graph_with(
        **{
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "gone.safetensors"}},
            "20": {"class_type": "LoadImage", "inputs": {"image": "gone.png"}},
        }
    )
    found = " ".join(messages(graph))
    assert "“gone.safetensors” for ckpt_name" in found
    assert "“gone.png” for image" in found


def test_linked_inputs_and_texts_as_numbers_are_no_findings() -> None:
    graph = graph_with(**{"20": {"class_type": "LoadImage", "inputs": {"image": ["9", 0]}}})
    assert not messages(graph)
    latent = {"class_type": "EmptyLatentImage", "inputs": {"width": "64", "height": 64, "batch_size": 1}}
    assert not messages(graph_with(**{"5": latent}))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["class_type", "inputs", "_meta", "title", "image", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=5), VALUES)
def test_any_graph_can_be_checked(graph: dict[str, Any], editor: object) -> None:
    for node in graph.values():
        if isinstance(node, dict):
            node["class_type"] = "LoadImage"
    check_graph(graph, OBJECT_INFO, editor)
