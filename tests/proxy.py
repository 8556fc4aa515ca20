"""A TCP proxy on this machine that can lose what passes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

CHUNK = 65_536


class Proxy:
    """Passes bytes on; the answer to a request with the bytes of `lose_answer_to` never
    arrives, one to `hold_answer_to` when it is released."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self.lose_answer_to: bytes | None = None
        self.lost = 0
        self.hold_answer_to: bytes | None = None
        self.released = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            up_reader, up_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, up_writer}
        try:
            doomed, held = asyncio.Event(), asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_on(reader, up_writer, doomed, held))
                tasks.create_task(self._pass_back(up_reader, writer, doomed, held))
        except* OSError:
            pass
        finally:
            self._writers -= {writer, up_writer}
            writer.close()
            up_writer.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, doomed: asyncio.Event, held: asyncio.Event
    ) -> None:
        while data := await source.read(CHUNK):
            if self.lose_answer_to and self.lose_answer_to in data:
                self.lose_answer_to = None
                self.lost += 1
                doomed.set()
            if self.hold_answer_to and self.hold_answer_to in data:
                self.hold_answer_to = None
                held.set()
            sink.write(data)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()

    async def _pass_back(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, doomed: asyncio.Event, held: asyncio.Event
    ) -> None:
        while data := await source.read(CHUNK):
            if held.is_set():
                await self.released.wait()
            if doomed.is_set():
                sink.transport.abort()
                return
            sink.write(data)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()

    def cut(self) -> None:
        """Cut every connection that stands."""
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def proxy_to(target: str) -> AsyncIterator[Proxy]:
    """A proxy before a server."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy
        proxy.cut()
