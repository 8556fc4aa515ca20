"""The prompt form on a server: it waits for choices, and what is said against a field goes when it is mended."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from textual.widgets import Select

from comfytui.session.model import JobStatus
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.graph import Workflow
from comfytui.workflow.txt2img import txt2img
from tests.ui.screen import screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as server:
        yield server


def with_model(name: str) -> Workflow:
    workflow = txt2img()
    loader = workflow.graph["4"]
    return replace(workflow, graph={**workflow.graph, "4": {**loader, "inputs": {"ckpt_name": name}}})


async def test_f5_before_the_servers_choices_are_read_waits_for_them(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.generate("early bird", images="2")
        await it.shows("2 of 2 done")
        assert [body["prompt"]["4"]["inputs"]["ckpt_name"] for body in sim.submitted] == [QUICK.checkpoints[0]] * 2
        assert "are being read" not in it.text


async def test_a_model_that_the_server_lacks_is_not_sent(sim: SimServer) -> None:
    async with screen(sim.url, workflow=with_model("gone.safetensors")) as it:
        await it.shows("'gone.safetensors' is")
        await it.press("f5")
        await it.pilot.pause()
        assert sim.submitted == []
        it.app.screen.query_one("#model", Select).value = QUICK.checkpoints[1]
        await it.until(lambda: "not on the server" not in it.text, "the mark to go")
        await it.generate(images="1")
        await it.shows("1 of 1 done")


async def test_a_refusal_at_a_field_goes_with_the_next_batch(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        sim.submissions.nodes = catalogue(replace(QUICK, checkpoints=("other.safetensors",)))
        await it.generate(images="1")
        await it.shows("Value not in list")
        sim.submissions.nodes = catalogue(QUICK)
        await it.press("f5")
        await it.shows("1 of 1 done")
        assert "! Value not in list" not in it.text


async def test_many_images_are_asked_about(sim: SimServer) -> None:
    async with screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="1000")
        await it.shows("Queue 1000 images?")
        await it.press("n")
        await it.write("images", "100")
        await it.press("f5")
        await it.shows("Queue 100 images?")
        await it.press("y")
        await it.until(lambda: sim.submitted, "the batch")


async def test_a_whole_batch_is_cancelled_after_a_question() -> None:
    slow = SimConfig(steps_per_second=5, load_seconds=0)
    async with SimServer(slow) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="6", steps="1000")
        await it.shows("Image 1 of 6 - Step")
        await it.press("escape", "end", "X")
        await it.shows("Cancel the remaining 6 images")
        await it.press("y")
        await it.shows("5 removed, 1 interrupted.")
        await it.shows("0 of 6 done, 1 interrupted, 5 cancelled")
        statuses = [job.status for job in it.app.service.state.jobs.values()] if it.app.service else []
        assert statuses == [JobStatus.INTERRUPTED] + [JobStatus.CANCELLED] * 5
