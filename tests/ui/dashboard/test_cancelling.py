"""Cancelling jobs on old servers, whose interrupt may hit another job, and on newer ones."""

import pytest

from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.screens.confirm import ConfirmScreen
from tests.ui.screen import Screen, screen

WARNING = "too old to interrupt"


def like(version: str, other_clients: int = 0) -> SimConfig:
    return SimConfig(
        steps_per_second=10, load_seconds=0, like=version, other_clients=other_clients, other_client_pause=(0.0, 0.1)
    )


def statuses(it: Screen) -> list[JobStatus]:
    assert it.app.service is not None
    return [job.status for job in it.app.service.state.jobs.values() if job.mine]


async def runs(it: Screen, images: str) -> None:
    """Have a batch of mine that takes long, of which the first image runs."""
    await it.shows("live")
    await it.generate(images=images, steps="150", width="64", height="64")
    await it.until(lambda: statuses(it).count(JobStatus.QUEUED) == int(images) - 1, "the batch")
    await it.until(lambda: JobStatus.RUNNING in statuses(it), "the run")
    await it.shows(f"Image 1 of {images} - ")


async def test_a_running_job_of_an_old_server_is_interrupted_only_after_a_question() -> None:
    async with SimServer(like("0.3.40")) as sim, screen(sim.url) as it:
        requests = sim.faults.delay(0, "/interrupt")
        await runs(it, "1")
        await it.press("escape", "home", "x")
        await it.shows(WARNING)
        await it.press("n")
        await it.until(lambda: not isinstance(it.app.screen, ConfirmScreen), "the answer")
        assert requests.hits == 0
        await it.press("x")
        await it.shows(WARNING)
        await it.press("y")
        await it.until(lambda: statuses(it) == [JobStatus.INTERRUPTED], "the interrupt")
        assert requests.hits == 1


async def test_a_waiting_job_of_an_old_server_is_removed_at_once() -> None:
    async with SimServer(like("0.3.40")) as sim, screen(sim.url) as it:
        await runs(it, "2")
        await it.press("escape", "home", "down", "x")
        await it.until(lambda: statuses(it) == [JobStatus.RUNNING, JobStatus.CANCELLED], "the removal")


@pytest.mark.parametrize(("version", "warns"), [("0.3.56", True), ("0.3.57", False)])
async def test_before_a_batch_is_cancelled_an_old_server_is_warned_about(version: str, warns: bool) -> None:
    async with SimServer(like(version)) as sim, screen(sim.url) as it:
        await runs(it, "2")
        await it.press("escape", "home", "X")
        await it.shows("Cancel the remaining 2 images")
        assert (WARNING in it.text) is warns
        await it.press("y")
        await it.until(lambda: statuses(it) == [JobStatus.INTERRUPTED, JobStatus.CANCELLED], "the end of the batch")


async def test_a_newer_server_interrupts_without_a_question() -> None:
    async with SimServer(like("0.3.57")) as sim, screen(sim.url) as it:
        await runs(it, "1")
        await it.press("escape", "home", "x")
        await it.until(lambda: statuses(it) == [JobStatus.INTERRUPTED], "the interrupt")


async def test_for_somebody_elses_running_job_one_question_says_both() -> None:
    async with SimServer(like("0.3.40", other_clients=1)) as sim, screen(sim.url) as it:
        await it.shows("▶")
        await it.press("escape", "home", "x")
        await it.shows(WARNING)
        assert "belongs" in it.text


@pytest.mark.parametrize(("version", "text"), [("0.3.64", "too old to stop"), ("0.33.0", "from the next batch on")])
async def test_previews_off_says_what_it_does_on_this_server(version: str, text: str) -> None:
    async with SimServer(like(version)) as sim, screen(sim.url) as it:
        await it.until(lambda: it.app.service and it.app.service.state.capabilities, "the capabilities")
        await it.shows("live")
        await it.press("escape", "p")
        await it.shows(text)
