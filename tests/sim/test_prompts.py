"""Prompts from a client's view, beyond what the recordings show."""

import asyncio
import json
from dataclasses import replace
from uuid import uuid4

import pytest

from comfytui.sim.machine import Clock
from tests.sim.client import FAST, client, events
from tests.sim.gate import Gate
from tests.sim.graphs import flux, node, text_to_image

ID = "20bb96da-e118-40f4-b574-597b315034ce"


@pytest.mark.parametrize("prompt_id", ["nonsense", ID.upper(), ID.replace("-", ""), 7])
async def test_a_prompt_id_that_is_not_a_canonical_uuid_is_refused(prompt_id: object) -> None:
    async with client() as it:
        response = await it.http.post("/prompt", json={"prompt": text_to_image(), "prompt_id": prompt_id})
        assert response.status_code == 400
        assert response.json()["error"]["type"] == "invalid_prompt_id"
        assert await it.get("/queue") == {"queue_running": [], "queue_pending": []}


async def test_numbers_order_the_queue() -> None:
    async with client(clock=Gate()) as it:
        late = await it.submit(text_to_image(1), number=9)
        front = await it.submit(text_to_image(2), front=True)
        first = await it.submit(text_to_image(3), number=-5)
        pending = (await it.get("/queue"))["queue_pending"]
        assert [item[1] for item in sorted(pending)] == [first, front, late]
        assert [item[0] for item in sorted(pending)] == [-5.0, 0, 9.0]


async def test_history_is_written_after_the_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    written = asyncio.Event()
    monkeypatch.setattr(Clock, "store_results", lambda _: written.wait())
    async with client() as it, it.socket("me") as socket:
        prompt_id = await it.submit(text_to_image(), client_id="me")
        await events(socket, "execution_success")
        assert await it.get(f"/history/{prompt_id}") == {}
        assert [item[1] for item in (await it.get("/queue"))["queue_running"]] == [prompt_id]
        written.set()
        await events(socket, "executing")
        assert set(await it.get(f"/history/{prompt_id}")) == {prompt_id}


async def test_nothing_runs_for_a_moment_between_two_prompts() -> None:
    async with client(clock=Gate()) as it:
        prompt_id = await it.submit(text_to_image())
        queue = await it.get("/queue")
        assert (queue["queue_running"], [item[1] for item in queue["queue_pending"]]) == ([], [prompt_id])


async def test_secrets_are_never_returned() -> None:
    async with client() as it:
        entry = await it.run(text_to_image(), extra_data={"api_key_comfy_org": "s3cret", "mine": 1})
        assert "s3cret" not in json.dumps(entry)
        assert entry["prompt"][3]["mine"] == 1


async def test_previews_are_sent_if_the_prompt_requests_them() -> None:
    async with client() as it, it.socket("me") as socket:
        for method, expected in (("none", 0), ("default", 0), ("latent2rgb", 2), ("taesd", 2), ("what?", 0)):
            graph = text_to_image(seed=len(method) + expected)
            await it.submit(graph, client_id="me", extra_data={"preview_method": method})
            frames = await events(socket, "execution_success")
            assert sum(isinstance(frame, bytes) for frame in frames) == expected, method


async def test_a_prompt_without_client_sends_its_steps_to_all_and_its_end_to_none() -> None:
    async with client() as it, it.socket("other") as socket:
        await it.submit(text_to_image())
        await it.submit(text_to_image(seed=2), client_id="other")
        frames = [frame["type"] for frame in await events(socket, "execution_start") if isinstance(frame, dict)]
        assert frames.count("progress") == 2
        assert "progress_state" in frames
        assert not {"executing", "executed", "execution_success"} & set(frames)


async def test_a_sampler_runs_out_of_memory_as_often_as_it_should() -> None:
    async with client(replace(FAST, fail_step=2, fail_times=1)) as it:
        failed = await it.run(text_to_image(steps=4))
        name, error = failed["status"]["messages"][-1]
        assert (failed["status"]["status_str"], name) == ("error", "execution_error")
        assert (error["node_id"], error["exception_type"]) == ("3", "torch.OutOfMemoryError")
        assert error["exception_message"].startswith("CUDA out of memory")
        assert (await it.run(text_to_image(steps=4)))["status"]["status_str"] == "success"


async def test_modular_and_partial_samplers_count_their_steps() -> None:
    async with client() as it, it.socket("me") as socket:
        await it.submit(flux(steps=3), client_id="me")
        frames = await events(socket, "execution_success")
        steps = [frame["data"] for frame in frames if isinstance(frame, dict) and frame["type"] == "progress"]
        assert [(step["node"], step["value"], step["max"]) for step in steps] == [("11", n, 3) for n in (1, 2, 3)]
        graph = text_to_image()
        inputs = {name: value for name, value in graph["3"]["inputs"].items() if name not in {"seed", "denoise"}}
        parts = {"start_at_step": 4, "end_at_step": 6, "add_noise": "enable", "return_with_leftover_noise": "disable"}
        graph["3"] = node("KSamplerAdvanced", **{**inputs, "steps": 10, "noise_seed": 1}, **parts)
        await it.submit(graph, client_id="me")
        frames = await events(socket, "execution_success")
        assert sum(isinstance(frame, dict) and frame["type"] == "progress" for frame in frames) == 2


async def test_equal_texts_are_encoded_once() -> None:
    async with client() as it, it.socket("me") as socket:
        await it.submit(text_to_image(text="blurry"), client_id="me")
        frames = [frame for frame in await events(socket, "execution_success") if isinstance(frame, dict)]
        ran = [frame["data"]["node"] for frame in frames if frame["type"] == "executing"]
        assert len({"6", "7"} & set(ran)) == 1


async def test_cancel_returns_whether_it_cancelled() -> None:
    gate = Gate()
    async with client(clock=gate) as it:
        running, pending, later = [await it.submit(text_to_image(seed)) for seed in range(3)]
        await gate.let_steps(1)
        cancelled = await it.http.post(f"/api/jobs/{pending}/cancel")
        assert cancelled.json() == {"cancelled": True}
        several = await it.http.post("/api/jobs/cancel", json={"job_ids": [running, pending, str(uuid4())]})
        assert several.json() == {"cancelled": True}
        await gate.let_all()
        assert (await it.ended(running))["status"]["messages"][-1][0] == "execution_interrupted"
        assert (await it.ended(later))["status"]["status_str"] == "success"
        assert await it.get(f"/history/{pending}") == {}
        again = await it.http.post(f"/api/jobs/{running}/cancel")
        assert again.json() == {"cancelled": False}
        wrong = await it.http.post("/api/jobs/cancel", json={"job_ids": ["x"]})
        assert wrong.status_code == 400


async def test_an_interrupt_of_another_prompt_is_a_silent_no_op() -> None:
    gate = Gate()
    async with client(clock=gate) as it:
        running = await it.submit(text_to_image())
        await gate.let_steps(1)
        response = await it.http.post("/interrupt", json={"prompt_id": str(uuid4())})
        assert response.status_code == 200
        await gate.let_all()
        assert (await it.ended(running))["status"]["status_str"] == "success"


async def test_an_interrupt_without_prompt_stops_whatever_runs() -> None:
    gate = Gate()
    async with client(clock=gate) as it:
        running = await it.submit(text_to_image())
        await gate.let_steps(1)
        await it.http.post("/interrupt")
        await gate.let_all()
        status = (await it.ended(running))["status"]
        assert (status["completed"], status["messages"][-1][0]) == (False, "execution_interrupted")


async def test_free_memory_follows_the_loaded_models() -> None:
    async def free(path: str = "/system_stats") -> int:
        value = (await it.get(path))["devices"][0]["vram_free"]
        assert isinstance(value, int)
        return value

    async with client() as it:
        before = await free()
        await it.run(text_to_image())
        loaded = await free()
        assert before - loaded > 6 * 1024**3
        await it.http.post("/free", json={"unload_models": True, "free_memory": True})
        await it.run({"1": node("LabSampler", **_lab()), "2": node("PreviewImage", images=["1", 0])})
        assert await free() == before


def _lab() -> dict[str, object]:
    numbers = {"seed": 1, "steps": 1, "delay_ms": 0, "fail_at": -1, "width": 16, "height": 16, "batch_size": 1}
    return {**numbers, "preview": False, "text": ""}
