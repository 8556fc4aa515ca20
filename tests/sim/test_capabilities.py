"""Simulated old versions: each capability is missing before the version that introduced it."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from comfytui.cli.main import main
from comfytui.sim.capabilities import BadVersionError, capabilities_of
from comfytui.sim.config import SimConfig
from tests.sim.client import FAST, Client, client, events
from tests.sim.gate import Gate
from tests.sim.graphs import text_to_image
from tests.sim.replay import FLAGS, Socket

FLAGS_AND_IDS = (("0.3.40", False), ("0.3.44", False), ("0.3.45", True), ("0.33.0", True))


def like(version: str) -> SimConfig:
    return replace(FAST, like=version, preview_method="latent2rgb")


async def frames_of_a_prompt(it: Client) -> list[Any]:
    """Return the frames of one prompt for a client that accepts previews with metadata."""
    async with it.socket("me") as connection:
        await events(connection, "status")
        socket = Socket(connection)
        await socket.send(FLAGS)
        await socket.receive_all()
        await it.run(text_to_image(), client_id="me")
        await it.server.sockets.outbox.join()
        await socket.receive_all()
        frames = list(socket.frames)
        await socket.close()
    return frames


@pytest.mark.parametrize("version", ["0.3.40", "0.3.57", "0.3.64", "0.33.0"])
async def test_a_server_reports_the_version_that_it_simulates(version: str) -> None:
    async with client(like(version)) as it:
        assert (await it.get("/system_stats"))["system"]["comfyui_version"] == version
        assert (await it.run(text_to_image()))["status"]["status_str"] == "success"


@pytest.mark.parametrize(("version", "has"), FLAGS_AND_IDS)
async def test_newer_versions_send_flags_overviews_and_previews_with_metadata(version: str, has: bool) -> None:
    async with client(like(version)) as it:
        assert (await it.http.get("/features")).status_code == (200 if has else 404)
        assert (await it.http.get("/api/features")).status_code == (200 if has else 404)
        frames = await frames_of_a_prompt(it)
        texts = [frame for frame in frames if isinstance(frame, str)]
        previews = {frame[:4] for frame in frames if isinstance(frame, bytes)}
        assert any('"feature_flags"' in text for text in texts) is has
        assert any('"progress_state"' in text for text in texts) is has
        assert any('"progress"' in text for text in texts)
        assert previews == {b"\0\0\0\4" if has else b"\0\0\0\1"}


@pytest.mark.parametrize(("version", "has"), FLAGS_AND_IDS)
async def test_newer_versions_keep_the_id_that_a_client_chose(version: str, has: bool) -> None:
    chosen = str(uuid4())
    async with client(like(version)) as it:
        prompt_id = await it.submit(text_to_image(), prompt_id=chosen)
        assert (prompt_id == chosen) is has
        await it.ended(prompt_id)
        assert (await it.get(f"/history/{chosen}") == {}) is not has
        assert [body["prompt_id"] for body in it.server.submitted] == [chosen]


@pytest.mark.parametrize(
    ("version", "prompt_id", "becomes"),
    [("0.24.1", "mine", "mine"), ("0.24.1", None, "None"), ("0.24.1", 7, "7"), ("0.25.0", "mine", None)],
)
async def test_the_version_decides_on_an_id_that_is_not_a_uuid(
    version: str, prompt_id: object, becomes: str | None
) -> None:
    async with client(like(version)) as it:
        response = await it.http.post("/prompt", json={"prompt": text_to_image(), "prompt_id": prompt_id})
        assert (response.status_code, response.json().get("prompt_id")) == (400 if becomes is None else 200, becomes)


@pytest.mark.parametrize(("version", "end"), [("0.3.56", "interrupted"), ("0.3.57", "success")])
async def test_newer_versions_ignore_an_interrupt_of_another_prompt(version: str, end: str) -> None:
    gate = Gate()
    async with client(like(version), gate) as it:
        running = await it.submit(text_to_image())
        await gate.let_steps(1)
        await it.http.post("/interrupt", json={"prompt_id": str(uuid4())})
        await gate.let_all()
        assert (await it.ended(running))["status"]["messages"][-1][0] == f"execution_{end}"


@pytest.mark.parametrize(("version", "has"), [("0.3.59", False), ("0.3.60", True)])
async def test_newer_versions_page_the_history(version: str, has: bool) -> None:
    async with client(like(version)) as it:
        ids = [await it.submit(text_to_image(seed)) for seed in range(3)]
        for prompt_id in ids:
            await it.ended(prompt_id)
        page = await it.get("/history", max_items=1, offset=0)
        assert list(page) == [ids[0] if has else ids[-1]]


@pytest.mark.parametrize(("version", "leaks", "dated"), [("0.3.67", True, False), ("0.3.69", False, True)])
async def test_newer_versions_hide_secrets_and_date_prompts(version: str, leaks: bool, dated: bool) -> None:
    async with client(like(version), Gate()) as it:
        await it.submit(text_to_image(), extra_data={"api_key_comfy_org": "s3cret"})
        ((_, _, _, extra_data, _),) = (await it.get("/queue"))["queue_pending"]
        assert ("api_key_comfy_org" in extra_data, "create_time" in extra_data) == (leaks, dated)


@pytest.mark.parametrize(("version", "previews"), [("0.4.0", 0), ("0.5.0", 2)])
async def test_newer_versions_send_the_previews_that_a_prompt_requests(version: str, previews: int) -> None:
    async with client(replace(FAST, like=version)) as it, it.socket("me") as socket:
        await it.submit(text_to_image(), client_id="me", extra_data={"preview_method": "taesd"})
        frames = await events(socket, "execution_success")
        assert sum(isinstance(frame, bytes) for frame in frames) == previews


@pytest.mark.parametrize(
    ("version", "jobs", "cancel"),
    [("0.5.9", 404, 405), ("0.6.0", 200, 405), ("0.25.9", 200, 405), ("0.26.0", 200, 200)],
)
async def test_newer_versions_list_jobs_and_cancel_them_in_one_call(version: str, jobs: int, cancel: int) -> None:
    async with client(like(version)) as it:
        prompt_id = await it.submit(text_to_image())
        await it.ended(prompt_id)
        assert (await it.http.get("/api/jobs")).status_code == jobs
        assert (await it.http.get(f"/api/jobs/{prompt_id}")).status_code == jobs
        one = (await it.http.post(f"/api/jobs/{prompt_id}/cancel")).status_code
        several = (await it.http.post("/api/jobs/cancel", json={"job_ids": [prompt_id]})).status_code
        # Every path can be read, since the editor's files may be anywhere; so what is missing is the method.
        assert (one, several) == (cancel, cancel)


@pytest.mark.parametrize(("version", "status"), [("0.18.9", 200), ("0.19.0", 403)])
async def test_newer_versions_reject_a_cross_site_fetch(version: str, status: int) -> None:
    async with client(like(version)) as it:
        assert (await it.http.get("/queue", headers={"Sec-Fetch-Site": "cross-site"})).status_code == status


@pytest.mark.parametrize("version", ["", "new", "0", "1.x", "v0.3.57"])
def test_an_invalid_version_is_rejected(version: str) -> None:
    with pytest.raises(BadVersionError, match="as in"):
        capabilities_of(version)


def test_the_command_line_rejects_an_invalid_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sim", "--like", "old"])
    assert ended.value.code == 2
    assert "'old' is no version" in capsys.readouterr().err


@pytest.mark.parametrize(("version", "node"), [("0.3.40", None), ("0.3.45", "3")])
async def test_the_version_decides_the_node_of_a_step_without_a_client(version: str, node: str | None) -> None:
    async with client(like(version)) as it, it.socket("other") as socket:
        await it.submit(text_to_image())
        (*_, step) = await events(socket, "progress")
        assert step["data"]["node"] == node
