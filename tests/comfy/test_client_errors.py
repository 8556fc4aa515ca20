"""All failures are errors of the client, with advice to the user and without secrets."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError, TimedOut, Unauthorized, Unreachable
from comfytui.comfy.server import Server
from comfytui.timings import DEFAULT, HttpTimings
from tests.faults.leak_check import count_connections
from tests.stub_servers import EMPTY_QUEUE, PAGE, answering, everywhere, greeting_server, serving, unused_port
from tests.waiting import eventually

CALLS: dict[str, Callable[[ComfyClient], Awaitable[object]]] = {
    "submit": lambda client: client.submit({}, prompt_id="p", client_id="me", tag={}),
    "queue": lambda client: client.queue(),
    "count": lambda client: client.queue_count(),
    "history": lambda client: client.history(3, lambda entry: entry),
    "history_entry": lambda client: client.history_entry("p"),
    "stats": lambda client: client.system_stats(),
    "info": lambda client: client.object_info("KSampler"),
    "interrupt": lambda client: client.interrupt_running("p"),
}


async def error_of(
    url: str, call: Callable[[ComfyClient], Awaitable[object]] = CALLS["queue"], timings: HttpTimings = DEFAULT.http
) -> ComfyError:
    """Return the error of a call with secrets in URL, headers and cookies; assert that it can be displayed."""
    server = Server.from_url(
        url.replace("://", "://me:s3cret@") + "/?token=s3cret",
        headers=[("X-API-Key", "s3cret"), ("Cookie", "a=s3cret")],
    )
    async with ComfyClient(server, timings) as client:
        with pytest.raises(ComfyError) as caught:
            await call(client)
    error = caught.value
    formatted = "".join(traceback.format_exception(error))
    assert "s3cret" not in f"{formatted}{error!r}{server!r}"
    assert "During handling" not in formatted
    assert str(error).isprintable()
    assert str(error).endswith(".")
    assert len(str(error)) < 300
    return error


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_html_page_is_not_comfyui(call: Callable[[ComfyClient], Awaitable[object]]) -> None:
    async with serving(everywhere(PAGE)) as url:
        assert isinstance(await error_of(url, call), NotComfyUI)


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
async def test_each_status_has_its_error(
    status: int, expected: type[ComfyError], call: Callable[[ComfyClient], Awaitable[object]]
) -> None:
    async with serving(everywhere(answering("<html>s3cret</html>", status))) as url:
        error = await error_of(url, call)
    assert type(error) is expected
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_unauthorized_and_not_followed(status: int) -> None:
    visited: list[str] = []

    async def login(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response(text="{}")

    redirect = answering("", status, Location="/login?next=s3cret")
    async with serving({"* /login": login, **everywhere(redirect)}) as url:
        assert isinstance(await error_of(url), Unauthorized)
    assert visited == []


async def test_a_refused_connection_says_that_no_server_runs() -> None:
    error = await error_of(f"http://127.0.0.1:{await unused_port()}")
    assert isinstance(error, Unreachable)
    assert error.kind == "refused"
    assert "start ComfyUI" in str(error)


async def test_an_unknown_host_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    error = await error_of("http://box.invalid:8188")
    assert isinstance(error, Unreachable)
    assert error.kind == "dns"
    assert "box.invalid" in str(error)


async def test_tls_on_a_plain_port_is_reported() -> None:
    async with serving(everywhere(answering())) as url:
        error = await error_of(url.replace("http://", "https://"))
    assert isinstance(error, Unreachable)
    assert "http://" in str(error)


async def test_another_protocol_is_not_comfyui() -> None:
    async with greeting_server(b"220 ftp.example ready\r\n\r\n") as url:
        assert isinstance(await error_of(url), NotComfyUI)


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
async def test_a_broken_connection_leaves_the_outcome_open(response: bytes) -> None:
    async with greeting_server(response) as url:
        error = await error_of(url)
    assert isinstance(error, ServerError)
    assert error.status is None


@pytest.mark.parametrize("silent_from", ["head", "body"])
async def test_a_read_timeout_is_not_unreachable(silent_from: str) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if silent_from == "body":
            await response.prepare(request)
            await response.write(b"{")
        await asyncio.sleep(60)
        return response

    async with serving(everywhere(hang)) as url:
        assert isinstance(await error_of(url, timings=HttpTimings(get_read=0.05)), TimedOut)


async def test_a_response_that_trickles_times_out() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    async with serving(everywhere(drip)) as url:
        assert isinstance(await error_of(url, timings=HttpTimings(total=0.1)), TimedOut)


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "9" * 10_000, '{"a": 1}', "[]", "null", "\xff"])
async def test_a_response_that_is_no_queue_is_not_an_empty_queue(body: str) -> None:
    async with serving(everywhere(answering(body))) as url:
        assert isinstance(await error_of(url), NotComfyUI)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://127.0.0.1:1", "http://[", "http://127.0.0.1:1"])
async def test_an_unusable_proxy_is_reported(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(await error_of("http://box.invalid:8188"), Unreachable)


async def test_loopback_servers_are_reached_without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await unused_port()}")
    async with serving(everywhere(answering(EMPTY_QUEUE))) as url, ComfyClient(Server.from_url(url)) as client:
        assert (await client.queue()).pending == ()


async def test_a_request_after_closing_is_unreachable() -> None:
    async with serving({"GET /api/prompt": answering(EMPTY_QUEUE)}) as url:
        async with ComfyClient(Server.from_url(url)) as client:
            pass
        with pytest.raises(Unreachable, match="not connected"):
            await client.queue_count()


async def test_a_request_in_flight_fails_on_closing_and_leaves_no_connection() -> None:
    requested = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        requested.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(
        {"GET /api/prompt": answering({"exec_info": {"queue_remaining": 0}}), "GET /api/queue": never}
    ) as url:
        client = ComfyClient(Server.from_url(url))
        await client.queue_count()
        request_task = asyncio.create_task(client.queue())
        await requested.wait()
        async with client:
            pass
        assert request_task.done()
        with pytest.raises(ServerError, match="broke"):
            await request_task


async def test_a_cancelled_close_leaves_no_connection() -> None:
    async with serving({"GET /api/prompt": answering({"exec_info": {"queue_remaining": 0}})}) as url:
        for steps in range(1, 6):
            client = ComfyClient(Server.from_url(url))
            await asyncio.gather(*(client.queue_count() for _ in range(3)))
            closing = asyncio.create_task(client.__aexit__())
            for _ in range(steps):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            await eventually(lambda: count_connections(url) == 0, "no connection")


async def test_a_prompt_that_timed_out_is_not_delivered_later() -> None:
    graph = {"1": {"class_type": "Note", "inputs": {"text": "long " * 10**6}}}

    async def rest_of(reader: asyncio.StreamReader) -> bytes:
        """Return what is still received of it once the network is back."""
        with suppress(ConnectionError):
            return await reader.read(-1)
        return b"reset"

    started = asyncio.Event()
    end: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        else:
            started.set()
            await timed_out.wait()
            end.set_result(await rest_of(reader))
        writer.close()

    timed_out = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=4096) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with ComfyClient(Server.from_url(url), HttpTimings(post_read=1.0)) as client:
            with pytest.raises(TimedOut):
                await client.submit(graph, prompt_id="p", client_id="me", tag={})
            assert started.is_set()
            timed_out.set()
            assert await end == b"reset"
