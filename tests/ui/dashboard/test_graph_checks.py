"""What the server lacks of a graph in the API format is said above the button, before it is sent."""

import pytest

from comfytui.session.model import JobStatus
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.graph import Workflow, apply_values, workflow_of
from tests.fake_backend import FakeBackend
from tests.ui.dashboard.test_open_workflows import open_
from tests.ui.screen import screen


def workflow_with(class_type: str, **inputs: object) -> Workflow:
    nodes = {"20": {"class_type": class_type, "inputs": inputs, "_meta": {"title": "My node"}}}
    return workflow_of("mine", {**apply_values(txt2img(), {}), **nodes})


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_class_that_the_server_lacks_is_said(size: tuple[int, int]) -> None:
    async with screen(FakeBackend(), size, workflow=workflow_with("FoxLoader")) as it:
        await it.shows("lacks the class")
        await it.press("f6")
        await it.shows("Found in the workflow")


async def test_an_image_that_the_server_lacks_is_said_and_the_workflow_can_still_be_sent() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await open_(it, workflow_with("LoadImage", image="gone.png"))
        await it.shows("gone.png")
        await it.generate(images="1")
        await it.has_jobs(JobStatus.SUCCEEDED)


async def test_another_server_is_checked_again() -> None:
    backend = FakeBackend()
    async with screen(backend, workflow=workflow_with("FoxLoader")) as it:
        await it.shows("FoxLoader")
        backend.go_down()
        await it.shows("offline")
        backend.described = {**backend.described, "FoxLoader": catalogue(SimConfig())["LoadImage"]}
        backend.is_up = True
        await it.until(lambda: "FoxLoader" not in it.text, "the end of the note")
