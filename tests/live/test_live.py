"""What must hold on any ComfyUI with an SD-like checkpoint, even on a slow CPU."""

import asyncio
import io

import pytest
from PIL import Image

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.server import Server
from comfytui.presentation.batch_text import progress_line
from comfytui.service.notifications import PreviewReceived
from comfytui.service.results import Cancelled, CancelOutcome, Rejected
from comfytui.service.server_specs import fetch_specs
from comfytui.session.model import JobStatus
from comfytui.session.selectors import current_batch
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.documents import load_workflow
from comfytui.workflow.fields import Field
from tests.shown_run import step_of
from tests.waiting import eventually
from tests.watcher import LIVE_TIMEOUT, Watcher, small_batch, watching

pytestmark = [pytest.mark.live, pytest.mark.timeout(1_800)]


async def test_the_server_reports_its_version_and_memory(client: ComfyBackend) -> None:
    stats = await client.system_stats()
    assert stats.version
    assert stats.ram_total > stats.ram_free > 0
    assert await client.queue_count() >= 0


async def test_the_choices_of_the_form_come_from_the_server(client: ComfyBackend, model: str) -> None:
    specs = await fetch_specs(client, txt2img())
    assert model in (specs[Field.MODEL].options or ())
    assert "euler" in (specs[Field.SAMPLER].options or ())
    assert specs[Field.STEPS].minimum == 1


async def test_a_batch_counts_its_images_and_steps_and_yields_images(
    watcher: Watcher, client: ComfyBackend, model: str
) -> None:
    await watcher.live()
    batch = await watcher.submit(2, model=model)
    jobs = await watcher.until(batch)
    assert [job.status for job in jobs] == [JobStatus.SUCCEEDED] * 2
    await eventually(lambda: watcher.seen(batch)[-1].batch_fraction == 1.0, "the end of the whole batch")
    progress = watcher.seen(batch)
    lines = {progress_line(each) for each in progress}
    assert "Image 1 of 2 - Step 3/3 (100%)" in lines
    assert "Image 2 of 2 - Step 3/3 (100%)" in lines
    fractions = [each.batch_fraction for each in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    for job in jobs:
        data = await client.view(job.outputs[0])
        assert Image.open(io.BytesIO(data)).size == (64, 64)


async def test_a_second_batch_waits_while_the_first_runs_and_the_current_one_is_known(
    watcher: Watcher, model: str
) -> None:
    await watcher.live()
    first = await watcher.submit(1, model=model, steps=8)
    second = await watcher.submit(1, model=model, prompt="a lighthouse")
    await watcher.until(first)
    await watcher.until(second)
    shown = [batch.id for state in watcher.states if (batch := current_batch(state))]
    assert shown.index(first.id) < shown.index(second.id)
    assert shown[-1] == second.id


async def test_the_same_prompt_again_is_cached(watcher: Watcher, model: str) -> None:
    await watcher.live()
    seed = watcher.state.queue_remaining + id(watcher)
    await watcher.until(await watcher.submit(1, model=model, seed=seed))
    again = await watcher.until(await watcher.submit(1, model=model, seed=seed))
    assert [job.status for job in again] == [JobStatus.CACHED]
    assert again[0].outputs


async def test_previews_come_when_asked_for_and_not_otherwise(watcher: Watcher, model: str) -> None:
    await watcher.live()
    unasked = await watcher.until(await watcher.submit(1, previews=False, model=model))
    asked = await watcher.until(await watcher.submit(1, previews=True, model=model, steps=6))
    previews = [n for n in watcher.notifications if isinstance(n, PreviewReceived)]
    heeds = watcher.state.capabilities is not None and watcher.state.capabilities.previews_by_prompt
    assert not (heeds and unasked[0].prompt_id in {each.prompt_id for each in previews})
    shown = [each for each in previews if each.prompt_id == asked[0].prompt_id]
    if not shown and not heeds:
        pytest.skip("this server has previews switched off, and is too old to be asked for them")
    assert Image.open(io.BytesIO(shown[0].image)).width > 0


async def test_a_pending_job_is_removed_and_a_running_one_interrupted(watcher: Watcher, model: str) -> None:
    await watcher.live()
    batch = await watcher.submit(2, model=model, steps=200)
    running, pending = await watcher.queued(batch)
    await eventually(lambda: step_of(watcher.state) >= 1, "a step", LIVE_TIMEOUT)
    assert await watcher.cancel(pending) == Cancelled(CancelOutcome.REMOVED)
    await eventually(lambda: watcher.state.jobs[pending].status is JobStatus.CANCELLED, "the removal", LIVE_TIMEOUT)
    watcher.service.cancel(running, force=True)
    await eventually(lambda: watcher.state.jobs[running].status is JobStatus.INTERRUPTED, "the interrupt", LIVE_TIMEOUT)


async def test_a_checkpoint_that_is_not_there_is_refused_at_its_input(watcher: Watcher, model: str) -> None:
    await watcher.live()
    request = small_batch(2, model="no-such-model.safetensors")
    result = await asyncio.wrap_future(watcher.service.submit(request))
    assert [watcher.state.jobs[prompt_id].status for prompt_id in request.prompt_ids] == [JobStatus.REJECTED] * 2
    assert isinstance(result, Rejected)
    assert result.unsent == request.prompt_ids
    assert [(error.input_name, error.class_type) for error in result.failure.node_errors] == [
        ("ckpt_name", "CheckpointLoaderSimple")
    ]


async def test_an_image_from_the_server_loads_as_a_workflow(
    watcher: Watcher, client: ComfyBackend, model: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await watcher.live()
    (job,) = await watcher.until(await watcher.submit(1, model=model, prompt="a tall ship"))
    file = tmp_path_factory.mktemp("images") / "ship.png"
    file.write_bytes(await client.view(job.outputs[0]))
    workflow = load_workflow(file)
    assert workflow.graph[workflow.fields[Field.PROMPT][0].node_id]["inputs"]["text"] == "a tall ship"


async def test_a_client_that_returns_with_the_same_id_finds_the_batch(server: Server, model: str) -> None:
    async with watching(server) as before:
        await before.live()
        batch = await before.submit(2, model=model, steps=12)
        await before.queued(batch)
        await eventually(
            lambda: before.state.runs or any(job.status.ended for job in before.jobs(batch)), "the start", LIVE_TIMEOUT
        )
        client_id = next(iter(before.state.client_ids))
    async with watching(server, client_id) as after:
        await eventually(lambda: batch.id in after.state.batches, "the batch", LIVE_TIMEOUT)
        await after.until(batch)
        assert len(after.jobs(batch)) == 2
        assert all(job.outputs for job in after.jobs(batch))
