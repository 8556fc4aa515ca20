"""Previews travel from the sampler to the *Now* panel, and one key takes them away and brings them back."""

from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.service.notifications import PreviewReceived
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.widgets.now_panel import NowPanel
from comfytui.workflow.graph import Workflow, workflow_of
from tests.shown_run import step_of
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen
from tests.watcher import watching

SLOW = SimConfig(steps_per_second=10, load_seconds=0)
HALF_BLOCKS = frozenset("▀▄")


def small(steps: int) -> Workflow:
    return workflow_of("small", text_to_image(steps=steps))


def image_in_now(it: Screen) -> bool:
    """Whether cells of an image are painted within the *Now* panel."""
    region = it.app.screen.query_one(NowPanel).region
    lines = it.text.split("\n")[region.y : region.bottom]
    return any(HALF_BLOCKS & set(line[region.x : region.right]) for line in lines)


def steps_of(it: Screen) -> float:
    assert it.app.service is not None
    return step_of(it.app.service.state)


async def test_a_preview_comes_through_the_service_for_the_job_that_runs() -> None:
    async with SimServer(SLOW) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        batch = await watcher.submit(1, previews=True, model=SLOW.checkpoints[0])
        await watcher.until(batch)
        previews = [n for n in watcher.notifications if isinstance(n, PreviewReceived)]
        assert {preview.prompt_id for preview in previews} == set(batch.prompt_ids)
        assert all(preview.image.startswith(b"\xff\xd8\xff") for preview in previews)


async def test_a_preview_is_painted_while_the_image_is_made_and_p_takes_it_away() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, workflow=small(10_000)) as it:
        await it.shows("live")
        await it.write("images", "1")
        await it.press("f5")
        await it.shows("Image 1 of 1 - Step")
        await it.until(lambda: image_in_now(it), "a preview")
        await it.press("escape", "p")
        await it.shows("Previews off")
        await it.until(lambda: not image_in_now(it), "the preview to go")
        step = steps_of(it)
        await it.until(lambda: steps_of(it) > step + 3, "more steps")
        assert not image_in_now(it)
        await it.press("p")
        await it.until(lambda: image_in_now(it), "a preview again")


async def test_a_screen_without_previews_asks_for_none_and_paints_none() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, workflow=small(3), previews=False) as it:
        await it.shows("live")
        await it.write("images", "1")
        await it.press("f5")
        await it.shows("1 of 1 done")
        assert [body["extra_data"]["preview_method"] for body in sim.submitted] == ["none"]
        assert not image_in_now(it)


async def test_after_a_restart_the_newest_image_of_the_batch_is_there_again(tmp_path: Path) -> None:
    async with SimServer(SLOW) as sim:
        async with screen(sim.url, workflow=small(2), journal=tmp_path) as it:
            await it.shows("live")
            await it.write("images", "2")
            await it.press("f5")
            await it.shows("2 of 2 done")
        images = sim.faults.delay(0.0, "/view")
        async with screen(sim.url, workflow=small(2), journal=tmp_path) as it:
            await it.shows("2 of 2 done")
            await it.until(lambda: image_in_now(it), "the image")
            assert "Shown: " not in it.text
        assert images.hits == 1
        async with screen(sim.url, (80, 24), workflow=small(2), journal=tmp_path) as it:
            await it.shows("2 of 2 done")
            await it.shows("live")
        assert images.hits == 1
