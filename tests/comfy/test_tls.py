"""HTTP and websocket over TLS, with real handshakes and self-signed certificates."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from comfytui.comfy.address import BadServer
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Opened
from comfytui.timings import HttpTimings
from tests.comfy.auth_servers import first_event
from tests.faults.leak_check import count_connections
from tests.waiting import eventually

OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    return make_pem(tmp_path_factory.mktemp("tls"), "-nodes")


def make_pem(folder: Path, *options: str) -> Path:
    path, names = folder / "box.pem", "subjectAltName=IP:127.0.0.1"
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=box"]
    files = ["-addext", names, "-keyout", str(path), "-out", str(folder / "crt.pem")]
    subprocess.run([OPENSSL, *request, *files, *options], check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "crt.pem").read_text())
    return path


@asynccontextmanager
async def tls_server(pem: Path, *, requires_certificate: bool = False) -> AsyncIterator[str]:
    """Serve a queue of two and a silent websocket; yield the URL."""

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
    if requires_certificate:
        tls.load_verify_locations(pem)
        tls.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("option", ["ca", "insecure"])
async def test_a_self_signed_certificate_is_accepted_with_ca_or_insecure(pem: Path, option: str) -> None:
    async with tls_server(pem) as url:
        server = Server.from_url(url, ca=pem) if option == "ca" else Server.from_url(url, insecure=True)
        async with ComfyClient(server) as client:
            assert await client.queue_count() == 2
        assert await first_event(server) == Opened()


async def test_an_untrusted_certificate_is_reported(pem: Path) -> None:
    async with tls_server(pem) as url:
        server = Server.from_url(url)
        async with ComfyClient(server) as client:
            with pytest.raises(Unreachable, match="not trusted"):
                await client.queue_count()
        closed = await first_event(server)
    assert isinstance(closed, Closed)
    assert "not trusted" in closed.reason


async def test_a_server_that_requires_a_client_certificate_gets_it(pem: Path) -> None:
    async with tls_server(pem, requires_certificate=True) as url:
        server = Server.from_url(url, ca=pem, cert=pem)
        async with ComfyClient(server) as client:
            assert await client.queue_count() == 2
        assert await first_event(server) == Opened()
        assert isinstance(await first_event(Server.from_url(url, ca=pem)), Closed)
        async with ComfyClient(Server.from_url(url, ca=pem)) as client:
            with pytest.raises(ComfyError):
                await client.queue_count()


def test_an_encrypted_key_is_reported_without_a_prompt(tmp_path: Path) -> None:
    pem = make_pem(tmp_path, "-passout", "pass:hunter2")
    with pytest.raises(BadServer, match="passphrase"):
        Server.from_url("https://box", cert=pem)


async def test_a_cancelled_tls_handshake_leaves_no_connection() -> None:
    async with silent_server() as (url, accepted):
        server = Server.from_url(url, insecure=True)
        async with ComfyClient(server, HttpTimings(connect=0.05)) as client:
            with pytest.raises(ComfyError):
                await client.queue_count()
            await check_cancelled_handshake_leaves_nothing(server, accepted)


async def check_cancelled_handshake_leaves_nothing(server: Server, accepted: list[asyncio.StreamWriter]) -> None:
    """Cancel a request in the middle of its handshake, and check that no connection is left."""
    async with ComfyClient(server, HttpTimings(connect=60.0)) as client:
        cancelled = asyncio.create_task(client.queue_count())
        before = len(accepted)
        await eventually(lambda: len(accepted) > before, "the connection")
        cancelled.cancel()
        await asyncio.wait([cancelled])
        await eventually(lambda: count_connections(server.base) == 0, "no connection")


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Accept connections and send nothing; yield the URL and the writers of the connections."""
    accepted: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", accepted
    finally:
        server.close()
        for writer in accepted:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
