"""What clients may use at most: size and time of requests, streams, connections."""

import asyncio
import gzip
import time
from contextlib import suppress

import httpx
import pytest

from comfytui.headless.relay.limits import STREAM_PATH, RelayLimits
from comfytui.headless.relay.options import RelayOptions
from tests.headless.relay.guarded import CLOSED, guarded
from tests.waiting import eventually

TWO = RelayOptions(port=0, clients=2)
SMALL = RelayLimits(body_bytes=20_000, login_bytes=1000)
QUICK = RelayLimits(read_seconds=1.0)
SLOW = 30.0
"""Seconds within which a connection is closed even on a busy machine."""


@pytest.mark.parametrize("path", [STREAM_PATH, "/api/progress?wait=30"])
async def test_more_streams_than_clients_are_refused_until_one_leaves(path: str) -> None:
    async with guarded(TWO) as relay:
        request = f"GET {path} HTTP/1.1\r\nHost: {relay.host}\r\n\r\n".encode()
        writers = [(await asyncio.open_connection("127.0.0.1", relay.port))[1] for _ in range(2)]
        for writer in writers:
            writer.write(request)
        await eventually(lambda: relay.streams == 2, "two streams")

        for other in (STREAM_PATH, "/api/progress?wait=1"):
            response = await relay.client.get(other)
            assert response.status_code == 429
            assert int(response.headers["Retry-After"]) > 0
            assert "as many clients" in response.json()["error"]
        assert (await relay.client.get("/api/progress")).status_code == 200, "It is answered at once"
        assert (await relay.client.get("/api/queue")).status_code == 200

        writers[0].close()
        await eventually(lambda: relay.streams == 1, "one stream less")
        async with relay.client.stream("GET", STREAM_PATH) as stream:
            assert stream.status_code == 200
        writers[1].transport.abort()
        await eventually(lambda: relay.streams == 0, "no stream")


async def test_a_stream_without_the_token_takes_no_place() -> None:
    async with guarded(RelayOptions(port=0, token="t", clients=1)) as relay:
        for _ in range(3):
            assert (await relay.client.get(STREAM_PATH)).status_code == 401
        async with relay.client.stream("GET", STREAM_PATH, headers={"Authorization": "Bearer t"}) as stream:
            assert stream.status_code == 200


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with guarded(limits=SMALL) as relay:
        assert (await relay.client.post("/api/generate", content=b"x" * 20_000)).json()["bytes"] == 20_000
        response = await relay.client.post("/api/generate", content=b"x" * 20_001)
        assert response.status_code == 413
        assert response.json() == {"error": "The body of the request is too large."}


async def test_a_body_of_unknown_size_is_refused_once_it_is_too_large() -> None:
    async with guarded(limits=SMALL) as relay:
        head = f"POST /api/generate HTTP/1.1\r\nHost: {relay.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(head.encode() + 2 * (b"3000\r\n" + b"x" * 0x3000 + b"\r\n"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_a_compressed_body_counts_by_what_it_becomes() -> None:
    async with guarded(limits=SMALL) as relay:
        bomb = gzip.compress(b"x" * 10_000_000)
        response = await relay.client.post("/api/generate", content=bomb, headers={"Content-Encoding": "gzip"})
        assert response.status_code == 413


async def test_whoever_may_log_in_sends_little() -> None:
    async with guarded(CLOSED, SMALL) as relay:
        assert (await relay.client.post("/login", json={"token": "x" * 2000})).status_code == 413


async def test_a_body_is_not_read_before_the_token() -> None:
    async with guarded(CLOSED, QUICK) as relay:
        head = f"POST /api/generate HTTP/1.1\r\nHost: {relay.host}\r\nContent-Length: 1000\r\n\r\n"
        assert (await relay.send(head.encode())).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/queue?" + "x" * 9000 + " HTTP/1.1\r\nHost: localhost\r\n",
        "GET /api/queue HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 9000 + "\r\n",
        "GET /api/queue HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"X-{n}: x\r\n" for n in range(65)),
        "GET /api/queue HTTP/1.1\r\n",
        "GET /api/queue HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n",
        "hello\r\n",
    ],
    ids=["line", "header", "headers", "no host", "bad length", "no http"],
)
async def test_a_head_that_is_too_large_or_wrong_is_refused_in_json(head: str) -> None:
    async with guarded() as relay:
        answer = await relay.send(head.encode() + b"\r\n")
        assert b" 400 " in answer.split(b"\r\n")[0]
        assert answer.endswith(b'{"error":"This is not a valid HTTP request, or its head is too large."}')
        assert b"X-Content-Type-Options: nosniff" in answer
        assert (await relay.client.get("/api/queue")).status_code == 200


@pytest.mark.parametrize("start", [b"", b"GET /api/queue HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
async def test_a_request_whose_head_comes_too_slowly_is_closed(start: bytes) -> None:
    async with guarded(limits=QUICK) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(start)
        over = time.monotonic() + SLOW
        while not reader.at_eof():
            assert time.monotonic() < over, "It is still open"
            if start:
                # A byte now and then does not prolong it.
                writer.write(b"x")
            try:
                async with asyncio.timeout(0.05):
                    assert await reader.read(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                break  # It was closed while a byte was on its way.
        writer.close()


async def test_an_idle_connection_is_closed() -> None:
    async with guarded(limits=QUICK) as relay:
        answer = await relay.send(f"GET /api/queue HTTP/1.1\r\nHost: {relay.host}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200")


async def test_a_request_whose_body_comes_too_slowly_is_refused() -> None:
    async with guarded(limits=QUICK) as relay:
        head = f"POST /api/generate HTTP/1.1\r\nHost: {relay.host}\r\nContent-Length: 10\r\n\r\n123"
        answer = await relay.send(head.encode())
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'{"error":"The body of the request did not arrive in time."}' in answer


async def test_a_body_that_is_not_valid_http_is_refused() -> None:
    async with guarded() as relay:
        head = f"POST /api/generate HTTP/1.1\r\nHost: {relay.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 400 " in (await relay.send(head.encode() + b"5\r\nhello\r\nzz\r\n")).split(b"\r\n")[0]


async def test_streams_are_not_closed_for_being_slow() -> None:
    async with guarded(limits=QUICK) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(f"GET {STREAM_PATH} HTTP/1.1\r\nHost: {relay.host}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * QUICK.read_seconds):
                await reader.read()
        assert relay.streams == 1
        writer.close()
        await eventually(lambda: relay.streams == 0, "no stream")


async def test_more_connections_than_the_relay_keeps_are_closed_at_once() -> None:
    async with guarded(TWO, RelayLimits(spare_connections=3)) as relay:
        kept = [(await asyncio.open_connection("127.0.0.1", relay.port))[1] for _ in range(5)]
        with suppress(ConnectionResetError):
            assert await relay.send(b"") == b""
        for writer in kept:
            writer.close()
        response = None
        async with asyncio.timeout(SLOW):
            while response is None:
                with suppress(httpx.TransportError):
                    response = await relay.client.get("/api/queue")
        assert response.status_code == 200
