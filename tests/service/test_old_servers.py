"""Old servers: capabilities are requested once per connection, and no interrupt hits another job."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.protocol.capabilities import Capabilities, capabilities_of
from comfytui.comfy.server import Server
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.service.submission.cancel import FINISHED, cancel
from comfytui.session.model import Job, JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.service.connection.test_poller import Polling
from tests.service.submission.test_outbox import OutboxHarness
from tests.service.test_service import MODEL
from tests.shown_run import step_of
from tests.stub_servers import Handler, serving
from tests.waiting import eventually
from tests.watcher import Watcher, watching

PROFILES = ("0.3.40", "0.3.57", "0.3.64", "0.33.0")
OLD = "0.3.40"
DONE = {"status_str": "success", "completed": True, "messages": []}


def like(version: str, steps_per_second: float = 50) -> SimConfig:
    return SimConfig(steps_per_second=steps_per_second, load_seconds=0, like=version)


@asynccontextmanager
async def long_batch(version: str, images: int = 1) -> AsyncIterator[tuple[SimServer, Watcher, list[str]]]:
    """Run the first image of a batch on a server of some version; yield also the ids that the server knows."""
    async with SimServer(like(version)) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        batch = await watcher.submit(images, model=MODEL, steps=10_000)
        prompt_ids = await watcher.queued(batch)
        await eventually(lambda: step_of(watcher.state) > 0, "a step")
        yield sim, watcher, prompt_ids


@pytest.mark.parametrize(
    ("version", "able"),
    [
        ("0.3.40", set()),
        ("0.3.57", {"targeted_interrupt"}),
        ("0.3.64", {"targeted_interrupt"}),
        ("0.33.0", {"targeted_interrupt", "previews_by_prompt", "jobs", "atomic_cancel"}),
    ],
)
async def test_the_capabilities_are_known_once_connected(version: str, able: set[str]) -> None:
    async with SimServer(like(version)) as sim, watching(Server.from_url(sim.url)) as watcher:
        await eventually(lambda: watcher.state.capabilities, "the capabilities")
        capabilities = watcher.state.capabilities
        assert capabilities is not None
        assert capabilities.version == version
        names = set(capabilities.__slots__) - {"version"}
        assert {name for name in names if getattr(capabilities, name)} == able | {"cancel", "previews"}


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions for which capabilities were requested: a poll may request the list of jobs as well."""
    versions: list[str] = []
    capabilities = ComfyBackend.capabilities

    async def recorded(self: ComfyBackend, version: str) -> Capabilities:
        versions.append(version)
        return await capabilities(self, version)

    monkeypatch.setattr(ComfyBackend, "capabilities", recorded)
    return versions


@pytest.mark.parametrize("version", PROFILES)
async def test_the_capabilities_are_requested_once_per_connection(version: str, probes: list[str]) -> None:
    async with (
        SimServer(like(version, 0)) as sim,
        proxy_to(sim.url) as proxy,
        watching(Server.from_url(proxy.url)) as watcher,
    ):
        await watcher.live()
        await watcher.until(await watcher.submit(2, model=MODEL))
        await watcher.until(await watcher.submit(2, model=MODEL))
        assert probes == [version]
        proxy.reset_connections()
        await eventually(lambda: len(probes) == 2, "another probe after the reset")
        await watcher.until(await watcher.submit(1, model=MODEL))
        assert probes == [version] * 2


async def test_two_polls_at_once_request_the_capabilities_once(probes: list[str]) -> None:
    async with SimServer(like(OLD, 0)) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        polling = Polling(backend)
        await polling.polls(2)
        assert polling.driver.connection.gate.is_verified
        assert probes == [OLD]


@pytest.mark.parametrize("status", [403, 500, 200], ids=["forbidden", "broken", "a page"])
async def test_a_server_that_hides_its_list_of_jobs_is_used_by_its_version(status: int) -> None:
    async with SimServer(like("0.33.0")) as sim:
        sim.faults.fail(status, "/jobs").text = "<!doctype html><title>Router</title>"
        async with watching(Server.from_url(sim.url)) as watcher:
            batch = await watcher.submit(1, model=MODEL, steps=10_000)
            await eventually(lambda: step_of(watcher.state) > 0, "a step")
            capabilities = watcher.state.capabilities
            assert capabilities is not None
            assert capabilities.targeted_interrupt
            assert not capabilities.jobs
            watcher.service.cancel_batch(batch.id)
            await watcher.until(batch, JobStatus.INTERRUPTED)


async def test_an_old_server_interrupts_nothing_without_force() -> None:
    async with long_batch(OLD) as (sim, watcher, (running,)):
        requests = sim.faults.delay(0, "/interrupt")
        assert await watcher.cancel(running) == Cancelled(CancelOutcome.NOT_TARGETED)
        assert requests.hits == 0
        assert watcher.state.jobs[running].status is JobStatus.RUNNING


async def test_an_old_server_interrupts_with_force() -> None:
    async with long_batch(OLD) as (_, watcher, (running,)):
        watcher.service.cancel(running, force=True)
        await eventually(lambda: watcher.state.jobs[running].status is JobStatus.INTERRUPTED, "the interrupt")


async def test_a_waiting_job_on_an_old_server_is_removed_without_force() -> None:
    async with long_batch(OLD, 2) as (_, watcher, (running, waiting)):
        watcher.service.cancel(waiting)
        await eventually(lambda: watcher.state.jobs[waiting].status is JobStatus.CANCELLED, "the removal")
        assert watcher.state.jobs[running].status is JobStatus.RUNNING


@pytest.mark.parametrize("version", PROFILES)
async def test_a_running_batch_is_interrupted_with_force(version: str) -> None:
    async with long_batch(version, 2) as (_, watcher, (running, waiting)):
        batch = next(iter(watcher.state.batches.values()))
        assert await watcher.cancel_batch(batch, force=True) == BatchCancelled(removed=1, interrupted=1)
        await eventually(lambda: watcher.state.jobs[running].status is JobStatus.INTERRUPTED, "the interrupt")
        assert watcher.state.jobs[waiting].status is JobStatus.CANCELLED


async def test_without_force_only_the_waiting_jobs_of_a_batch_on_an_old_server_are_removed() -> None:
    async with long_batch(OLD, 2) as (sim, watcher, (running, _)):
        requests = sim.faults.delay(0, "/interrupt")
        result = await watcher.cancel_batch(next(iter(watcher.state.batches.values())))
        assert result == BatchCancelled(removed=1, others=CancelOutcome.NOT_TARGETED)
        assert requests.hits == 0
        assert watcher.state.jobs[running].status is JobStatus.RUNNING


@pytest.mark.parametrize("version", PROFILES)
async def test_a_server_gets_only_the_cancel_requests_that_it_supports(version: str) -> None:
    async with long_batch(version, 2) as (sim, watcher, (running, waiting)):
        atomic, targeted = sim.faults.delay(0, "/jobs/"), sim.faults.delay(0, "/interrupt")
        watcher.service.cancel(waiting, force=True)
        await eventually(lambda: watcher.state.jobs[waiting].status is JobStatus.CANCELLED, "the removal")
        watcher.service.cancel(running, force=True)
        await eventually(lambda: watcher.state.jobs[running].status is JobStatus.INTERRUPTED, "the interrupt")
        assert (atomic.hits, targeted.hits) == ((2, 0) if version == "0.33.0" else (0, 1))


@pytest.mark.parametrize(
    ("next_queue", "expected"),
    [
        ([], FINISHED),
        (["theirs"], FINISHED),
        (["theirs", "mine"], Cancelled(CancelOutcome.OTHERS_RUNNING)),
    ],
)
async def test_the_queue_of_an_old_server_is_read_again_right_before_the_interrupt(
    next_queue: list[str], expected: Cancelled
) -> None:
    polls = [["mine"], next_queue, next_queue]
    interrupts: list[str] = []

    async def queue(_: web.Request) -> web.Response:
        return web.json_response({"queue_running": [item(key) for key in polls.pop(0)], "queue_pending": []})

    async def history(_: web.Request) -> web.Response:
        return web.json_response({"mine": {"prompt": item("mine"), "outputs": {}, "status": DONE}})

    async def interrupt(request: web.Request) -> web.Response:
        interrupts.append(await request.text())
        return web.Response()

    async def count(_: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": 1}})

    routes: dict[str, Handler] = {
        "GET /api/prompt": count,
        "GET /api/queue": queue,
        "GET /api/history/mine": history,
        "POST /api/interrupt": interrupt,
    }
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as backend:
        it = OutboxHarness(backend)
        job = Job("mine", JobStatus.RUNNING, mine=True)
        it.state = replace(it.state, jobs={"mine": job}, capabilities=capabilities_of(OLD, jobs=False))
        result = await cancel("mine", lambda: it.state, backend, it.apply, force=True)
    assert result == expected
    assert interrupts == []


def item(prompt_id: str) -> list[object]:
    return [1, prompt_id, {}, {"client_id": "me"}, ["9"]]
