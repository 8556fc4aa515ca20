"""What Prometheus and a watchdog read of a relay."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from comfytui.session.model import LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import RunningRelay, running_relay
from tests.waiting import eventually

CONFIG = SimConfig(steps_per_second=50, load_seconds=0.1)


async def figures(relay: RunningRelay) -> dict[str, float]:
    """Return the figures by name, with their labels' values."""
    response = await relay.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_images_are_counted_by_how_they_ended() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        assert (await figures(relay))["comfytui_images_total succeeded"] == 0
        await relay.submit(2, model=sim.config.checkpoints[0])
        await relay.submit(1, model="none.safetensors")
        await eventually(
            lambda: len(relay.state.jobs) == 3 and all(job.status.ended for job in relay.state.jobs.values()),
            "the ends",
        )
        counted: dict[str, float] = {}
        while not counted or counted["comfytui_images_total succeeded"] < 2:
            counted = await figures(relay)
        assert counted["comfytui_images_total rejected"] == 1
        assert counted["comfytui_images_total failed"] == 0
        assert counted["comfytui_image_seconds_count"] == 2
        assert counted["comfytui_image_seconds_bucket +Inf"] == 2
        assert counted["comfytui_open_images"] == 0


async def test_the_queue_and_the_link_are_as_they_are_now() -> None:
    async with SimServer(SimConfig(steps_per_second=2)) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await relay.submit(3, model=sim.config.checkpoints[0])
        await eventually(lambda: relay.state.runs and relay.state.queue_remaining == 3, "the queue")
        async with relay.client.stream("GET", "/api/generate/progress"):
            now = await figures(relay)
        assert (now["comfytui_queue_length"], now["comfytui_running_jobs"]) == (3, 1)
        assert (now["comfytui_stream_clients"], now["comfytui_open_images"]) == (1, 3)
        assert (now["comfytui_link live"], now["comfytui_link offline"]) == (1, 0)
        assert now["process_resident_memory_bytes"] > 2**20
        await sim.stop(killed=True)
        await eventually(lambda: relay.state.link.kind is LinkKind.OFFLINE, "an offline link")
        await eventually(lambda: relay.context.streams == 0, "the end of the stream")
        now = await figures(relay)
        assert now["comfytui_stream_clients"] == 0
        assert (now["comfytui_link live"], now["comfytui_link offline"], now["comfytui_current"]) == (0, 1, 0)


async def test_the_relay_is_well_while_comfyui_is_away() -> None:
    async with running_relay("http://127.0.0.1:9") as relay:
        await eventually(lambda: relay.state.link.kind is LinkKind.OFFLINE, "an offline link")
        response = await relay.client.get("/healthz")
        assert (response.status_code, response.json()) == (200, {"status": "ok", "link": "offline"})


async def test_a_relay_whose_session_has_stopped_is_not_well() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await asyncio.to_thread(relay.service.stop)
        response = await relay.client.get("/healthz")
        assert response.status_code == 503
        assert "stopped" in response.json()["error"]
