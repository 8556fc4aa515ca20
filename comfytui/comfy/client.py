"""ComfyUI's HTTP calls, typed: `/api` first, bare paths on servers that have no `/api`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self, TypeVar
from urllib.parse import quote

from comfytui.comfy.abilities import Abilities, abilities_of
from comfytui.comfy.errors import NotComfyUI, Rejected, ServerError, Unauthorized
from comfytui.comfy.events import Output
from comfytui.comfy.faults import not_comfyui
from comfytui.comfy.fields import flags, loads
from comfytui.comfy.parse import (
    parse_cancelled,
    parse_count,
    parse_history,
    parse_job,
    parse_jobs,
    parse_log_times,
    parse_names,
    parse_object,
    parse_queue,
    parse_queued,
    parse_rejection,
    parse_stats,
)
from comfytui.comfy.replies import HistoryEntry, JobInfo, Json, Queue, Queued, QueueItem, SystemStats
from comfytui.comfy.server import Server
from comfytui.comfy.transport import MIB, Answer, Transport
from comfytui.plain import plain

T = TypeVar("T")

FILE_LIMIT = 512 * MIB
"""Bytes of one file that a node made."""
BIG = 64 * 1024
"""Bytes from which on JSON is parsed in a thread, so that the socket's loop goes on."""
_ABSENT = frozenset({404, 405})
"""What servers say of a path that they do not have; 405 where files are served from everywhere, to GET alone."""
_UNFIT = frozenset({411, 413, 415, 422})
"""What proxies say of a prompt that they will never let through, however often it is sent."""


class ComfyClient:
    """Calls to one server; every call raises the errors of `comfytui.comfy.errors`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport = Transport(server)
        self._prefix: str | None = None
        self._prefix_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()

    async def submit(
        self,
        graph: Mapping[str, Json],
        *,
        prompt_id: str,
        client_id: str,
        marks: Mapping[str, Json],
        preview_method: str | None = None,
        front: bool = False,
    ) -> Queued:
        """Queue a prompt under our own canonical UUID; raises Rejected with the errors by node."""
        extra: dict[str, Json] = {"comfytui": dict(marks)}
        if preview_method is not None:
            extra["preview_method"] = preview_method
        body = {"prompt": graph, "client_id": client_id, "prompt_id": prompt_id, "extra_data": extra}
        where = await self._find_prefix() + "/prompt"
        answer = await self._transport.exchange(
            "POST", where, json=body | ({"front": True} if front else {}), once=True
        )
        if answer.status == 400:
            message, node_errors = await self._parse(answer, parse_rejection)
            raise Rejected(f"The server refused the prompt: {plain(message)}", node_errors)
        if answer.status in _UNFIT:
            raise Rejected(f"The prompt was turned down with status {answer.status}: make it smaller or simpler.")
        return await self._parsed(answer, lambda reply: parse_queued(reply, prompt_id))

    async def queue(self) -> Queue[QueueItem]:
        """What runs and what waits, graphs included."""
        return await self.kept_queue(lambda item: item)

    async def kept_queue(self, keep: Callable[[QueueItem], T]) -> Queue[T]:
        """What runs and what waits, of which only what `keep` makes of each prompt ever stands in memory."""
        answer = await self._send("GET", "/queue")
        self._check(answer)
        return await self._understand(answer, lambda raw: parse_queue(raw, keep))

    async def queue_count(self) -> int:
        """How many prompts run or wait."""
        return await self._read("/prompt", parse_count)

    async def history(self, max_items: int) -> tuple[HistoryEntry, ...]:
        """The newest entries, graphs included."""
        return await self._read("/history", parse_history, {"max_items": str(max_items)})

    async def history_of(self, prompt_id: str) -> HistoryEntry | None:
        """How a prompt ended; None while it has not, and for ids that the server does not know.

        Some servers answer an unknown id with the entry of another prompt: only one of this id counts.
        """
        entries = await self._read(f"/history/{_segment(prompt_id)}", parse_history)
        return next((entry for entry in entries if entry.item.prompt_id == prompt_id), None)

    async def jobs(self, limit: int = 200, status: str | None = None) -> tuple[JobInfo, ...] | None:
        """The newest lines of the jobs list, perhaps only of one status; None on servers before 0.6.0."""
        wanted = {"limit": str(limit)} | ({"status": status} if status else {})
        answer = await self._send("GET", "/jobs", params=wanted, prefix="/api")
        return None if answer.status in _ABSENT else await self._parsed(answer, parse_jobs)

    async def job(self, prompt_id: str) -> JobInfo | None:
        """One line of the jobs list; None where there is none."""
        answer = await self._send("GET", f"/jobs/{_segment(prompt_id)}", prefix="/api")
        found = None if answer.status in _ABSENT else await self._parsed(answer, parse_job)
        return found if found and found.prompt_id == prompt_id else None

    async def cancel(self, prompt_id: str) -> bool | None:
        """Delete or interrupt in one step; whether there was something to cancel, None on servers before 0.26."""
        answer = await self._send("POST", f"/jobs/{_segment(prompt_id)}/cancel", prefix="/api")
        return None if answer.status in _ABSENT else await self._parsed(answer, parse_cancelled)

    async def interrupt(self, prompt_id: str | None = None) -> None:
        """Stop a running prompt; None, and servers before 0.3.57 in any case, stop whatever runs."""
        await self._order("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    async def delete(self, prompt_ids: Sequence[str]) -> None:
        """Take pending prompts out of the queue; ids that are not pending are ignored by the server."""
        await self._order("/queue", {"delete": list(prompt_ids)})

    async def clear(self) -> None:
        """Take all pending prompts out of the queue, whosever they are."""
        await self._order("/queue", {"clear": True})

    async def subscribe_logs(self, client_id: str, *, enabled: bool = True) -> bool:
        """Have the server's log sent to a socket; False where the server or a proxy does not offer it."""
        body = {"clientId": client_id, "enabled": enabled}
        answer = await self._transport.exchange("PATCH", "/internal/logs/subscribe", json=body)
        return answer.status == 200

    async def log_times(self) -> tuple[str, ...]:
        """When each line of the server's log was written, as it tells it, of the newest few hundred lines.

        None on servers before 2024-08.
        """
        answer = await self._transport.exchange("GET", "/internal/logs/raw")
        return () if answer.status in _ABSENT else await self._parsed(answer, parse_log_times)

    async def models(self, folder: str) -> tuple[str, ...]:
        """The names of the models in a folder such as `checkpoints`; none in a folder that the server does not know."""
        return await self._read(f"/models/{_segment(folder)}", parse_names, missing=())

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        """The definition of one class of nodes, as `{class_type: definition}`; empty where the server has none."""
        return await self._read(f"/object_info/{_segment(class_type)}", parse_object, missing={})

    async def system_stats(self) -> SystemStats:
        """What the box is and how full it is."""
        return await self._read("/system_stats", parse_stats)

    async def features(self) -> frozenset[str]:
        """The names of what the server says it supports; empty on servers before 0.3.45."""
        return await self._read("/features", flags, missing=frozenset())

    async def abilities(self, version: str) -> Abilities:
        """What a server of this version can do, by what it says and has; what it refuses to tell, it lacks."""
        features, jobs = frozenset[str](), None
        with suppress(Unauthorized, ServerError, NotComfyUI):
            features = await self.features()
        with suppress(Unauthorized, ServerError, NotComfyUI):
            jobs = await self.jobs(limit=1)
        return abilities_of(version, features, jobs=jobs is not None)

    async def view(self, output: Output, preview: str | None = None, limit: int = FILE_LIMIT) -> bytes:
        """A file that a node made, of at most `limit` bytes; `preview` such as `webp;80` asks for a light picture."""
        return await self._view(output, {"preview": preview} if preview else {}, limit=limit)

    async def head_of(self, output: Output, size: int) -> bytes:
        """The first bytes of a file that a node made, `size` of them or a few more."""
        return await self._view(output, {}, head=size)

    async def made(self) -> tuple[str, ...]:
        """The names of the files in the top of the output folder, the newest first; none on servers before 0.3.15."""
        answer = await self._transport.exchange("GET", "/internal/files/output")
        names = () if answer.status in _ABSENT else await self._parsed(answer, parse_names)
        return tuple(name.removesuffix(" [output]") for name in names)

    async def _view(
        self, output: Output, asked: Mapping[str, str], *, limit: int = FILE_LIMIT, head: int | None = None
    ) -> bytes:
        params = {"filename": output.filename, "subfolder": output.subfolder, "type": output.type, **asked}
        where = await self._find_prefix() + "/view"
        answer = await self._transport.exchange("GET", where, params=params, limit=limit, head=head, seconds=None)
        if answer.html:
            raise not_comfyui(self._server)
        if answer.status >= 300:
            name = plain(output.filename, 100)
            raise ServerError(f"The server no longer has {name} ({answer.status}): make it again.", answer.status)
        return answer.body

    async def _read(
        self,
        path: str,
        parse: Callable[[Json], T],
        params: Mapping[str, str] | None = None,
        *,
        missing: T | None = None,
    ) -> T:
        """The typed answer to a GET; `missing` is what a 404 means, where it means something."""
        answer = await self._send("GET", path, params=params)
        if answer.status == 404 and missing is not None:
            return missing
        return await self._parsed(answer, parse)

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
    ) -> Answer:
        where = (await self._find_prefix() if prefix is None else prefix) + path
        return await self._transport.exchange(method, where, json=json, params=params)

    async def _find_prefix(self) -> str:
        """`/api`, or nothing on servers before mid-2024, found out once."""
        async with self._prefix_lock:
            if self._prefix is None:
                answer = await self._transport.exchange("GET", "/api/prompt")
                self._prefix = "" if answer.status == 404 else "/api"
            return self._prefix

    def _check(self, answer: Answer) -> None:
        if answer.status in _ABSENT:
            raise not_comfyui(self._server)
        if answer.status >= 300:
            raise ServerError(
                f"{self._server.shown} refused the request with status {answer.status}: try again.", answer.status
            )
        if answer.html:
            raise not_comfyui(self._server)

    async def _parsed(self, answer: Answer, parse: Callable[[Json], T]) -> T:
        self._check(answer)
        return await self._parse(answer, parse)

    async def _parse(self, answer: Answer, parse: Callable[[Json], T]) -> T:
        return await self._understand(answer, lambda raw: parse(loads(raw)))

    async def _understand(self, answer: Answer, read: Callable[[bytes], T]) -> T:
        """The body as a typed reply, read in a thread where that takes long; any other body is no ComfyUI's."""
        try:
            if len(answer.body) > BIG:
                return await asyncio.to_thread(read, answer.body)
            return read(answer.body)
        except ValueError:
            raise not_comfyui(self._server) from None


def _segment(name: str) -> str:
    """A name as one segment of a path: ids come from servers, too."""
    return quote(name, safe="", errors="replace")
