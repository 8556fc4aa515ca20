"""Requests to ComfyUI's HTTP API: the `/api` prefix, limits, and errors for responses that are not ComfyUI's."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import quote

from comfytui.comfy.connection_errors import not_comfyui
from comfytui.comfy.errors import ServerError, TooLarge
from comfytui.comfy.http.transport import ChunkSink, Response, Transport
from comfytui.comfy.limits import BODY_LIMIT, KIB, STATS_LIMIT, VALUES_LIMIT, LimitExceeded
from comfytui.comfy.protocol.json_readers import loads
from comfytui.comfy.protocol.json_stream import PieceReader
from comfytui.comfy.protocol.models import Json
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server
from comfytui.timings import DEFAULT, HttpTimings

T = TypeVar("T")

THREAD_SIZE = 64 * KIB
"""Bytes of JSON from which on it is parsed in a thread, so that the event loop is not blocked."""
BUFFER_SIZE = 256 * KIB
"""Bytes of a long response that are parsed at once in a thread, for which the program waits when it ends."""
NOT_FOUND = frozenset({404, 405})
"""Statuses of a path that a server does not have; 405 if it serves files from every path, which allows only GET."""


class HttpApi:
    """Base of the client: sends requests to one server and parses its responses."""

    def __init__(self, server: Server, timings: HttpTimings = DEFAULT.http) -> None:
        self._server = server
        self._transport = Transport(server, timings)
        self._redactor = redactor_of(server)
        self._prefix: str | None = None
        self._prefix_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()

    async def _get(
        self,
        path: str,
        parse: Callable[[Json], T],
        params: Mapping[str, str] | None = None,
        *,
        missing: T | None = None,
        limit: int = BODY_LIMIT,
        max_values: int = VALUES_LIMIT,
    ) -> T:
        """Return the parsed response to a GET, or `missing`, if given, for a 404."""
        response = await self._request("GET", path, params=params, limit=limit)
        if response.status == 404 and missing is not None:
            return missing
        return await self._parse_success(response, parse, max_values)

    async def _request_if_there(
        self,
        method: str,
        path: str,
        parse: Callable[[Json], T],
        *,
        params: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
        max_values: int = VALUES_LIMIT,
    ) -> T | None:
        """Return the parsed response from a path that older servers do not have, or None; no prefix is added."""
        response = await self._transport.request(method, path, params=params, limit=limit)
        return None if response.status in NOT_FOUND else await self._parse_success(response, parse, max_values)

    async def _get_if_there(
        self,
        path: str,
        parse: Callable[[Json], T],
        params: Mapping[str, str] | None = None,
        *,
        limit: int = BODY_LIMIT,
        max_values: int = VALUES_LIMIT,
        with_prefix: bool = True,
    ) -> T | None:
        """Return the parsed response to a GET; None if the server has nothing at this path, or only a page."""
        prefix = await self._find_prefix() if with_prefix else ""
        response = await self._transport.request("GET", prefix + path, params=params, limit=limit)
        if response.status in NOT_FOUND or response.html:
            return None
        return await self._parse_success(response, parse, max_values)

    async def _post(self, path: str, body: Mapping[str, Any]) -> None:
        self._check(await self._request("POST", path, json=body))

    async def _request(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        params: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
        sink: ChunkSink | None = None,
    ) -> Response:
        url_path = await self._find_prefix() + path
        return await self._transport.request(method, url_path, json=json, params=params, limit=limit, sink=sink)

    async def _get_in_pieces(
        self, path: str, reader: PieceReader, limit: int, params: Mapping[str, str] | None = None
    ) -> None:
        """Feed the response to a GET to a reader as it arrives."""

        async def feed(data: bytes) -> None:
            reader.feed(data)
            if reader.unread >= BUFFER_SIZE:
                await asyncio.to_thread(reader.read)

        with self._translated_errors():
            self._check(await self._request("GET", path, params=params, limit=limit, sink=feed))
            if reader.unread > THREAD_SIZE:
                await asyncio.to_thread(reader.read_rest)
            else:
                reader.read_rest()

    async def _find_prefix(self) -> str:
        """Return `/api`, or nothing for servers before mid-2024; probed at the first call."""
        async with self._prefix_lock:
            if self._prefix is None:
                # Only the status counts: do not read on if the body is longer than any of ComfyUI's.
                response = await self._transport.request("GET", "/api/prompt", head=STATS_LIMIT)
                self._prefix = "" if response.status == 404 else "/api"
            return self._prefix

    def _check(self, response: Response) -> None:
        """Raise unless the request succeeded and ComfyUI answered it."""
        if response.status in NOT_FOUND:
            raise not_comfyui(self._server)
        if response.status >= 300:
            raise ServerError(
                f"{self._server.label} refused the request with status {response.status}: try again.", response.status
            )
        if response.html:
            raise not_comfyui(self._server)

    async def _parse_success(self, response: Response, parse: Callable[[Json], T], max_values: int = VALUES_LIMIT) -> T:
        self._check(response)
        return await self._parse(response, parse, max_values)

    async def _parse(self, response: Response, parse: Callable[[Json], T], max_values: int = VALUES_LIMIT) -> T:
        """Parse a body, whatever its status; in a thread if that takes long."""

        def parse_body() -> T:
            return parse(loads(response.body, max_values))

        with self._translated_errors():
            return await asyncio.to_thread(parse_body) if len(response.body) > THREAD_SIZE else parse_body()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate ValueErrors of parsing: a response that is too large, or not ComfyUI's."""
        try:
            yield
        except LimitExceeded as error:
            raise TooLarge(
                f"{self._server.label} sent {error} in one answer, which was not read: check what runs there."
            ) from None
        except ValueError:
            raise not_comfyui(self._server) from None


def path_segment(name: str) -> str:
    """Return a name as one segment of a path: ids come from servers, too, and may hold anything."""
    return quote(name, safe="", errors="replace")
