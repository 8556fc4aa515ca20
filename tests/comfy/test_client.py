"""Requests of the client, and what it makes of the responses."""

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, PromptRefused, ServerError
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.models import AcceptedPrompt, Queue
from comfytui.comfy.server import Server
from tests.comfy.recordings import exchange
from tests.stub_servers import EMPTY_QUEUE, PAGE, answering, everywhere, serving

GRAPH = {"1": {"class_type": "KSampler", "inputs": {"seed": 1}}}
COUNT = {"exec_info": {"queue_remaining": 2}}


class Recorder:
    """Sends one response to every request, and records the requests."""

    def __init__(self, body: Any = "", status: int = 200) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._answer = answering(body, status)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.headers.append(dict(request.headers))
        self.requests.append((request.method, str(request.rel_url), json.loads(raw) if raw else None))
        return await self._answer(request)


async def test_a_prompt_is_submitted_with_id_and_tag() -> None:
    recorder, prompt_id = Recorder({"prompt_id": "theirs", "number": 4, "node_errors": {}}), str(uuid4())
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        queued = await client.submit(
            GRAPH, prompt_id=prompt_id, client_id="me", tag={"batch": "b"}, preview_method="none"
        )
    assert queued == AcceptedPrompt("theirs", 4)
    assert recorder.requests[-1] == (
        "POST",
        "/api/prompt",
        {
            "prompt": GRAPH,
            "client_id": "me",
            "prompt_id": prompt_id,
            "extra_data": {"comfytui": {"batch": "b"}, "preview_method": "none"},
        },
    )


async def test_a_prompt_has_no_options_that_were_not_given() -> None:
    recorder = Recorder({"prompt_id": "p", "number": 4})
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        await client.submit(GRAPH, prompt_id="p", client_id="me", tag={})
    body = recorder.requests[-1][2]
    assert set(body) == {"prompt", "client_id", "prompt_id", "extra_data"}
    assert body["extra_data"] == {"comfytui": {}}


async def test_graphs_with_nan_and_lone_surrogates_are_submitted() -> None:
    recorder = Recorder({"prompt_id": "p", "number": 4})
    graph = {"1": {"class_type": "X\ud800", "is_changed": [float("nan")]}}
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        await client.submit(graph, prompt_id="p", client_id="me", tag={})
    assert recorder.requests[-1][2]["prompt"]["1"]["class_type"] == "X\ud800"


async def test_no_header_that_comfyui_rejects_is_sent() -> None:
    recorder = Recorder(COUNT)
    server = "http://me:pw@{}/?token=t"
    async with serving(everywhere(recorder.answer)) as url:
        address = server.format(url.removeprefix("http://"))
        async with ComfyClient(Server.from_url(address, headers=[("X-API-Key", "k")])) as client:
            await client.queue_count()
    for headers in recorder.headers:
        assert headers["X-API-Key"] == "k"
        assert headers["Authorization"] == "Basic bWU6cHc="
        assert headers["Host"] == url.removeprefix("http://")
        assert not {"Origin", "Sec-Fetch-Site"} & headers.keys()
    assert {path for _, path, _ in recorder.requests} == {"/api/prompt?token=t"}


async def test_the_recorded_rejection_is_raised_with_its_node_errors() -> None:
    recorded = exchange("validation_errors", "POST", "/prompt")
    routes = {"GET /api/prompt": answering(COUNT), "POST /api/prompt": answering(recorded["response"], 400)}
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(PromptRefused, match="Prompt outputs failed validation") as caught:
            await client.submit(GRAPH, prompt_id="p", client_id="me", tag={})
    assert [(error.class_type, error.input_name) for error in caught.value.node_errors] == [
        ("CheckpointLoaderSimple", "ckpt_name"),
        ("KSampler", "steps"),
    ]


async def test_the_message_of_a_rejection_is_sanitized() -> None:
    refusal = {"error": {"message": "\x1b]0;owned\x07no\nway " + "x" * 100_000}}
    routes = {"GET /api/prompt": answering(COUNT), "POST /api/prompt": answering(refusal, 400)}
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(PromptRefused) as caught:
            await client.submit(GRAPH, prompt_id="p", client_id="me", tag={})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(("status", "expected"), [(413, PromptRefused), (429, ServerError)])
async def test_only_final_statuses_are_rejections(status: int, expected: type[ComfyError]) -> None:
    routes = {"GET /api/prompt": answering(COUNT), "POST /api/prompt": answering("No", status)}
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(expected, match=str(status)):
            await client.submit(GRAPH, prompt_id="p", client_id="me", tag={})


async def test_servers_without_api_prefix_are_called_at_the_root() -> None:
    recorder, at_root = Recorder("", 404), Recorder(EMPTY_QUEUE)
    async with (
        serving({"GET /queue": at_root.answer, **everywhere(recorder.answer)}) as url,
        ComfyClient(Server.from_url(url)) as client,
    ):
        assert await client.queue() == Queue()
        assert await client.queue() == Queue()
        assert await client.cancel_job("p") is None
        assert await client.jobs() is None
        assert await client.job_graph("p") is None
    assert [path for _, path, _ in at_root.requests] == ["/queue", "/queue"]
    assert [path for _, path, _ in recorder.requests] == [
        "/api/prompt",
        "/api/jobs/p/cancel",
        "/api/jobs?limit=200",
        "/api/jobs/p",
    ]


async def test_a_404_may_be_an_empty_result() -> None:
    routes = {"GET /api/prompt": answering(COUNT), "GET /api/jobs/{id}": answering({"error": "Job not found"}, 404)}
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        assert await client.job_graph("p") is None
        assert await client.object_info("NoSuch") == {}
        assert await client.log_timestamps() == ()
        with pytest.raises(ServerError, match=r"fox\.png") as caught:
            await client.view(Output("fox.png"))
        assert caught.value.status == 404
        with pytest.raises(NotComfyUI):
            await client.queue()


@pytest.mark.parametrize("key", ["theirs", "mine"])
async def test_an_entry_of_another_prompt_is_ignored(key: str) -> None:
    entry = {"prompt": [1, "theirs", GRAPH, {}, []], "outputs": {}, "status": {"status_str": "success"}}
    routes = {
        "GET /api/prompt": answering(COUNT),
        "GET /api/history/{id}": answering({key: entry}),
        "GET /api/jobs/{id}": answering({"id": "theirs", "workflow": {"prompt": GRAPH}}),
    }
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        assert await client.history_entry("mine") is None
        assert await client.job_graph("mine") is None
        assert await client.job_graph("theirs") == GRAPH


async def test_ids_and_names_are_quoted_in_paths() -> None:
    recorder = Recorder({})
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        await client.history_entry("../queue?x=1#")
        await client.object_info("A/B\ud800")
    assert [path for _, path, _ in recorder.requests[-2:]] == [
        "/api/history/..%2Fqueue%3Fx%3D1%23",
        "/api/object_info/A%2FB%3F",
    ]


async def test_commands_are_sent_as_the_server_expects() -> None:
    recorder = Recorder("")
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        await client.interrupt_running("p")
        await client.interrupt_running()
        await client.delete(["p", "q"])
    assert recorder.requests[1:] == [
        ("POST", "/api/interrupt", {"prompt_id": "p"}),
        ("POST", "/api/interrupt", {}),
        ("POST", "/api/queue", {"delete": ["p", "q"]}),
    ]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_cancel_returns_whether_there_was_such_a_job(cancelled: bool) -> None:
    recorder = Recorder({"cancelled": cancelled})
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        assert await client.cancel_job("p") is cancelled
    assert recorder.requests == [("POST", "/api/jobs/p/cancel", None)]


async def test_images_are_viewed_as_files_or_previews() -> None:
    recorder = Recorder("picture")
    async with serving(everywhere(recorder.answer)) as url, ComfyClient(Server.from_url(url)) as client:
        assert await client.view(Output("a b.png", "x/y", "temp")) == b"picture"
        assert await client.view(Output("a.png"), preview="webp;50") == b"picture"
    assert [path for _, path, _ in recorder.requests[-2:]] == [
        "/api/view?filename=a+b.png&subfolder=x%2Fy&type=temp",
        "/api/view?filename=a.png&subfolder=&type=output&preview=webp%3B50",
    ]


async def test_an_html_page_is_not_an_image() -> None:
    async with serving(everywhere(PAGE)) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(NotComfyUI):
            await client.view(Output("a.png"))


async def test_an_endless_file_is_rejected() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(2**16))

    async with serving(everywhere(endless)) as url, ComfyClient(Server.from_url(url)) as client:
        client._prefix = "/api"
        with pytest.raises(ServerError, match="larger than 1 MiB"):
            await client.view(Output("a.png"), limit=2**20)


async def test_a_queue_of_ten_thousand_is_complete_and_in_order() -> None:
    items = [[number, f"p{number}", {"1": {"text": "x" * 2_000}}, {}, []] for number in range(10_000, 0, -1)]
    body = json.dumps({"queue_running": [], "queue_pending": items})
    async with serving(everywhere(answering(body))) as url, ComfyClient(Server.from_url(url)) as client:
        queue = await client.queue()
    assert [item.prompt_id for item in queue.pending] == [f"p{number}" for number in range(1, 10_001)]


async def test_requests_are_not_logged_with_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(everywhere(answering(COUNT))) as url:
        server = Server.from_url(f"{url}/?token=s3cret", headers=[("X-API-Key", "s3cret")])
        async with ComfyClient(server) as client:
            assert await client.queue_count() == 2
    assert "s3cret" not in caplog.text
