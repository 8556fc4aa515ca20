"""Validation of broken graphs: the server responds 400 with the reasons, and goes on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.execution.validate import validate_prompt
from tests.sim.graphs import Graph, inverted, text_to_image

NODES = catalogue(SimConfig())


def _reasons(graph: Graph) -> dict[str, list[str]]:
    verdict = validate_prompt(graph, NODES, lambda name: False)
    assert verdict.error is not None
    return {node: [error["type"] for error in entry["errors"]] for node, entry in verdict.node_errors.items()}


def _changed(node: str, name: str, value: Any) -> Graph:
    graph = text_to_image()
    graph[node]["inputs"][name] = value
    return graph


@pytest.mark.parametrize(
    ("graph", "reasons"),
    [
        (_changed("3", "steps", "many"), {"3": ["invalid_input_type"]}),
        (_changed("3", "cfg", 101), {"3": ["value_bigger_than_max"]}),
        (_changed("3", "seed", 2**64), {"3": ["value_bigger_than_max"]}),
        (_changed("3", "sampler_name", "eule"), {"3": ["value_not_in_list"]}),
        (_changed("3", "model", ["4", 1]), {"3": ["return_type_mismatch"]}),
        (_changed("3", "model", ["4"]), {"3": ["bad_linked_input"]}),
        (_changed("6", "clip", ["6", 0]), {"6": ["return_type_mismatch"]}),
        (_changed("3", "latent_image", ["3", 0]), {"3": ["dependency_cycle"]}),
        (inverted("nothing.png"), {"1": ["custom_validation_failed"]}),
    ],
)
def test_a_bad_graph_is_rejected_with_its_reasons(graph: Graph, reasons: dict[str, list[str]]) -> None:
    assert _reasons(graph) == reasons


def test_a_missing_input_is_named() -> None:
    graph = text_to_image()
    del graph["3"]["inputs"]["seed"]
    assert _reasons(graph) == {"3": ["required_input_missing"]}


def test_a_long_list_of_choices_is_not_included_in_the_error() -> None:
    verdict = validate_prompt(_changed("3", "sampler_name", "eule"), NODES, lambda name: False)
    error = verdict.node_errors["3"]["errors"][0]
    assert error["details"] == "sampler_name: 'eule' not in (list of length 44)"
    assert error["extra_info"]["input_config"] is None


def test_one_good_output_is_enough() -> None:
    graph = text_to_image()
    graph["10"] = {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}}
    verdict = validate_prompt(graph, NODES, lambda name: False)
    assert (verdict.error, verdict.outputs) == (None, ("9",))
    assert [error["details"] for error in verdict.node_errors["10"]["errors"]] == ["filename_prefix"]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.one_of(st.sampled_from("123"), st.integers(-1, 3)), max_size=3),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)


@given(st.data())
def test_no_value_breaks_the_validation(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(NODES)), min_size=1, max_size=3))
    graph = {
        str(place): {"class_type": kind, "inputs": {name: data.draw(VALUES) for name in NODES[kind].inputs}}
        for place, kind in enumerate([*kinds, "PreviewImage"], start=1)
    }
    verdict = validate_prompt(graph, NODES, lambda name: False)
    assert bool(verdict.outputs) == (verdict.error is None)
