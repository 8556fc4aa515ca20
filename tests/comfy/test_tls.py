"""HTTP and socket over TLS with a certificate of one's own, against a real handshake."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from comfytui.comfy.address import BadServer
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.comfy.http import transport
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Opened
from comfytui.comfy.websocket.event_stream import stream_events
from tests.faults.held import connections_to
from tests.waiting import eventually

OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signed itself, with its key in the same file."""
    return make_pem(tmp_path_factory.mktemp("tls"), "-nodes")


def make_pem(folder: Path, *options: str) -> Path:
    path, names = folder / "box.pem", "subjectAltName=IP:127.0.0.1"
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=box"]
    files = ["-addext", names, "-keyout", str(path), "-out", str(folder / "crt.pem")]
    subprocess.run([OPENSSL, *request, *files, *options], check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "crt.pem").read_text())
    return path


@asynccontextmanager
async def box(pem: Path, *, asks_for_certificate: bool = False) -> AsyncIterator[str]:
    """The URL of a box with a queue of two and a silent socket."""

    async def count(_: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": 2}})

    async def socket(request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        return connection

    app = web.Application()
    app.add_routes([web.get("/api/prompt", count), web.get("/ws", socket)])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    if asks_for_certificate:
        tls.load_verify_locations(pem)
        tls.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def first_heard(server: Server) -> object:
    async with aclosing(stream_events(server, "me")) as stream:
        return await anext(stream)


@pytest.mark.parametrize("way", ["ca", "insecure"])
async def test_a_box_with_its_own_certificate(pem: Path, way: str) -> None:
    async with box(pem) as url:
        server = Server.from_url(url, ca=pem) if way == "ca" else Server.from_url(url, insecure=True)
        async with ComfyClient(server) as client:
            assert await client.queue_count() == 2
        assert await first_heard(server) == Opened()


async def test_a_certificate_that_nobody_vouches_for_is_told(pem: Path) -> None:
    async with box(pem) as url:
        server = Server.from_url(url)
        async with ComfyClient(server) as client:
            with pytest.raises(Unreachable, match="not trusted"):
                await client.queue_count()
        closed = await first_heard(server)
    assert isinstance(closed, Closed)
    assert "not trusted" in closed.reason


async def test_a_box_that_asks_for_a_certificate_of_ours(pem: Path) -> None:
    async with box(pem, asks_for_certificate=True) as url:
        server = Server.from_url(url, ca=pem, cert=pem)
        async with ComfyClient(server) as client:
            assert await client.queue_count() == 2
        assert await first_heard(server) == Opened()
        assert isinstance(await first_heard(Server.from_url(url, ca=pem)), Closed)
        async with ComfyClient(Server.from_url(url, ca=pem)) as client:
            with pytest.raises(ComfyError):
                await client.queue_count()


def test_a_key_with_a_passphrase_is_told_and_not_asked_for(tmp_path: Path) -> None:
    pem = make_pem(tmp_path, "-passout", "pass:hunter2")
    with pytest.raises(BadServer, match="passphrase"):
        Server.from_url("https://box", cert=pem)


async def test_a_handshake_that_is_given_up_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.05)
    async with silent() as (url, taken), ComfyClient(Server.from_url(url, insecure=True)) as client:
        with pytest.raises(ComfyError):
            await client.queue_count()
        cancelled = asyncio.create_task(client.queue_count())
        before = len(taken)
        monkeypatch.setattr(transport, "CONNECT_SECONDS", 60.0)
        await eventually(lambda: len(taken) > before, "the connection")
        cancelled.cancel()
        await asyncio.wait([cancelled])
        await eventually(lambda: connections_to(url) == 0, "no connection")


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """The URL of a box that takes connections and says nothing, and what it took."""
    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", taken
    finally:
        server.close()
        for writer in taken:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
