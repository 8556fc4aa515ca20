"""How a call to a ComfyUI goes: `/api` first, limits, and what is no ComfyUI's answer as one of our errors."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from comfytui.comfy.connection_errors import not_comfyui
from comfytui.comfy.errors import ServerError
from comfytui.comfy.http.transport import Answer, Take, Transport
from comfytui.comfy.limits import BODY_LIMIT, KIB, STATS_LIMIT, VALUES_LIMIT, TooMuch
from comfytui.comfy.protocol.json_readers import loads
from comfytui.comfy.protocol.json_stream import PieceReader
from comfytui.comfy.protocol.models import Json
from comfytui.comfy.redaction import redactor_of
from comfytui.comfy.server import Server

T = TypeVar("T")

BIG = 64 * KIB
"""Bytes from which on JSON is parsed in a thread, so that the socket's loop goes on."""
READ_AT_ONCE = 256 * KIB
"""Bytes of a long answer that are gathered before they are read in a thread, which at the end is waited for."""
ABSENT = frozenset({404, 405})
"""What servers say of a path that they do not have; 405 where files are served from everywhere, to GET alone."""


class Calls:
    """Requests to one server, found under `/api` or not, and their answers as typed values."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport = Transport(server)
        self._redactor = redactor_of(server)
        self._prefix: str | None = None
        self._prefix_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()

    async def _read(
        self,
        path: str,
        parse: Callable[[Json], T],
        params: Mapping[str, str] | None = None,
        *,
        missing: T | None = None,
        limit: int = BODY_LIMIT,
        values: int = VALUES_LIMIT,
    ) -> T:
        """The typed answer to a GET; `missing` is what a 404 means, where it means something."""
        answer = await self._send("GET", path, params=params, limit=limit)
        if answer.status == 404 and missing is not None:
            return missing
        return await self._parsed(answer, parse, values)

    async def _order(self, path: str, body: Mapping[str, Any]) -> None:
        self._check(await self._send("POST", path, json=body))

    async def _send(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        params: Mapping[str, str] | None = None,
        prefix: str | None = None,
        limit: int = BODY_LIMIT,
        take: Take | None = None,
    ) -> Answer:
        where = (await self._find_prefix() if prefix is None else prefix) + path
        return await self._transport.exchange(method, where, json=json, params=params, limit=limit, take=take)

    async def _read_pieces(
        self, path: str, reader: PieceReader, limit: int, params: Mapping[str, str] | None = None
    ) -> None:
        """Have the answer to a GET read as it arrives."""

        async def take(data: bytes) -> None:
            reader.feed(data)
            if reader.unread >= READ_AT_ONCE:
                await asyncio.to_thread(reader.read)

        with self._understanding():
            self._check(await self._send("GET", path, params=params, limit=limit, take=take))
            if reader.unread > BIG:
                await asyncio.to_thread(reader.read_rest)
            else:
                reader.read_rest()

    async def _find_prefix(self) -> str:
        """`/api`, or nothing on servers before mid-2024, found out once."""
        async with self._prefix_lock:
            if self._prefix is None:
                # Only the status counts; what has more to say than any ComfyUI is not heard out.
                answer = await self._transport.exchange("GET", "/api/prompt", head=STATS_LIMIT)
                self._prefix = "" if answer.status == 404 else "/api"
            return self._prefix

    def _check(self, answer: Answer) -> None:
        if answer.status in ABSENT:
            raise not_comfyui(self._server)
        if answer.status >= 300:
            raise ServerError(
                f"{self._server.shown} refused the request with status {answer.status}: try again.", answer.status
            )
        if answer.html:
            raise not_comfyui(self._server)

    async def _parsed(self, answer: Answer, parse: Callable[[Json], T], values: int = VALUES_LIMIT) -> T:
        self._check(answer)
        return await self._parse(answer, parse, values)

    async def _parse(self, answer: Answer, parse: Callable[[Json], T], values: int = VALUES_LIMIT) -> T:
        return await self._understand(answer, lambda raw: parse(loads(raw, values)))

    async def _understand(self, answer: Answer, read: Callable[[bytes], T]) -> T:
        """The body as a typed reply, read in a thread where that takes long; any other body is no ComfyUI's."""
        with self._understanding():
            if len(answer.body) > BIG:
                return await asyncio.to_thread(read, answer.body)
            return read(answer.body)

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        """What is no ComfyUI's answer, or more than is taken in, as one of our errors."""
        try:
            yield
        except TooMuch as excess:
            raise ServerError(
                f"{self._server.shown} sent {excess} in one answer, which was not read: check what runs there."
            ) from None
        except ValueError:
            raise not_comfyui(self._server) from None
