"""The templates of the simulated server can be converted, and it runs what comes out."""

import json
from datetime import UTC, datetime
from random import Random

import pytest

from comfytui.sim.workflows import workflow_file
from comfytui.workflow.editor.convert import Conversion, convert
from tests.sim.client import Client, client
from tests.sim.graphs import Graph
from tests.sim.test_workflows import NAMES


async def _converted(it: Client, name: str) -> tuple[Conversion, Graph]:
    workflow, definitions = json.loads(workflow_file(name)), await it.get("/object_info")
    conversion = convert(workflow, definitions, now=datetime(2026, 1, 1, tzinfo=UTC), rng=Random(1))
    return conversion, json.loads(json.dumps(conversion.graph))


@pytest.mark.parametrize("name", [*(each for each in NAMES if each != "missing_pack"), "lab_sampler"])
async def test_a_template_is_converted_and_runs(name: str) -> None:
    async with client() as it:
        conversion, graph = await _converted(it, name)
        assert conversion.findings == ()
        for node in graph.values():
            small = {"steps": 2, "width": 64, "height": 64}
            node["inputs"] |= {key: value for key, value in small.items() if key in node["inputs"]}
        entry = await it.run(graph)
        assert entry["status"]["completed"], entry["status"]


async def test_a_bypassed_lora_is_left_out() -> None:
    async with client() as it:
        _, graph = await _converted(it, "two_loras")
        loras = [node["inputs"]["lora_name"] for node in graph.values() if node["class_type"] == "LoraLoader"]
        assert loras == ["pixel-art-xl.safetensors", "detail_tweaker_xl.safetensors"]


async def test_a_subgraph_promotes_its_inputs() -> None:
    async with client() as it:
        conversion, _ = await _converted(it, "subgraph")
        assert [slot.input_name for slot in conversion.promoted] == ["text", "width", "height", "seed", "steps"]


async def test_a_missing_pack_is_refused() -> None:
    async with client() as it:
        _, graph = await _converted(it, "missing_pack")
        response = await it.http.post("/prompt", json={"prompt": graph})
        assert response.status_code == 400
        assert response.json()["error"]["extra_info"]["class_type"] == "FaceDetailerLite"
