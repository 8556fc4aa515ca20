"""The pictures that the relay passes on from ComfyUI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO

import httpx
import pytest
from PIL import Image

from comfytui.comfy.protocol.events import Output
from comfytui.headless.relay import images
from comfytui.session.model import Job, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import RunningRelay, running_relay
from tests.waiting import eventually
from tests.watcher import small_batch

BIG = bytes(range(256)) * 2**16
"""A file of 16 MiB, more than sockets buffer."""


@asynccontextmanager
async def relay_with_image() -> AsyncIterator[tuple[SimServer, RunningRelay, Job]]:
    """Run a relay, and have one image made."""
    async with SimServer(SimConfig(steps_per_second=50, load_seconds=0.1)) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await relay.submit(model=sim.config.checkpoints[0])
        await eventually(lambda: any(job.outputs and job.status.ended for job in relay.state.jobs.values()), "an image")
        yield sim, relay, next(iter(relay.state.jobs.values()))


def key_of(job: Job) -> tuple[str, str, str]:
    """Return where the simulated server keeps a job's first file."""
    output = job.outputs[0]
    return output.type, output.subfolder, output.filename


async def test_a_file_is_passed_on_as_it_is_and_kept_by_browsers() -> None:
    async with relay_with_image() as (sim, relay, job):
        url = (await relay.client.get(f"/api/jobs/{job.prompt_id}")).json()["outputs"][0]["url"]
        response = await relay.client.get(url)
        assert response.content == sim.files.get(*key_of(job))
        assert (response.headers["content-type"], response.headers["x-content-type-options"]) == (
            "image/png",
            "nosniff",
        )
        assert response.headers["content-disposition"] == f'inline; filename="{job.outputs[0].filename}"'
        assert "immutable" in response.headers["cache-control"]
        again = await relay.client.get(url, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["none/0", "{}/1", "{}/99999", "{}/x", "{}/-1", "{}/..%2f..%2fetc%2fpasswd"])
async def test_there_is_nothing_but_the_files_of_jobs(path: str) -> None:
    async with relay_with_image() as (_, relay, job):
        assert (await relay.client.get(f"/api/view/{path.format(job.prompt_id)}")).status_code == 404


def png_of(size: tuple[int, int]) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "red").save(file, "PNG")
    return file.getvalue()


async def smaller(relay: RunningRelay, job: Job, width: str) -> httpx.Response:
    return await relay.client.get(f"/api/view/{job.prompt_id}/0", params={"width": width})


@pytest.mark.parametrize(
    ("size", "smaller_size"), [((1024, 768), (128, 96)), ((64, 64), (64, 64)), ((64, 640), (26, 256))]
)
async def test_a_smaller_version_keeps_the_proportions(size: tuple[int, int], smaller_size: tuple[int, int]) -> None:
    async with relay_with_image() as (sim, relay, job):
        sim.files.put(key_of(job), png_of(size))
        response = await smaller(relay, job, "128")
        assert response.headers["content-type"] == "image/webp"
        with Image.open(BytesIO(response.content)) as image:
            assert image.size == smaller_size
            assert [round(of / 255) for of in image.convert("RGB").resize((1, 1)).tobytes()] == [1, 0, 0]
        full = await relay.client.get(f"/api/view/{job.prompt_id}/0")
        assert full.headers["etag"] != response.headers["etag"]


@pytest.mark.parametrize("width", ["15", "2049", "x", "-64", "", "1e2"])
async def test_a_width_that_is_none_is_named(width: str) -> None:
    async with relay_with_image() as (_, relay, job):
        response = await smaller(relay, job, width)
        assert response.status_code == 400
        assert response.json()["error"].startswith("width: ")


async def test_a_file_that_the_server_lost_is_missing_here_too() -> None:
    async with relay_with_image() as (sim, relay, job):
        del sim.files.contents[key_of(job)]
        response = await relay.client.get(f"/api/view/{job.prompt_id}/0")
        assert response.status_code == 404
        assert "no longer has" in response.json()["error"]


async def test_the_file_of_a_newer_job_is_not_taken_for_that_of_an_older_one() -> None:
    async with relay_with_image() as (sim, relay, _):
        sim.files.counters.clear()  # As if the folder had been emptied: names are used again.
        await relay.submit(model=sim.config.checkpoints[0])
        await eventually(lambda: sum(bool(each.outputs) for each in relay.state.jobs.values()) == 2, "another image")
        await eventually(lambda: all(each.status.ended for each in relay.state.jobs.values()), "its end")
        old, new = [await relay.client.get(f"/api/view/{prompt_id}/0") for prompt_id in relay.state.jobs]
        assert (old.status_code, new.status_code) == (410, 200)
        assert "same name" in old.json()["error"]


async def test_a_page_among_the_files_is_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    async with relay_with_image() as (sim, relay, job):
        claimed = replace(job, outputs=(Output("evil.svg"),))
        monkeypatch.setattr(relay.context.feed, "job", lambda _: claimed)
        sim.files.put(("output", "", "evil.svg"), b"<svg onload='alert(1)'/>")
        response = await relay.client.get(f"/api/view/{job.prompt_id}/0")
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"] == 'attachment; filename="evil.svg"'
        assert "sandbox" in response.headers["content-security-policy"]
        assert (await smaller(relay, job, "128")).status_code == 400


async def test_without_comfyui_there_is_a_sentence() -> None:
    async with relay_with_image() as (sim, relay, job):
        await sim.stop(killed=True)
        await eventually(lambda: relay.state.link.kind is LinkKind.OFFLINE, "an offline link")
        response = await relay.client.get(f"/api/view/{job.prompt_id}/0")
        assert response.status_code == 503
        assert response.json()["error"]


async def test_a_client_that_does_not_read_is_closed_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "WRITE_SECONDS", 1.0)
    async with relay_with_image() as (sim, relay, job):
        sim.files.put(key_of(job), BIG)
        async with relay.client.stream("GET", f"/api/view/{job.prompt_id}/0") as stalled:
            assert stalled.status_code == 200
            assert (await relay.client.get(f"/api/view/{job.prompt_id}/0")).content == BIG
            await eventually(lambda: relay.context.transfers == 0, "the end of the transfer")
            with pytest.raises(httpx.RemoteProtocolError):
                await stalled.aread()


async def test_a_client_that_leaves_ends_the_transfer() -> None:
    async with relay_with_image() as (sim, relay, job):
        sim.files.put(key_of(job), BIG)
        async with relay.client.stream("GET", f"/api/view/{job.prompt_id}/0") as left:
            assert left.status_code == 200
        await eventually(lambda: relay.context.transfers == 0, "the end of the transfer")


async def test_more_transfers_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_TRANSFERS", 1)
    async with relay_with_image() as (sim, relay, job):
        sim.files.put(key_of(job), BIG)
        async with relay.client.stream("GET", f"/api/view/{job.prompt_id}/0"):
            assert (await relay.client.get(f"/api/view/{job.prompt_id}/0")).status_code == 503


async def test_the_newest_preview_is_there_while_the_image_is_made() -> None:
    config = SimConfig(steps_per_second=4, load_seconds=0.1)
    async with SimServer(config) as sim, running_relay(sim.url) as relay:
        await relay.live()
        relay.service.submit(small_batch(1, True, model=sim.config.checkpoints[0], steps=40))
        await eventually(lambda: relay.context.preview is not None, "a preview")
        [prompt_id] = relay.state.jobs
        response = await relay.client.get(f"/api/preview/{prompt_id}")
        assert response.content.startswith(b"\xff\xd8")
        assert (response.headers["content-type"], response.headers["cache-control"]) == ("image/jpeg", "no-store")
        assert (await relay.client.get("/api/preview/other")).status_code == 404


async def test_a_job_without_a_preview_has_none() -> None:
    async with relay_with_image() as (_, relay, job):
        response = await relay.client.get(f"/api/preview/{job.prompt_id}")
        assert (response.status_code, response.json()) == (404, {"error": "There is no preview of this job."})
