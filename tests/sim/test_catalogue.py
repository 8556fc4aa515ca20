"""The definitions of the simulated nodes are those that a real ComfyUI 0.33.0 answered with."""

import json
from pathlib import Path
from typing import Any

import pytest

from comfytui.sim.catalogue import catalogue
from comfytui.sim.execution.node_execution import NODE_FUNCTIONS
from tests.sim.replay import RECORDED_SERVER

REAL: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("object_info.json").read_text())
"""The part of a real server's `/object_info` with the classes that are simulated, too; it had one checkpoint."""
NODES = catalogue(RECORDED_SERVER, uploads=("example.png",))
NOT_RECORDED = {"CLIPSetLastLayer", "ControlNetApplyAdvanced", "ControlNetLoader", "LabSampler", "LatentUpscale"}


@pytest.mark.parametrize("name", REAL)
def test_a_definition_is_that_of_a_real_server(name: str) -> None:
    assert json.loads(json.dumps(NODES[name].info())) == REAL[name]


def test_every_other_class_is_known_not_to_be_recorded() -> None:
    assert NODES.keys() - REAL.keys() == NOT_RECORDED


def test_every_class_can_run() -> None:
    assert NODES.keys() == NODE_FUNCTIONS.keys()
