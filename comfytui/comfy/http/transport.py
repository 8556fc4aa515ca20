"""One HTTP exchange: limits on time and size, and every fault as one of our errors, without a secret in it."""

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from comfytui.comfy.cancellation import to_the_end
from comfytui.comfy.connection_errors import bad_proxy, not_comfyui, refused_entry, unreachable
from comfytui.comfy.errors import ComfyError, ServerError, TimedOut, Unreachable
from comfytui.comfy.http.content_encoding import ACCEPTED, BadEncodingError, Inflater
from comfytui.comfy.limits import BODY_LIMIT, MIB
from comfytui.comfy.proxies import proxy_of
from comfytui.comfy.server import Server
from comfytui.sanitize import sanitize

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
"""Seconds without a byte of the answer to an order: a server that loads a model answers late."""
LOOK_SECONDS = 10.0
"""The same for a question, which can be asked again: the connection may be one whose other end is gone."""
ANSWER_SECONDS = 300.0
"""Seconds for a whole answer, so that one that drips does not hold a call for ever."""
KEPT_SECONDS = 5.0
"""Seconds for which a connection is kept for the next request."""
LINGER, NO_LINGER = struct.pack("ii", 0, 0), struct.pack("ii", 1, 0)
"""Without lingering, the end of a connection takes back what was written to it and has not left this machine."""
_SLOW_STATUSES = frozenset({408, 504, 522, 524})
_CLOSED_STATUSES = frozenset({401, 403, 407})

# They would log whole URLs and headers, and so tokens.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


Take = Callable[[bytes], Awaitable[None]]
"""Receives a body in pieces, as they arrive."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `html` marks pages, which no endpoint of ComfyUI that is asked here gives."""

    status: int
    body: bytes
    html: bool


class Transport:
    """Requests to one server, over one pool of connections, and one each for orders that must not come late."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._http: httpx.AsyncClient | None = None
        self._once: httpx.AsyncClient | None = None
        self._closed = False
        self._limits: set[asyncio.Timeout] = set()
        self._quiet = asyncio.Event()

    async def close(self) -> None:
        """Close all connections, for good; what is asked just now fails, or its connection would outlive the pool."""
        self._closed = True
        await to_the_end(self._end())

    async def _end(self) -> None:
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        while self._limits:
            self._quiet.clear()
            await self._quiet.wait()
        for http in filter(None, (self._http, self._once)):
            await http.aclose()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
        head: int | None = None,
        seconds: float | None = ANSWER_SECONDS,
        once: bool = False,
        take: Take | None = None,
    ) -> Answer:
        """One request and its answer, `head` for so many bytes of it at least and the rest left unread.

        `limit` is of the body after decompression. With `take`, the body of a success goes there and not to the answer.
        Only statuses below 500 that are no refusal to let us in come back. What is to be done `once` does not arrive
        after it was given up: the kernel would send it on, minutes later, when the link is back.
        """
        http = self._client(once=once)
        try:
            async with (
                self._limit(seconds),
                http.stream(
                    method,
                    self._url(path, params),
                    timeout=_patience(method),
                    extensions={"trace": _closing_half_made()},
                    **_body(json),
                ) as response,
            ):
                if once:
                    # What is answered may end politely: some servers log each reset.
                    connected = response.extensions["network_stream"].get_extra_info("socket")
                    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                self._check(response)
                html = "text/html" in response.headers.get("content-type", "")
                taken = take if response.status_code == 200 and not html else None
                return Answer(response.status_code, await self._read(response, limit, head, taken), html)
        except BadEncodingError:
            raise ServerError(
                f"The answer of {self._server.shown} is damaged, or compressed in a way that comfytui did not ask for: "
                "check the proxy in front of it."
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            raise self._fault(error) from None

    @asynccontextmanager
    async def _limit(self, seconds: float | None) -> AsyncIterator[None]:
        """So many seconds at most, and not beyond the end of the pool."""
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.remove(limit)
                if not self._limits:
                    self._quiet.set()

    def _client(self, *, once: bool) -> httpx.AsyncClient:
        """The pool, made at the first request, since a proxy in the environment may be one that cannot be used."""
        if self._closed:
            # A question may have waited for its turn while a fault ended the service that it was put to.
            raise Unreachable(f"comfytui is not connected to {self._server.shown} right now: try again in a moment.")
        if once:
            self._once = self._once or self._pool(kept=0, linger=NO_LINGER)
            return self._once
        self._http = self._http or self._pool()
        return self._http

    def _pool(self, kept: int = 20, linger: bytes = LINGER) -> httpx.AsyncClient:
        try:
            pool = httpx.AsyncHTTPTransport(
                verify=self._server.tls or False,
                proxy=proxy_of(self._server),
                limits=httpx.Limits(max_keepalive_connections=kept, keepalive_expiry=KEPT_SECONDS),
                trust_env=False,
                socket_options=[(socket.SOL_SOCKET, socket.SO_LINGER, linger)],
            )
        except (ImportError, ValueError, httpx.InvalidURL):
            raise bad_proxy(self._server) from None
        headers = {"User-Agent": "comfytui", "Accept-Encoding": ACCEPTED, **self._server.headers}
        return httpx.AsyncClient(headers=headers, cookies=self._server.cookies, transport=pool, follow_redirects=False)

    def _url(self, path: str, params: Mapping[str, str] | None) -> httpx.URL:
        url = httpx.URL(self._server.http_url(path))
        return url.copy_merge_params(params) if params else url

    async def _read(self, response: httpx.Response, limit: int, head: int | None, take: Take | None) -> bytes:
        body, size = bytearray(), 0
        async with aclosing(self._pieces(response, limit)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if head is None and size > limit:
                    raise self._too_large(limit)
                if take is not None:
                    await take(piece)
                    continue
                body += piece
                if head is not None and size >= head:
                    break
        return bytes(body)

    async def _pieces(self, response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
        """The body after decompression; what was sent is bounded like what becomes of it."""
        inflater = Inflater(response.headers.get_list("content-encoding", split_commas=True))
        sent = 0
        async for chunk in response.aiter_raw():
            sent += len(chunk)
            if sent > limit:
                raise self._too_large(limit)
            for piece in inflater.feed(chunk):
                yield piece

    def _too_large(self, limit: int) -> ServerError:
        return ServerError(
            f"The answer of {self._server.shown} is larger than {-(-limit // MIB)} MiB and was not read."
        )

    def _check(self, response: httpx.Response) -> None:
        status, shown = response.status_code, self._server.shown
        if status in _CLOSED_STATUSES or response.is_redirect:
            raise refused_entry(self._server, status)
        if status in _SLOW_STATUSES:
            raise TimedOut(
                f"A proxy in front of {shown} gave up waiting ({status}): the server is busy or down, try again."
            )
        if status >= 500:
            raise ServerError(f"{shown} failed with status {status}: look at the server's log.", status)

    def _fault(self, error: Exception) -> ComfyError:
        shown = self._server.shown
        match error:
            case httpx.ConnectTimeout():
                return Unreachable(
                    f"{self._server.located} does not answer: check the address, the VPN or the SSH forward."
                )
            case httpx.ProxyError():
                return bad_proxy(self._server)
            case httpx.ConnectError():
                return unreachable(self._server, error, proxied=proxy_of(self._server) is not None)
            case httpx.TimeoutException() | TimeoutError() if not self._closed:
                return TimedOut(
                    f"{shown} took too long to answer: it may be loading a model, or the connection is broken."
                )
            case httpx.RemoteProtocolError() if "illegal" in str(error):
                return not_comfyui(self._server)
            case _:
                kind = sanitize(type(error).__name__, 40)
                return ServerError(f"The connection to {shown} broke ({kind}): try again.")


def _closing_half_made() -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """Follows one request: httpcore leaves a connection open whose TLS handshake is cancelled."""
    made: Any = None

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        nonlocal made
        if event.endswith("connect_tcp.complete"):
            made = info["return_value"]
        elif event.endswith("start_tls.failed") and made is not None:
            await made.aclose()

    return trace


def _patience(method: str) -> httpx.Timeout:
    return httpx.Timeout(LOOK_SECONDS if method == "GET" else READ_SECONDS, connect=CONNECT_SECONDS)


def _body(value: Any) -> dict[str, Any]:
    """The arguments that send JSON; graphs of others may hold NaN and lone surrogates, which ComfyUI's reader takes."""
    if value is None:
        return {}
    return {"content": json.dumps(value).encode(), "headers": {"Content-Type": "application/json"}}
