"""Send one HTTP request, with limits on time and size; errors hold no secrets."""

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from comfytui.comfy.cancellation import run_to_completion
from comfytui.comfy.connection_errors import bad_proxy
from comfytui.comfy.errors import Unreachable
from comfytui.comfy.http.content_encoding import ACCEPTED, BadEncodingError, ContentDecoder
from comfytui.comfy.http.transport_errors import bad_encoding, check_status, error_of, too_large
from comfytui.comfy.limits import BODY_LIMIT
from comfytui.comfy.proxies import proxy_of
from comfytui.comfy.server import Server
from comfytui.timings import DEFAULT, HttpTimings

if TYPE_CHECKING:
    from comfytui.comfy.http.multipart import UploadBody

LINGER, NO_LINGER = struct.pack("ii", 0, 0), struct.pack("ii", 1, 0)
"""Values of `SO_LINGER`. With NO_LINGER, closing a connection discards data that was written and not sent yet."""

# They would log whole URLs and headers, and so tokens.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


ChunkSink = Callable[[bytes], Awaitable[None]]
"""Receives a body in chunks, as they arrive."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request."""

    status: int
    body: bytes
    html: bool
    """Whether it is an HTML page, which no endpoint in use sends: something else than ComfyUI answered."""


class Transport:
    """Sends requests to one server, over a connection pool; single-use requests get a connection of their own."""

    def __init__(self, server: Server, timings: HttpTimings = DEFAULT.http) -> None:
        self._server = server
        self._timings = timings
        self._pooled: httpx.AsyncClient | None = None
        self._single_use: httpx.AsyncClient | None = None
        self._closed = False
        self._timeouts: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()

    async def close(self) -> None:
        """Close all connections; requests in flight fail, since their connections would outlive the pool."""
        self._closed = True
        await run_to_completion(self._close_all())

    async def _close_all(self) -> None:
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(asyncio.get_running_loop().time())
        while self._timeouts:
            self._idle.clear()
            await self._idle.wait()
        for client in filter(None, (self._pooled, self._single_use)):
            await client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        upload: "UploadBody | None" = None,
        params: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
        head: int | None = None,
        is_file: bool = False,
        single_use: bool = False,
        sink: ChunkSink | None = None,
    ) -> Response:
        """Send a request and return its response.

        Args:
            method: The HTTP method.
            path: The path below the server's base URL.
            json: The body, if any.
            upload: The body, if it is a file.
            params: Query parameters.
            limit: Most bytes of the body, after decompression.
            head: Stop reading after at least this many bytes, instead of failing at the limit.
            is_file: Whether the request or the response is a file, for which there is no limit on the whole time.
            single_use: Whether to discard what was not sent when the request fails. Otherwise the kernel sends it
                minutes later, when the network is back.
            sink: Receives the body of a 200 that is not HTML, which is then not in the response.

        Raises:
            ComfyError: For a response that failed, and for a status of 500 or more, 401, 403, 407, 408 or a redirect.
        """
        client = self._client(single_use=single_use)
        with self._translated_errors():
            async with (
                self._time_limit(None if is_file else self._timings.total),
                client.stream(
                    method,
                    self._url(path, params),
                    timeout=self._timeout(method) if upload is None else self._upload_timeout,
                    extensions={"trace": _close_cancelled_handshake()},
                    **(_body(json) if upload is None else {"content": upload, "headers": upload.headers}),
                ) as response,
            ):
                if single_use:
                    _allow_graceful_close(response)
                check_status(self._server, response)
                html = "text/html" in response.headers.get("content-type", "")
                used_sink = sink if response.status_code == 200 and not html else None
                return Response(response.status_code, await self._read(response, limit, head, used_sink), html)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate errors of httpx to those of `comfytui.comfy.errors`, without the secrets that they hold."""
        try:
            yield
        except BadEncodingError:
            raise bad_encoding(self._server) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            raise error_of(self._server, error, closed=self._closed) from None

    @asynccontextmanager
    async def _time_limit(self, seconds: float | None) -> AsyncIterator[None]:
        """Time out after some seconds, or when the transport is closed."""
        async with asyncio.timeout(seconds) as timeout:
            self._timeouts.add(timeout)
            try:
                yield
            finally:
                self._timeouts.remove(timeout)
                if not self._timeouts:
                    self._idle.set()

    def _client(self, *, single_use: bool) -> httpx.AsyncClient:
        """Return the client, made at the first request, since the environment may name a proxy that is not usable."""
        if self._closed:
            # A request may have waited for its turn while the service that it was for ended.
            raise Unreachable(f"comfytui is not connected to {self._server.label} right now: try again in a moment.")
        if single_use:
            self._single_use = self._single_use or self._new_client(keepalive=0, linger=NO_LINGER)
            return self._single_use
        self._pooled = self._pooled or self._new_client()
        return self._pooled

    def _new_client(self, keepalive: int = 20, linger: bytes = LINGER) -> httpx.AsyncClient:
        try:
            pool = httpx.AsyncHTTPTransport(
                verify=self._server.tls or False,
                proxy=proxy_of(self._server),
                limits=httpx.Limits(max_keepalive_connections=keepalive, keepalive_expiry=self._timings.keepalive),
                trust_env=False,
                socket_options=[(socket.SOL_SOCKET, socket.SO_LINGER, linger)],
            )
        except (ImportError, ValueError, httpx.InvalidURL):
            raise bad_proxy(self._server) from None
        headers = {"User-Agent": "comfytui", "Accept-Encoding": ACCEPTED, **self._server.headers}
        return httpx.AsyncClient(headers=headers, cookies=self._server.cookies, transport=pool, follow_redirects=False)

    def _timeout(self, method: str) -> httpx.Timeout:
        timings = self._timings
        return httpx.Timeout(timings.get_read if method == "GET" else timings.post_read, connect=timings.connect)

    @property
    def _upload_timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self._timings.upload, connect=self._timings.connect)

    def _url(self, path: str, params: Mapping[str, str] | None) -> httpx.URL:
        url = httpx.URL(self._server.http_url(path))
        return url.copy_merge_params(params) if params else url

    async def _read(self, response: httpx.Response, limit: int, head: int | None, sink: ChunkSink | None) -> bytes:
        body, size = bytearray(), 0
        async with aclosing(self._decoded_chunks(response, limit)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if head is None and size > limit:
                    raise too_large(self._server, limit)
                if sink is not None:
                    await sink(chunk)
                    continue
                body += chunk
                if head is not None and size >= head:
                    break
        return bytes(body)

    async def _decoded_chunks(self, response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
        """Yield the body after decompression; what is received is limited like what it expands to."""
        decoder = ContentDecoder(response.headers.get_list("content-encoding", split_commas=True))
        received = 0
        async for raw in response.aiter_raw():
            received += len(raw)
            if received > limit:
                raise too_large(self._server, limit)
            for chunk in decoder.feed(raw):
                yield chunk


def _close_cancelled_handshake() -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """Return a trace function for one request: httpcore leaves a connection open whose TLS handshake is cancelled."""
    stream: Any = None

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        nonlocal stream
        if event.endswith("connect_tcp.complete"):
            stream = info["return_value"]
        elif event.endswith("start_tls.failed") and stream is not None:
            await stream.aclose()

    return trace


def _allow_graceful_close(response: httpx.Response) -> None:
    """Let the connection of a response end without a reset, which some servers log."""
    connected = response.extensions["network_stream"].get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)


def _body(value: Any) -> dict[str, Any]:
    """Return the arguments that send JSON; graphs may hold NaN and lone surrogates, which ComfyUI's parser accepts."""
    if value is None:
        return {}
    return {"content": json.dumps(value).encode(), "headers": {"Content-Type": "application/json"}}
