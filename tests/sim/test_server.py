"""The simulated server on the network: routes, origin check, other clients, and its end."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer, serve
from tests.sim.client import FAST, client
from tests.sim.graphs import text_to_image
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "box.example", "Origin": "http://evil.example"}, 200),
    ],
)
async def test_requests_from_other_web_sites_are_rejected(headers: dict[str, str], status: int) -> None:
    async with client() as it:
        assert (await it.http.get("/queue", headers=headers)).status_code == status


async def test_requests_from_its_own_page_are_accepted() -> None:
    async with client() as it:
        assert (await it.http.get("/queue", headers={"Origin": it.server.url})).status_code == 200


@pytest.mark.parametrize("path", ["/queue", "/prompt", "/history", "/models/checkpoints", "/system_stats", "/features"])
async def test_everything_also_answers_below_api(path: str) -> None:
    async with client() as it:
        assert await it.get(f"/api{path}") == await it.get(path)


async def test_internal_is_never_below_api() -> None:
    async with client() as it:
        assert (await it.http.get("/api/internal/logs/raw")).status_code == 404


async def test_the_root_is_a_web_page() -> None:
    async with client() as it:
        response = await it.http.get("/")
        assert response.headers["content-type"].startswith("text/html")
        assert "<title>ComfyUI</title>" in response.text


async def test_a_body_that_is_not_json_is_a_server_error() -> None:
    async with client() as it:
        assert (await it.http.post("/prompt", content=b"{")).status_code == 500
        assert (await it.run(text_to_image()))["status"]["status_str"] == "success"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("status=done", "Invalid status"),
        ("limit=0", "positive"),
        ("limit=x", "integer"),
        ("sort_by=name", "sort_by"),
        ("sort_order=up", "sort_order"),
    ],
)
async def test_an_invalid_query_of_jobs_is_explained(query: str, error: str) -> None:
    async with client() as it:
        response = await it.http.get(f"/api/jobs?{query}")
        assert response.status_code == 400
        assert error in response.json()["error"]


async def test_other_clients_queue_jobs_of_their_own() -> None:
    async with client(replace(FAST, other_clients=2, other_client_pause=(0.0, 0.01))) as it:
        await eventually(lambda: len(it.server.queue.history) >= 4, "four jobs of other clients")
        owners = {entry["prompt"][3]["client_id"] for entry in it.server.queue.history.values()}
        assert len(owners) == 2
        assert all(entry["status"]["completed"] for entry in it.server.queue.history.values())


async def test_serve_reports_its_url_and_ends_when_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(FAST, "127.0.0.1", 0, ready.set_result))
    url = await ready
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/prompt")).json() == {"exec_info": {"queue_remaining": 0}}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(httpx.ConnectError):
            await http.get("/prompt")


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with SimServer(SimConfig()) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address"):
            await SimServer(SimConfig(), port=port).__aenter__()
