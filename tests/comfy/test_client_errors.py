"""Whatever goes wrong on the way ends in an error of ours that says what to do, and tells no secret."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError, TimedOut, Unauthorized, Unreachable
from comfytui.comfy.http import transport
from comfytui.comfy.server import Server
from tests.comfy.stub_servers import EMPTY_QUEUE, PAGE, answering, everywhere, serving, shouting, unused_port
from tests.faults.held import connections_to
from tests.waiting import eventually

CALLS: dict[str, Callable[[ComfyClient], Awaitable[object]]] = {
    "submit": lambda client: client.submit({}, prompt_id="p", client_id="me", marks={}),
    "queue": lambda client: client.queue(),
    "count": lambda client: client.queue_count(),
    "history": lambda client: client.history(3),
    "history_of": lambda client: client.history_entry("p"),
    "stats": lambda client: client.system_stats(),
    "models": lambda client: client.models("loras"),
    "info": lambda client: client.object_info("KSampler"),
    "interrupt": lambda client: client.interrupt("p"),
}


async def fault(url: str, call: Callable[[ComfyClient], Awaitable[object]] = CALLS["queue"]) -> ComfyError:
    """The error of a call with secrets in all places; it must be fit to be shown."""
    server = Server.from_url(
        url.replace("://", "://me:s3cret@") + "/?token=s3cret",
        headers=[("X-API-Key", "s3cret"), ("Cookie", "a=s3cret")],
    )
    async with ComfyClient(server) as client:
        with pytest.raises(ComfyError) as caught:
            await call(client)
    error = caught.value
    told = "".join(traceback.format_exception(error))
    assert "s3cret" not in f"{told}{error!r}{server!r}"
    assert "During handling" not in told
    assert str(error).isprintable()
    assert str(error).endswith(".")
    assert len(str(error)) < 300
    return error


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_page_is_not_comfyui(call: Callable[[ComfyClient], Awaitable[object]]) -> None:
    async with serving(everywhere(PAGE)) as url:
        assert isinstance(await fault(url, call), NotComfyUI)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Unauthorized),
        (403, Unauthorized),
        (407, Unauthorized),
        (408, TimedOut),
        (429, ServerError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, TimedOut),
        (524, TimedOut),
    ],
)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_statuses(
    status: int, expected: type[ComfyError], call: Callable[[ComfyClient], Awaitable[object]]
) -> None:
    async with serving(everywhere(answering("<html>s3cret</html>", status))) as url:
        error = await fault(url, call)
    assert type(error) is expected
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_to_a_login_and_is_not_followed(status: int) -> None:
    visited: list[str] = []

    async def login(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response(text="{}")

    redirect = answering("", status, Location="/login?next=s3cret")
    async with serving({"* /login": login, **everywhere(redirect)}) as url:
        assert isinstance(await fault(url), Unauthorized)
    assert visited == []


async def test_refused_says_that_no_server_runs() -> None:
    error = await fault(f"http://127.0.0.1:{await unused_port()}")
    assert isinstance(error, Unreachable)
    assert error.kind == "refused"
    assert "start ComfyUI" in str(error)


async def test_an_unknown_name_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    error = await fault("http://box.invalid:8188")
    assert isinstance(error, Unreachable)
    assert error.kind == "dns"
    assert "box.invalid" in str(error)


async def test_tls_on_a_plain_port_is_told() -> None:
    async with serving(everywhere(answering())) as url:
        error = await fault(url.replace("http://", "https://"))
    assert isinstance(error, Unreachable)
    assert "http://" in str(error)


async def test_a_port_that_speaks_something_else_is_not_comfyui() -> None:
    async with shouting(b"220 ftp.example ready\r\n\r\n") as url:
        assert isinstance(await fault(url), NotComfyUI)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
async def test_a_connection_that_breaks_leaves_open_what_happened(said: bytes) -> None:
    async with shouting(said) as url:
        error = await fault(url)
    assert isinstance(error, ServerError)
    assert error.status is None


@pytest.mark.parametrize("silent_from", ["head", "body"])
async def test_no_answer_in_time_is_no_missing_server(monkeypatch: pytest.MonkeyPatch, silent_from: str) -> None:
    monkeypatch.setattr(transport, "GET_READ_SECONDS", 0.05)

    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if silent_from == "body":
            await response.prepare(request)
            await response.write(b"{")
        await asyncio.sleep(60)
        return response

    async with serving(everywhere(hang)) as url:
        assert isinstance(await fault(url), TimedOut)


async def test_an_answer_that_drips_ends_too() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    async def exchange(client: ComfyClient) -> object:
        return await client._transport.request("GET", "/queue", total_seconds=0.1)

    async with serving(everywhere(drip)) as url:
        assert isinstance(await fault(url, exchange), TimedOut)


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "9" * 10_000, '{"a": 1}', "[]", "null", "\xff"])
async def test_an_answer_that_is_no_queue_is_not_an_empty_queue(body: str) -> None:
    async with serving(everywhere(answering(body))) as url:
        assert isinstance(await fault(url), NotComfyUI)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://127.0.0.1:1", "http://[", "http://127.0.0.1:1"])
async def test_a_proxy_that_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(await fault("http://box.invalid:8188"), Unreachable)


async def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await unused_port()}")
    async with serving(everywhere(answering(EMPTY_QUEUE))) as url, ComfyClient(Server.from_url(url)) as client:
        assert (await client.queue()).pending == ()


async def test_a_question_that_comes_after_the_end_is_a_link_that_is_down() -> None:
    async with serving({"GET /api/prompt": answering(EMPTY_QUEUE)}) as url:
        async with ComfyClient(Server.from_url(url)) as client:
            pass
        with pytest.raises(Unreachable, match="not connected"):
            await client.queue_count()


async def test_what_is_asked_when_the_end_comes_fails_and_leaves_no_connection() -> None:
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(
        {"GET /api/prompt": answering({"exec_info": {"queue_remaining": 0}}), "GET /api/queue": never}
    ) as url:
        client = ComfyClient(Server.from_url(url))
        await client.queue_count()
        question = asyncio.create_task(client.queue())
        await asked.wait()
        async with client:
            pass
        assert question.done()
        with pytest.raises(ServerError, match="broke"):
            await question


async def test_an_end_that_is_itself_cancelled_leaves_no_connection() -> None:
    async with serving({"GET /api/prompt": answering({"exec_info": {"queue_remaining": 0}})}) as url:
        for steps in range(1, 6):
            client = ComfyClient(Server.from_url(url))
            await asyncio.gather(*(client.queue_count() for _ in range(3)))
            ending = asyncio.create_task(client.__aexit__())
            for _ in range(steps):
                await asyncio.sleep(0)
            ending.cancel()
            await asyncio.wait([ending])
            await eventually(lambda: connections_to(url) == 0, "no connection")


async def test_a_prompt_that_was_given_up_does_not_arrive_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "POST_READ_SECONDS", 0.2)
    graph = {"1": {"class_type": "Note", "inputs": {"text": "long " * 10**6}}}

    async def taken(reader: asyncio.StreamReader) -> bytes:
        """All that still comes of it once the link is back."""
        with suppress(ConnectionError):
            return await reader.read(-1)
        return b"reset"

    begun = asyncio.Event()
    end: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        else:
            begun.set()
            await given_up.wait()
            end.set_result(await taken(reader))
        writer.close()

    given_up = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=4096) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with ComfyClient(Server.from_url(url)) as client:
            with pytest.raises(TimedOut):
                await client.submit(graph, prompt_id="p", client_id="me", marks={})
            assert begun.is_set()
            given_up.set()
            assert await end == b"reset"
