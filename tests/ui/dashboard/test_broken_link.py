"""The dashboard when the server was restarted or replaced, or has no WebSocket."""

import re
from dataclasses import replace

import pytest

from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.widgets.now_panel import NowPanel
from comfytui.ui.widgets.progress_bar import ProgressBar
from comfytui.ui.widgets.text import Line
from tests.faults.proxy import proxy_to
from tests.sim.gate import Gate
from tests.ui.screen import Screen, screen
from tests.waiting import eventually
from tests.watcher import watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
SLOW = SimConfig(steps_per_second=4, load_seconds=0)


def seeds(sim: SimServer) -> list[int]:
    return [body["prompt"]["3"]["inputs"]["seed"] for body in sim.submitted]


async def running(it: Screen, images: int = 3) -> None:
    """Have a batch run for as long as anybody wants."""
    await it.shows("dreamshaper_8")
    await it.generate("a lighthouse", images=str(images), steps="2000")
    await it.shows(f"Image 1 of {images} - Step")
    await it.has_jobs(JobStatus.RUNNING, *[JobStatus.QUEUED] * (images - 1))
    await it.press("escape", "home")


async def test_jobs_lost_by_restart_are_resent_with_same_seeds() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await running(it)
        assert "Resend" not in it.text
        first = seeds(sim)
        await sim.restart()
        await it.shows("no longer knows 3 jobs of")
        await it.shows("0 of 3 done, 3 lost")
        await it.shows("lost: may have finished")
        await it.shows("Resend")
        await it.press("r")
        await it.shows("3 lost jobs may have")
        await it.press("y")
        await it.shows("Image 1 of 3 - Step")
        assert seeds(sim) == first * 2
        ids = [body["prompt_id"] for body in sim.submitted]
        assert ids[3:] == ids[:3]


async def test_jobs_that_may_have_finished_are_not_resent_on_no() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await running(it)
        first = seeds(sim)
        await sim.restart()
        await it.shows("0 of 3 done, 3 lost")
        await it.press("r")
        await it.shows("3 lost jobs may have")
        await it.press("n")
        await it.shows("0 of 3 done, 3 lost")
        assert seeds(sim) == first


async def test_outputs_of_unobserved_jobs_are_recovered_not_resent() -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim, proxy_to(sim.url) as proxy, screen(proxy.url, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="1", width="64", height="64")
        await gate.let_steps(3)
        await it.shows("Image 1 of 1 - Step")
        proxy.go_down()
        proxy.reset_connections()
        await gate.let_all()
        await it.until(lambda: sim.queue.history, "the end")
        await sim.restart()
        await proxy.come_up()
        await it.press("escape", "ctrl+r")
        await it.shows("lost: may have finished")
        await it.press("r")
        await it.shows("1 found, none is left to resend.")
        await it.shows("1 of 1 done")
        await it.press("home", "enter")
        await it.shows("comfytui_00001_.png")
        assert len(sim.submitted) == 1


async def test_other_server_at_address_needs_confirmation_and_loses_no_jobs() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await running(it)
        await sim.restart(SimConfig(steps_per_second=4, ram_gib=128))
        await it.shows("A different server answers here now")
        await it.shows("128 GB of memory")
        assert "lost" not in it.text
        await it.press("n")
        await it.shows("different server")
        await it.press("l")
        await it.shows("Switch")
        await it.press("y")
        await it.shows("● live")
        await it.shows("Nothing queued")
        assert len(sim.submitted) == 3


async def test_nothing_of_the_previous_server_stays_in_the_now_panel() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await running(it)
        await it.until(lambda: it.app.screen.query_one(ImageView).shown_data, "a preview")
        await sim.restart(SimConfig(steps_per_second=4, ram_gib=128))
        await it.shows("A different server answers here now")
        await it.press("y")
        await it.shows("Nothing is running")
        now = it.app.screen.query_one(NowPanel)
        await it.until(lambda: now.query_one(ImageView).shown_data is None, "no image")
        shown = {line.id: line.text for line in now.query(Line) if line.text and line.id}
        assert shown == {"status": "Nothing is running"}
        assert [bar.fraction for bar in now.query(ProgressBar)] == [0.0, 0.0]


async def test_the_newest_image_is_shown_again_when_the_previous_server_returns() -> None:
    async with SimServer(QUICK) as sim, screen(sim.url, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="1", width="64", height="64")
        image = it.app.screen.query_one(ImageView)
        await it.shows("1 of 1 done")
        await it.until(lambda: image.shown_data, "the image")
        for config, text in ((replace(QUICK, ram_gib=128), "Nothing is running"), (QUICK, "1 of 1 done")):
            await sim.restart(config)
            await it.shows("A different server answers here now")
            await it.press("y")
            await it.shows(text)
        await it.until(lambda: image.shown_data, "the image again")


async def test_previous_server_is_accepted_when_it_returns() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await running(it)
        await sim.restart(SimConfig(steps_per_second=4, ram_gib=128))
        await it.shows("A different server answers here now")
        await it.press("n")
        await sim.restart(SLOW)
        await it.press("ctrl+r")
        await it.shows("0 of 3 done, 3 lost")


async def test_batch_is_followed_by_polling_without_websockets() -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim, proxy_to(sim.url) as proxy, screen(proxy.url) as it:
        proxy.strip_upgrades()
        proxy.reset_connections()
        await it.shows("polling every")
        await it.shows("dreamshaper_8")
        await it.generate("a fox", images="2", steps="8", width="64", height="64")
        await gate.let_steps(3)
        await it.shows("Image 1 of 2 - step unknown")
        await gate.let_all()
        await it.shows("2 of 2 done")
        assert it.app.service is not None
        jobs = it.app.service.state.jobs.values()
        assert [(job.status, len(job.outputs)) for job in jobs] == [(JobStatus.SUCCEEDED, 1)] * 2
        await it.press("escape", "l")
        await it.shows("Polling every")
        await it.shows("was refused (status 400)")
        assert "is not ComfyUI" not in it.text


async def test_proxy_without_websockets_is_still_comfyui() -> None:
    async with SimServer(QUICK) as sim, proxy_to(sim.url) as proxy:
        proxy.strip_upgrades()
        # The socket's refusal comes before HTTP has said anything.
        sim.faults.delay(0.3, "/system_stats")
        async with watching(Server.from_url(proxy.url)) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polling")
            assert watcher.kinds() == {LinkKind.CONNECTING, LinkKind.POLLING}
            assert "let websocket upgrades" in watcher.state.link.reason


@pytest.mark.parametrize("named", [True, False])
async def test_l_shows_connection_and_address_without_secrets(named: bool) -> None:
    async with SimServer(QUICK) as sim:
        url = sim.url.replace("http://", "http://me:secret@") + "?token=hidden"
        server = Server.from_url(url, name="gpu-box" if named else "")
        async with screen(server, (160, 40)) as it:
            await it.shows("● live")
            await it.press("escape", "l")
            await it.shows("Messages arrive over the websocket.")
            assert re.search(r"Live for 0:\d\d\.", it.text)
            await it.shows("Address:")
            assert sim.url.removeprefix("http://") in it.text.partition("Address:")[2]
            assert "secret" not in it.text
            assert "hidden" not in it.text
