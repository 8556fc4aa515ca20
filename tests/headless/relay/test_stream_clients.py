"""Clients of the stream that leave, that do not read, that speak an old HTTP, or that want previews."""

import asyncio
import base64
import gc
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from comfytui.service.notifications import PreviewReceived
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.leak_check import count_connections, open_resources
from tests.headless.relay.running import RunningRelay, running_relay
from tests.headless.relay.sse import STREAM, streaming
from tests.timings import FAST, timings
from tests.waiting import TIMEOUT, eventually
from tests.watcher import small_batch

CONFIG = SimConfig(steps_per_second=20, load_seconds=0.1, preview_size=256)
MODEL = CONFIG.checkpoints[0]
JPEG = b"\xff\xd8\xff"
CLIENTS, AT_ONCE = 1_000, 50


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        yield relay


async def connect(
    relay: RunningRelay, query: str = "", *, version: str = "1.1", headers: str = "", receive_buffer: int = 0
) -> socket.socket:
    """Ask for the stream on a socket of its own."""
    address = urlsplit(relay.url)
    client = socket.socket()
    client.setblocking(False)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (address.hostname, address.port))
    request = f"GET {STREAM}?{query} HTTP/{version}\r\nHost: {address.netloc}\r\n{headers}\r\n"
    await loop.sock_sendall(client, request.encode())
    return client


async def read_all(client: socket.socket) -> bytes:
    """Return all that a client gets until the connection ends."""
    loop, content = asyncio.get_running_loop(), b""
    async with asyncio.timeout(TIMEOUT):
        while part := await loop.sock_recv(client, 65_536):
            content += part
    return content


def reset(client: socket.socket) -> None:
    """Close a connection as the crash of a client does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def come_and_go(relay: RunningRelay, count: int) -> None:
    """Let clients follow the stream, and leave: half of them by a reset."""
    clients = [await connect(relay) for _ in range(count)]
    await eventually(lambda: relay.handled == count, "the clients")
    for index, client in enumerate(clients):
        if index % 2:
            reset(client)
        else:
            client.close()
    # Nothing happens on the server that would wake a stream.
    await eventually(lambda: relay.handled == 0, "their end")


def count_objects() -> Counter[str]:
    """Return how many objects of each type are alive."""
    gc.collect()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())


async def test_nothing_is_left_of_a_thousand_clients_that_come_and_go(relay: RunningRelay) -> None:
    await relay.client.aclose()
    await come_and_go(relay, AT_ONCE)  # Fills caches.
    await eventually(lambda: count_connections(relay.url) == 0, "the end of their connections")
    tasks, resources, objects = len(asyncio.all_tasks()), open_resources(), count_objects()
    for _ in range(CLIENTS // AT_ONCE):
        await come_and_go(relay, AT_ONCE)
    await eventually(lambda: count_connections(relay.url) == 0, "the end of their connections")
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks, "the end of their tasks")
    await eventually(lambda: not open_resources().exceeds(resources), "the end of their files and sockets")
    # One object for every tenth client would be a leak; the session itself makes and drops a few.
    more = count_objects() - objects
    assert not {name: count for name, count in more.items() if count > CLIENTS // 10}


async def test_a_client_that_does_not_read_is_disconnected_and_delays_nobody() -> None:
    impatient = timings(FAST, relay={"send": 1.0})
    async with SimServer(CONFIG) as sim, running_relay(sim.url, timings=impatient) as relay:
        await relay.live()
        await relay.client.aclose()
        stalled = await connect(relay, "previews=1", receive_buffer=2048)
        await eventually(lambda: relay.handled == 1, "the client")
        request = small_batch(1, previews=True, model=MODEL, steps=400)
        relay.service.submit(request)
        await eventually(lambda: relay.handled == 0, "the end of the stream")
        assert not relay.context.feed.has_ended(relay.state.batches[request.batch_id])
        stalled.close()


async def test_http_1_0_gets_the_stream_and_its_end(relay: RunningRelay) -> None:
    batch = await relay.submit(model=MODEL)
    with await connect(relay, f"batchId={batch}", version="1.0", headers="Connection: keep-alive\r\n") as client:
        head, _, body = (await read_all(client)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert b"keep-alive" not in head.lower()
    assert body.startswith(b"retry: 3000\n\n")
    assert b"\nevent: done\n" in body


async def test_the_connection_ends_with_the_stream(relay: RunningRelay) -> None:
    batch = await relay.submit(model=MODEL)
    with await connect(relay, f"batchId={batch}") as client:
        content = await read_all(client)
    assert b"\r\nConnection: close\r\n" in content
    assert content.endswith(b"\n\n\r\n0\r\n\r\n")


async def test_a_silent_stream_is_kept_open_by_comments() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url, timings=timings(FAST, relay={"ping": 0.1})) as relay:
        await relay.live()
        async with streaming(relay) as client:
            await eventually(lambda: client.lines.count(": ping") >= 2, "two comments")
    assert client.names == []


async def test_streams_end_with_a_comment_when_the_relay_stops(relay: RunningRelay) -> None:
    async with streaming(relay) as client:
        await eventually(lambda: client.lines, "the start")
        relay.context.stop()
        async with asyncio.timeout(TIMEOUT):
            await client.reading
    assert ": the relay stops" in client.lines


async def test_previews_come_only_to_those_who_ask(relay: RunningRelay) -> None:
    request = small_batch(1, previews=True, model=MODEL, steps=30)
    async with streaming(relay, previews="1") as client, streaming(relay) as without:
        relay.service.submit(request)
        await client.got("done")
        await without.got("done")
    first = client.of("preview")[0]
    assert (first["promptId"], first["mediaType"]) == (client.of("image")[0]["promptId"], "image/jpeg")
    assert base64.b64decode(first["data"]).startswith(JPEG)
    assert not without.of("preview")
    assert not [
        event_id for event_id, name in zip(client.ids, client.names, strict=True) if name == "preview" and event_id
    ]


async def test_a_preview_is_named_as_what_it_is_and_nothing_else_is_one(relay: RunningRelay) -> None:
    batch = await relay.submit(model=MODEL, steps=60)
    await eventually(lambda: relay.state.runs, "the run")
    prompt_id = next(iter(relay.state.runs))
    async with streaming(relay, batchId=batch, previews="1") as client:
        for image in (b"<html>", b"RIFF\0\0\0\0WEBPVP8 "):
            relay.context.preview = PreviewReceived("", prompt_id, image)
            relay.context.session.wake()
            assert (await relay.client.get("/healthz")).status_code == 200  # The stream had its turn meanwhile.
        await client.got("preview")
        await client.ended()
    assert "image/webp" in {preview["mediaType"] for preview in client.of("preview")}
    assert not any(preview["data"] == base64.b64encode(b"<html>").decode() for preview in client.of("preview"))


async def test_previews_stay_within_the_budget_of_a_client(relay: RunningRelay) -> None:
    batch = await relay.submit(model=MODEL, steps=60)
    await eventually(lambda: relay.state.runs, "the run")
    prompt_id = next(iter(relay.state.runs))
    async with streaming(relay, batchId=batch, previews="1") as client:
        for number in range(10):
            relay.context.preview = PreviewReceived("", prompt_id, JPEG + bytes([number]) * 200_000)
            relay.context.session.wake()
            await client.got("preview")
        await client.ended()
    assert len(client.of("preview")) < 3
