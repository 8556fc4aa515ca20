"""A TCP proxy on this machine that can lose what passes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

CHUNK = 65_536


class Proxy:
    """Passes bytes on; `lose_answer_to` cuts a connection once a request with these bytes has gone through."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self.lose_answer_to: bytes | None = None
        self.lost = 0
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
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_on(reader, up_writer, writer))
                tasks.create_task(self._pass_on(up_reader, writer, None))
        except* OSError:
            pass
        finally:
            self._writers -= {writer, up_writer}
            writer.close()
            up_writer.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter | None
    ) -> None:
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
            if back and self.lose_answer_to and self.lose_answer_to in data:
                self.lose_answer_to = None
                self.lost += 1
                back.transport.abort()
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
