"""Servers that require credentials, for HTTP and for the websocket handshake, and a proxy that records requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Opened
from comfytui.comfy.websocket.event_stream import stream_events
from tests.stub_servers import Handler, serving


class AuthServer:
    """A server that answers only authorized requests, and counts both kinds.

    Args:
        is_authorized: Whether a request has the right credentials.
        status: The status of the response to other requests.
    """

    def __init__(self, is_authorized: Callable[[web.Request], bool], status: int = 401) -> None:
        self._is_authorized = is_authorized
        self._status = status
        self.seen: Counter[tuple[str, bool]] = Counter()
        """Requests by path and whether they were authorized."""
        self.url = ""

    def _guarded(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            authorized = self._is_authorized(request)
            self.seen[request.path, authorized] += 1
            if not authorized:
                return web.Response(status=self._status, headers={"Location": "/login"})
            return await handler(request)

        return answer

    @asynccontextmanager
    async def open(self, prefix: str = "") -> AsyncIterator[Server]:
        """Serve below a prefix; yield the server without credentials."""
        routes = {
            f"GET {prefix}/api/prompt": self._guarded(_count),
            f"GET {prefix}/api/system_stats": self._guarded(_stats),
            f"GET {prefix}/ws": self._guarded(_socket),
        }
        async with serving(routes) as url:
            self.url = url + prefix
            yield Server.from_url(self.url)


async def _count(_: web.Request) -> web.Response:
    return web.json_response({"exec_info": {"queue_remaining": 2}})


async def _stats(_: web.Request) -> web.Response:
    return web.json_response({"system": {"comfyui_version": "0.3.64", "argv": ["main.py"]}, "devices": []})


async def _socket(request: web.Request) -> web.StreamResponse:
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    async for _ in connection:
        pass
    return connection


async def check_access(server: Server) -> None:
    """Send two requests (the first one probes for the prefix) and open the websocket."""
    async with ComfyClient(server) as client:
        assert await client.queue_count() == 2
    assert await first_event(server) == Opened()


async def first_event(server: Server) -> object:
    """Return the first event of the websocket."""
    async with aclosing(stream_events(server, "me")) as stream:
        return await anext(stream)


async def closed_reason(server: Server) -> str:
    """Return why the websocket cannot be opened."""
    event = await first_event(server)
    assert isinstance(event, Closed)
    return event.reason


class RecordingProxy:
    """A proxy for HTTP_PROXY that forwards every host to one port of this machine, and records what is requested."""

    def __init__(self, target_port: int) -> None:
        self._port = target_port
        self.requests: list[tuple[str, str]] = []
        self.logins: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["RecordingProxy"]:
        """Serve; yield the proxy."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, version = first.split(" ")
        self.requests.append((method, target))
        self.logins += [line.partition(" ")[2] for line in lines if line.lower().startswith("proxy-authorization:")]
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            up_writer.write("\r\n".join([f"{method} {path} {version}", *lines]).encode())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_forward(reader, up_writer))
            tasks.create_task(_forward(up_reader, writer))


async def _forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
