"""The notes in the nodes of a graph, as they are read from graphs of any origin."""

from math import inf
from typing import Any

import pytest

from comfytui.presentation.formatting import cell_text
from comfytui.workflow.annotations import CELL, MAX_LABEL, MAX_VALUE, MAX_VALUES, annotated, cell_of
from comfytui.workflow.parameters import GraphReader, parameters_of


def graph(**cell: Any) -> dict[str, Any]:
    return {"3": annotated({"class_type": "KSampler", "inputs": {}}, CELL, cell)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20, "20"),
        (5.0, "5"),
        (7.5, "7.5"),
        (-0.0, "0"),
        (0.05, "0.05"),
        (1.23456789, "1.23456789"),
        ("euler", "euler"),
        ("xl/base.safetensors", "xl/base"),
        (2**80, str(2**80)),
        (inf, "inf"),
        (True, "True"),
    ],
)
def test_a_value_is_shown_as_it_is_typed(value: object, text: str) -> None:
    assert cell_text(cell_of(graph(CFG=value))) == f"CFG {text}"


def test_the_cell_of_a_hostile_graph_is_small_and_harmless() -> None:
    hostile = {**{f"{n}": n for n in range(100)}, "\x1b[1m" + "l" * 500: "v" * 5_000, "list": [1], "none": None}
    cell = cell_of(
        {"1": annotated({}, CELL, dict(reversed(hostile.items()))), "2": {"_meta": {"comfytui": [1]}}, "3": 7}
    )
    assert len(cell) == MAX_VALUES
    assert all(len(label) <= MAX_LABEL and len(str(value)) <= MAX_VALUE for label, value in cell)
    assert "\x1b" not in cell_text(cell)
    assert cell_of([]) == cell_of(None) == cell_of(graph()) == ()


def test_equal_cells_are_stored_once_and_left_out_when_memory_is_used_up() -> None:
    reader = GraphReader()
    first, second = (reader.read(graph(CFG=7.5, Sampler="euler"))[0].cell for _ in range(2))
    assert first is second
    assert first == (("CFG", 7.5), ("Sampler", "euler"))
    assert GraphReader(max_memory=0).read(graph(CFG=7.5))[0].cell == ()
    assert parameters_of(graph(CFG=7.5)).cell == (("CFG", 7.5),)
