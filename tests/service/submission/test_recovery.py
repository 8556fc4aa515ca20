"""Images of lost jobs are found by the graphs that ComfyUI writes into them."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.server import Server
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.service.submission import recovery
from comfytui.service.submission.batch import Submission
from comfytui.session.model import MAY_HAVE_FINISHED, Batch, Job, JobStatus
from comfytui.session.selectors import lost_jobs
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.shown_run import step_of
from tests.sim.gate import Gate
from tests.timings import FAST
from tests.waiting import eventually
from tests.watcher import small_batch, watching

CONFIG = SimConfig(steps_per_second=20, load_seconds=0.1)
STEPS = 12


async def batch_made_unseen(case: FaultCase, gate: Gate, images: int, made: int, size: int = 64) -> Batch:
    """A batch of which some images were made while the link was down, before the server was restarted."""
    batch = await case.watcher.submit(images, model=MODEL, steps=STEPS, width=size, height=size)
    await case.watcher.queued(batch)
    await gate.let_steps(1)
    await eventually(lambda: step_of(case.state), "a step")
    case.proxy.go_down()
    case.proxy.reset_connections()
    if made < images:
        await gate.let_steps(made * STEPS)
    else:
        await gate.let_all()
    await case.all_ran(made)
    await case.sim.restart()
    await case.proxy.come_up()
    jobs = await case.watcher.until(batch)
    assert {job.status for job in jobs} == {JobStatus.LOST}
    await case.watcher.live()
    return batch


def submitted(case: FaultCase, batch: Batch) -> list[Submission]:
    """Return what the server got for a batch."""
    bodies = [body for body in case.sim.submitted if body["prompt_id"] in batch.prompt_ids]
    return [Submission(body["prompt_id"], batch.id, body["prompt"], {}, None) for body in bodies]


async def recover_outputs(case: FaultCase) -> tuple[int, list[Job]]:
    """Recover outputs; return how many jobs are found, and the jobs."""
    found = case.watcher.service.recover_outputs([job.prompt_id for job in lost_jobs(case.state) if job.note])
    await eventually(found.done, "the answer")
    return found.result(), list(case.state.jobs.values())


async def test_finished_images_are_found_and_only_the_others_are_lost() -> None:
    gate = Gate()
    async with fault_case(CONFIG, gate) as case:
        await batch_made_unseen(case, gate, images=3, made=2)
        found, jobs = await recover_outputs(case)
        assert found == 2
        assert [(job.status, job.note) for job in jobs[:2]] == [(JobStatus.SUCCEEDED, "")] * 2
        assert [job.outputs for job in jobs[:2]] == [(Output(f"comfytui_0000{n}_.png"),) for n in (1, 2)]
        assert jobs[2].status is JobStatus.LOST


async def test_the_head_of_a_large_image_is_enough() -> None:
    head = 2 * 1024
    gate = Gate()
    async with fault_case(CONFIG, gate) as case, ComfyBackend(Server.from_url(case.sim.url)) as backend:
        batch = await batch_made_unseen(case, gate, images=1, made=1, size=512)
        (image,) = (content for (kind, *_), content in case.sim.files.contents.items() if kind == "output")
        assert len(image) > 32 * head
        assert len(await recovery.finished_by_images(submitted(case, batch), backend, head=head)) == 1


async def test_a_job_that_did_not_finish_is_not_found() -> None:
    async with fault_case(CONFIG) as case:
        earlier = await case.watcher.submit(2, model=MODEL)
        await case.watcher.until(earlier, JobStatus.SUCCEEDED)
        batch = await case.watcher.submit(1, model=MODEL, steps=400)
        await eventually(lambda: step_of(case.state), "a step")
        await case.sim.restart()
        await case.watcher.until(batch)
        await case.watcher.live()
        found, jobs = await recover_outputs(case)
        assert found == 0
        assert (jobs[-1].status, jobs[-1].note) == (JobStatus.LOST, MAY_HAVE_FINISHED)


async def test_a_found_job_stays_finished_in_the_next_session(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(CONFIG, clock=gate) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=FAST) as first:
            batch = await first.submit(1, model=MODEL, steps=STEPS)
            await gate.let_steps(1)
            await eventually(lambda: step_of(first.state), "a step")
        await gate.let_all()
        await eventually(lambda: sim.queue.history, "the end")
        await sim.restart()
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=FAST) as second:
            await eventually(lambda: lost_jobs(second.state), "the loss")
            found = second.service.recover_outputs(batch.prompt_ids)
            await eventually(found.done, "the answer")
            assert found.result() == 1
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=FAST) as third:
            await third.live()
            assert [job.outputs for job in third.jobs(batch)] == [(Output("comfytui_00001_.png"),)]


async def test_only_the_newest_images_are_read() -> None:
    gate = Gate()
    async with fault_case(CONFIG, gate) as case, ComfyBackend(Server.from_url(case.sim.url)) as backend:
        batch = await batch_made_unseen(case, gate, images=4, made=4)
        views = case.count_requests("/view")
        found = await recovery.finished_by_images(submitted(case, batch), backend, max_images=2)
        assert (len(found), views.hits) == (2, 2)


async def test_an_image_that_cannot_be_read_does_not_end_the_search() -> None:
    gate = Gate()
    async with fault_case(CONFIG, gate) as case:
        await batch_made_unseen(case, gate, images=3, made=3)
        with case.sim.faults.fail(404, "/view", times=1) as gone:
            assert (await recover_outputs(case))[0] == 2
        assert gone.hits == 1


async def test_a_job_with_missing_images_is_not_finished() -> None:
    async with fault_case(CONFIG) as case:
        (graph,) = small_batch(1, model=MODEL).graphs
        saves = graph["9"]
        twice = {**graph, "50": {**saves, "inputs": {**saves["inputs"], "filename_prefix": "second"}}}
        await case.watcher.submit(1, model=MODEL)
        await case.all_ran(1)
        async with ComfyBackend(Server.from_url(case.sim.url)) as backend:
            await backend.submit(twice, prompt_id=str(uuid4()), client_id="me", tag={})
            await case.all_ran(2)
            both = [Submission("p", "b", twice, {}, None)]
            assert len(await recovery.finished_by_images(both, backend)) == 1
            gone = next(key for key in case.sim.files.contents if key[2].startswith("second"))
            del case.sim.files.contents[gone]
            assert await recovery.finished_by_images(both, backend) == ()


async def test_dismissed_jobs_are_no_longer_lost() -> None:
    gate = Gate()
    async with fault_case(CONFIG, gate) as case:
        batch = await batch_made_unseen(case, gate, images=3, made=1)
        assert await case.watcher.cancel(batch.prompt_ids[0]) == Cancelled(CancelOutcome.DISMISSED)
        assert [job.prompt_id for job in lost_jobs(case.state)] == list(batch.prompt_ids[1:])
        assert await case.watcher.cancel_batch(batch) == BatchCancelled(dismissed=2)
        assert not lost_jobs(case.state)
        assert {job.status for job in case.watcher.jobs(batch)} == {JobStatus.CANCELLED}
        assert len(case.sim.submitted) == 3


async def test_many_lost_jobs_are_searched_in_one_page_of_the_history() -> None:
    async with fault_case(replace(CONFIG, steps_per_second=0)) as case:
        batch = await case.watcher.submit(12, model=MODEL)
        await eventually(lambda: len(case.sim.queue.history) == 12, "their entries")
        one_by_one = case.sim.faults.delay(0.0, "/history/")
        async with ComfyBackend(Server.from_url(case.sim.url)) as backend:
            wanted = [*batch.prompt_ids, *(str(uuid4()) for _ in range(20))]
            known = await recovery.finished_in_history(wanted, backend)
        assert [past.prompt.prompt_id for past in known] == list(batch.prompt_ids)
        assert one_by_one.hits == 0


async def test_few_lost_jobs_are_requested_one_by_one_and_a_failed_request_hides_no_other() -> None:
    async with fault_case(replace(CONFIG, steps_per_second=0)) as case:
        batch = await case.watcher.submit(3, model=MODEL)
        await eventually(lambda: len(case.sim.queue.history) == 3, "their entries")
        case.sim.faults.fail(500, f"/history/{batch.prompt_ids[1]}")
        async with ComfyBackend(Server.from_url(case.sim.url)) as backend:
            known = await recovery.finished_in_history(batch.prompt_ids, backend)
        assert [past.prompt.prompt_id for past in known] == [batch.prompt_ids[0], batch.prompt_ids[2]]
