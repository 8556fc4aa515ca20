"""The form of any workflow, and the messages about what the server does with it."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.form.form import PromptForm
from comfytui.workflow.documents import load_workflow
from comfytui.workflow.graph import Workflow
from tests.fake_backend import FakeBackend
from tests.sim.graphs import inverted, node, text_to_image
from tests.ui.screen import Screen, screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
ROWS = {"Prompt", "Negative", "Model", "Size", "Steps", "CFG", "Guidance", "Sampler", "Scheduler", "Seed", "Images"}


def written(folder: Path, graph: dict[str, Any]) -> Workflow:
    """A graph that went through a file, as with --workflow."""
    file = folder / "mine.json"
    file.write_text(json.dumps(graph))
    return load_workflow(file)


def rows(it: Screen) -> set[str]:
    """The labels that the form shows, each the first word of a line."""
    region = it.app.screen.query_one(PromptForm).region
    lines = [
        line[region.x + 1 : region.right - 1].split() for line in it.text.split("\n")[region.y + 1 : region.bottom]
    ]
    return {line[0] for line in lines if line} & ROWS


async def test_graph_without_sampler_has_only_images(tmp_path: Path) -> None:
    image = BytesIO()
    Image.new("RGB", (16, 16), "red").save(image, "PNG")
    async with SimServer(QUICK) as sim:
        sim.files.put(("input", "", "photo.png"), image.getvalue())
        async with screen(sim.url, workflow=written(tmp_path, inverted("photo.png"))) as it:
            await it.shows("live")
            await it.shows("no seed to vary")
            assert rows(it) == {"Images"}
            await it.press("f5")
            await it.shows("1 of 1 done")
            assert [body["prompt"]["1"]["inputs"]["image"] for body in sim.submitted] == ["photo.png"]


async def test_form_has_only_inputs_of_graph(tmp_path: Path) -> None:
    server = FakeBackend()
    async with screen(server, workflow=written(tmp_path, text_to_image())) as it:
        await it.shows("live")
        assert rows(it) == ROWS - {"Guidance"}
        assert "no seed to vary" not in it.text
    lab = {"1": node("LabSampler", seed=9, steps=2, delay_ms=0, text="fox"), "2": text_to_image()["9"]}
    lab["2"] = node("SaveImage", filename_prefix="lab", images=["1", 0])
    async with screen(server, workflow=written(tmp_path, lab)) as it:
        await it.shows("live")
        assert rows(it) == {"Prompt", "Steps", "Seed", "Images"}


async def test_node_dropped_by_server_is_reported(tmp_path: Path) -> None:
    graph = text_to_image() | {"10": node("SaveImage", filename_prefix="second")}
    async with screen(FakeBackend(), workflow=written(tmp_path, graph)) as it:
        await it.shows("live")
        await it.write("images", "2")
        await it.press("f5")
        await it.shows("The server leaves out SaveImage 10")
        await it.shows("2 of 2 done")
        assert it.text.count("leaves out SaveImage 10") == 1
