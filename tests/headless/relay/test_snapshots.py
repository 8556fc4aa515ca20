"""The snapshots that the relay serves."""

import pytest

from comfytui.session.model import LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import running_relay
from tests.waiting import eventually

CONFIG = SimConfig(steps_per_second=50, load_seconds=0.1)


async def test_the_queue_its_jobs_and_the_server_are_there_as_json() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        batch = await relay.submit(2, model=sim.config.checkpoints[0])
        await eventually(lambda: all(job.outputs for job in relay.state.jobs.values()), "the images")
        response = await relay.client.get("/api/queue")
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        queue = response.json()
        assert [each["batchId"] for each in queue["batches"]] == [batch]
        newest = queue["ended"][0]
        assert newest == (await relay.client.get(f"/api/jobs/{newest['promptId']}")).json()
        assert (newest["imageIndex"], newest["outputs"][0]["url"]) == (2, f"/api/view/{newest['promptId']}/0")
        server = (await relay.client.get("/api/server")).json()
        assert (server["link"]["state"], server["link"]["current"]) == ("live", True)
        assert server["devices"]


async def test_a_client_that_has_the_queue_already_does_not_get_it_again() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await eventually(lambda: relay.state.unobserved_since is None, "the queue")
        etag, again = "", await relay.client.get("/api/queue")
        while again.status_code != 304:  # A change of the link or the queue may come between the two.
            etag = again.headers["etag"]
            again = await relay.client.get("/api/queue", headers={"If-None-Match": etag})
        assert (again.content, again.headers["etag"]) == (b"", etag)
        await relay.submit(1, model=sim.config.checkpoints[0])
        changed = await relay.client.get("/api/queue", headers={"If-None-Match": etag})
        assert changed.status_code == 200


async def test_an_unknown_job_is_refused_with_a_sentence() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        response = await relay.client.get("/api/jobs/..%2fnone")
        assert response.status_code == 404
        assert "no job" in response.json()["error"]


@pytest.mark.parametrize("path", ["jobs/none", "view/none/0", "preview/none"])
async def test_whether_there_is_a_job_is_not_known_before_comfyui_answers(path: str) -> None:
    async with running_relay("http://127.0.0.1:9") as relay:
        response = await relay.client.get(f"/api/{path}")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert response.json()["error"].endswith("it is not known whether there is such a job.")


async def test_the_queue_of_a_server_that_went_away_is_there_as_last_seen() -> None:
    async with SimServer(SimConfig(steps_per_second=2)) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await relay.submit(2, model=sim.config.checkpoints[0])
        await eventually(lambda: relay.state.runs, "a running image")
        await sim.stop(killed=True)
        await eventually(lambda: relay.state.link.kind is LinkKind.OFFLINE, "an offline link")
        queue = (await relay.client.get("/api/queue")).json()
        assert (queue["link"], queue["current"], queue["batches"][0]["totalImages"]) == ("offline", False, 2)
        assert (await relay.client.get("/api/server")).json()["link"]["reason"]
