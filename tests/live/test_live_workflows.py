"""What must hold for workflows of the editor on any ComfyUI: they open with its own definitions, and it runs them."""

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from random import Random
from typing import Any

import pytest
from PIL import Image

from comfytui.comfy.backend import ComfyBackend
from comfytui.service.submission.batch import batch_request
from comfytui.session.model import Job, JobStatus
from comfytui.sim.workflows import workflow_file
from comfytui.workflow.conversion import obstacles, workflow_from
from comfytui.workflow.documents import document_from_json
from comfytui.workflow.field_keys import FieldValue, node_key
from comfytui.workflow.graph import Workflow, apply_values
from tests.waiting import eventually
from tests.watcher import LIVE_TIMEOUT, Watcher
from tests.workflow.editor.corpus import without_models

pytestmark = [pytest.mark.live, pytest.mark.timeout(1_800)]

Definitions = Mapping[str, Mapping[str, Any]]

OFFICIAL: Mapping[str, object] = {each.name: each.workflow for each in without_models()}
"""Templates that need no model, but classes that old servers and the simulator lack."""
CLASSES_OF_A_NEW_SERVER = 800
"""A ComfyUI with as many classes has all of those templates."""
CLASSES_OF_THE_SIMULATOR = 200
"""A server with fewer classes is the simulator, which has the models of its own templates."""
QUEUED_TEMPLATES = 6
"""Templates of the server itself that are queued; all are opened."""
IMAGE_NAME = "comfytui_live.png"
SMALL: Mapping[str, FieldValue] = {"width": 64, "height": 64, "steps": 2}
ENDS_WELL = {JobStatus.SUCCEEDED, JobStatus.CACHED}


@pytest.fixture
async def definitions(client: ComfyBackend) -> Definitions:
    return await client.definitions()


@pytest.mark.parametrize("name", OFFICIAL)
async def test_an_official_template_that_needs_no_model_runs(
    watcher: Watcher, client: ComfyBackend, definitions: Definitions, name: str
) -> None:
    workflow = opened(OFFICIAL[name], name, definitions)
    if lacking := lacking_classes(workflow, definitions):
        assert len(definitions) < CLASSES_OF_A_NEW_SERVER, f"it lacks {', '.join(lacking)}"
        assert all(any(each in said for said in obstacles(workflow)) for each in lacking)
        pytest.skip(f"the server lacks {', '.join(lacking)}")
    assert obstacles(workflow) == ()
    job = await run(watcher, client, workflow)
    if job.failure and job.failure.node_type == "GLSLShader" and "EGL display" in job.failure.message:
        pytest.skip("the server took it, and has no display for its shaders")
    assert job.status in ENDS_WELL, job.failure


async def test_a_workflow_with_a_class_of_a_pack_runs_with_the_values_of_a_form(
    watcher: Watcher, client: ComfyBackend, definitions: Definitions
) -> None:
    if "LabSampler" not in definitions:
        pytest.skip("the server has no LabSampler")
    workflow = opened(json.loads(workflow_file("lab_sampler")), "lab_sampler", definitions)
    seed = Random().randrange(2**53)
    values = {"width": 96, "height": 64, "steps": 4, "seed": seed, node_key("1", "delay_ms"): 100.0}
    job = await run(watcher, client, workflow, values)
    assert job.status is JobStatus.SUCCEEDED, job.failure
    assert Image.open(io.BytesIO(await client.view(job.outputs[0]))).size == (96, 64)
    assert (job.parameters.seed, job.parameters.steps) == (seed, 4)


async def test_templates_of_the_server_open_and_those_that_lack_nothing_run(
    watcher: Watcher, client: ComfyBackend, definitions: Definitions
) -> None:
    offered = [each for group in await client.templates() for each in group.templates]
    if not offered:
        pytest.skip("the server has no templates")
    files = [(each.name, await client.template(each)) for each in offered]
    workflows = [opened(content, name, definitions) for name, content in files if content is not None]
    assert len(workflows) >= 0.9 * len(offered)
    for workflow in workflows:
        assert bool(obstacles(workflow)) == bool(lacking_classes(workflow, definitions)), workflow.name
    complete = [workflow for workflow in workflows if workflow.graph and not workflow.findings]
    assert len(complete) >= 5 or len(definitions) >= CLASSES_OF_THE_SIMULATOR
    for workflow in complete[:QUEUED_TEMPLATES]:
        job = await run(watcher, client, workflow, SMALL)
        assert job.status in ENDS_WELL, (workflow.name, job.failure)


def opened(content: object, name: str, definitions: Definitions) -> Workflow:
    return workflow_from(document_from_json(content, name, name), definitions, datetime.now(), Random())


def lacking_classes(workflow: Workflow, definitions: Definitions) -> list[str]:
    """Return the classes in a graph that the server does not have."""
    return sorted({node["class_type"] for node in workflow.graph.values()} - definitions.keys())


async def run(
    watcher: Watcher, client: ComfyBackend, workflow: Workflow, values: Mapping[str, FieldValue] | None = None
) -> Job:
    """Queue a workflow once, with an uploaded image for each that the server lacks, and return its job at the end."""
    await watcher.live()
    images = {key: await image_of(client) for key in missing_images(workflow)}
    graph = apply_values(workflow, {**(values or {}), **images})
    request = batch_request(workflow.name, [graph], "none")
    await asyncio.wrap_future(watcher.service.submit(request))
    await eventually(lambda: request.batch_id in watcher.state.batches, "the batch", LIVE_TIMEOUT)
    (job,) = await watcher.until(watcher.state.batches[request.batch_id])
    return job


def missing_images(workflow: Workflow) -> Iterator[str]:
    for finding in workflow.findings:
        if finding.kind == "missing_file":
            assert finding.node_id is not None
            assert finding.input_name == "image"
            yield node_key(finding.node_id, finding.input_name)


async def image_of(client: ComfyBackend) -> str:
    """Upload an image, and return its name on the server."""
    content = io.BytesIO()
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(content, format="PNG")
    return (await client.upload(content.getvalue(), IMAGE_NAME)).name
