"""Boxes that let nobody in without a secret, on HTTP and at the socket's handshake, and proxies that count."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Opened
from comfytui.comfy.websocket.event_stream import stream_events
from tests.comfy.stub_servers import Handler, serving


class Keeper:
    """A box that opens to requests that `known` likes, and counts whom it let in and whom not."""

    def __init__(self, known: Callable[[web.Request], bool], status: int = 401) -> None:
        self._known = known
        self._status = status
        self.seen: Counter[tuple[str, bool]] = Counter()
        self.url = ""

    def _guarded(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            welcome = self._known(request)
            self.seen[request.path, welcome] += 1
            if not welcome:
                return web.Response(status=self._status, headers={"Location": "/login"})
            return await handler(request)

        return answer

    @asynccontextmanager
    async def open(self, prefix: str = "") -> AsyncIterator[Server]:
        """Serve below a prefix; gives the server without a way in."""
        routes = {
            f"GET {prefix}/api/prompt": self._guarded(_count),
            f"GET {prefix}/ws": self._guarded(_socket),
        }
        async with serving(routes) as url:
            self.url = url + prefix
            yield Server.from_url(self.url)


async def _count(_: web.Request) -> web.Response:
    return web.json_response({"exec_info": {"queue_remaining": 2}})


async def _socket(request: web.Request) -> web.StreamResponse:
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    async for _ in connection:
        pass
    return connection


async def get_in(server: Server) -> None:
    """Ask twice over HTTP (the first time finds out where) and open the socket."""
    async with ComfyClient(server) as client:
        assert await client.queue_count() == 2
    assert await first_heard(server) == Opened()


async def first_heard(server: Server) -> object:
    """What the socket says first."""
    async with aclosing(stream_events(server, "me")) as stream:
        return await anext(stream)


async def reason(server: Server) -> str:
    """Why the socket cannot be opened."""
    heard = await first_heard(server)
    assert isinstance(heard, Closed)
    return heard.reason


class ForwardProxy:
    """A proxy as HTTP_PROXY names it: it takes every name for one port of this machine, and notes what was asked."""

    def __init__(self, target_port: int) -> None:
        self._port = target_port
        self.asked: list[tuple[str, str]] = []
        self.logins: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["ForwardProxy"]:
        """Serve."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, version = first.split(" ")
        self.asked.append((method, target))
        self.logins += [line.partition(" ")[2] for line in lines if line.lower().startswith("proxy-authorization:")]
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            up_writer.write("\r\n".join([f"{method} {path} {version}", *lines]).encode())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pass(reader, up_writer))
            tasks.create_task(_pass(up_reader, writer))


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
