"""ComfyUI's HTTP calls, typed: `/api` first, bare paths on servers that have no `/api`."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

from comfytui.comfy.decode import flag_names
from comfytui.comfy.errors import NotComfyUI, Rejected, ServerError
from comfytui.comfy.events import Output
from comfytui.comfy.fields import integer, loads, mapping, texts
from comfytui.comfy.parse import (
    parse_history,
    parse_job,
    parse_jobs,
    parse_queue,
    parse_queued,
    parse_rejection,
    parse_stats,
)
from comfytui.comfy.replies import HistoryEntry, JobInfo, Json, Queue, Queued, SystemStats
from comfytui.comfy.server import Server
from comfytui.comfy.transport import BODY_LIMIT, MIB, Answer, Transport, not_comfyui
from comfytui.plain import plain

FILE_LIMIT = 512 * MIB
BIG = 64 * 1024
"""Bytes from which on JSON is parsed in a thread, so that the socket's loop goes on."""


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
        answer = await self._send("POST", "/prompt", json=body | ({"front": True} if front else {}))
        reply = await self._json(answer)
        if answer.status != 200:
            message, node_errors = parse_rejection(reply)
            raise Rejected(f"The server refused the prompt: {plain(message)}", node_errors)
        return parse_queued(reply, prompt_id)

    async def queue(self) -> Queue:
        """What runs and what waits, graphs included."""
        return await asyncio.to_thread(parse_queue, await self._get("/queue"))

    async def queue_count(self) -> int:
        """How many prompts run or wait."""
        return integer(mapping(mapping(await self._get("/prompt")).get("exec_info")).get("queue_remaining")) or 0

    async def history(self, max_items: int) -> tuple[HistoryEntry, ...]:
        """The newest entries, graphs included."""
        return await asyncio.to_thread(parse_history, await self._get("/history", {"max_items": str(max_items)}))

    async def history_of(self, prompt_id: str) -> HistoryEntry | None:
        """How a prompt ended; None while it has not, and for ids that the server does not know."""
        return next(iter(parse_history(await self._get(f"/history/{_segment(prompt_id)}"))), None)

    async def jobs(self, limit: int = 200) -> tuple[JobInfo, ...] | None:
        """The newest lines of the jobs list; None on servers before 0.6.0."""
        answer = await self._send("GET", "/jobs", params={"limit": str(limit)}, prefix="/api")
        return None if answer.status in {404, 405} else parse_jobs(await self._json(answer))

    async def job(self, prompt_id: str) -> JobInfo | None:
        """One line of the jobs list; None where there is none."""
        answer = await self._send("GET", f"/jobs/{_segment(prompt_id)}", prefix="/api")
        return None if answer.status in {404, 405} else parse_job(await self._json(answer))

    async def cancel(self, prompt_id: str) -> bool | None:
        """Delete or interrupt in one step; whether there was something to cancel, None on servers before 0.26."""
        answer = await self._send("POST", f"/jobs/{_segment(prompt_id)}/cancel", prefix="/api")
        if answer.status in {400, 404, 405}:
            return None
        cancelled = mapping(await self._json(answer)).get("cancelled")
        return cancelled if isinstance(cancelled, bool) else None

    async def interrupt(self, prompt_id: str | None = None) -> None:
        """Stop a running prompt; None, and servers before 0.3.57 in any case, stop whatever runs."""
        await self._order("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    async def delete(self, prompt_ids: Sequence[str]) -> None:
        """Take pending prompts out of the queue; ids that are not pending are ignored by the server."""
        await self._order("/queue", {"delete": list(prompt_ids)})

    async def clear(self) -> None:
        """Take all pending prompts out of the queue, whosever they are."""
        await self._order("/queue", {"clear": True})

    async def free(self, *, unload_models: bool = True, free_memory: bool = True) -> None:
        """Ask the server to let go of models and memory."""
        await self._order("/free", {"unload_models": unload_models, "free_memory": free_memory})

    async def subscribe_logs(self, client_id: str, *, enabled: bool = True) -> bool:
        """Have the server's log sent to a socket; False where the server or a proxy does not offer it."""
        body = {"clientId": client_id, "enabled": enabled}
        answer = await self._transport.exchange("PATCH", "/internal/logs/subscribe", json=body)
        return answer.status == 200

    async def models(self, folder: str) -> tuple[str, ...]:
        """The names of the models in a folder such as `checkpoints`."""
        return texts(await self._get(f"/models/{_segment(folder)}"))

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        """The definition of one class of nodes, as `{class_type: definition}`; empty where the server has none."""
        answer = await self._send("GET", f"/object_info/{_segment(class_type)}")
        return {} if answer.status == 404 else mapping(await self._json(answer))

    async def system_stats(self) -> SystemStats:
        """What the box is and how full it is."""
        stats = parse_stats(await self._get("/system_stats"))
        if stats is None:
            raise not_comfyui(self._server.shown)
        return stats

    async def features(self) -> frozenset[str]:
        """The names of what the server says it supports; empty on servers before 0.3.45."""
        answer = await self._send("GET", "/features")
        return frozenset(flag_names(await self._json(answer)) if answer.status == 200 else ())

    async def view(self, output: Output, preview: str | None = None, limit: int = FILE_LIMIT) -> bytes:
        """A file that a node made; `preview` such as `webp;80` asks for a light version of a picture."""
        params = {"filename": output.filename, "subfolder": output.subfolder, "type": output.type}
        answer = await self._send(
            "GET", "/view", params=params | ({"preview": preview} if preview else {}), limit=limit
        )
        if answer.status != 200 or answer.html:
            raise ServerError(f"The server no longer has {plain(output.filename, 100)} ({answer.status}).")
        return answer.body

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        answer = await self._send("GET", path, params=params)
        if answer.status != 200:
            raise not_comfyui(self._server.shown)
        return await self._json(answer)

    async def _order(self, path: str, body: Mapping[str, Any]) -> None:
        answer = await self._send("POST", path, json=body)
        if answer.status != 200:
            raise ServerError(f"The server refused {path} with status {answer.status}.")

    async def _send(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        params: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
        prefix: str | None = None,
    ) -> Answer:
        where = (await self._find_prefix() if prefix is None else prefix) + path
        return await self._transport.exchange(method, where, json=json, params=params, limit=limit)

    async def _find_prefix(self) -> str:
        """`/api`, or nothing on servers before mid-2024, found out once."""
        async with self._prefix_lock:
            if self._prefix is None:
                answer = await self._transport.exchange("GET", "/api/prompt")
                self._prefix = "" if answer.status == 404 else "/api"
            return self._prefix

    async def _json(self, answer: Answer) -> Json:
        if answer.html:
            raise not_comfyui(self._server.shown)
        try:
            return await asyncio.to_thread(loads, answer.body) if len(answer.body) > BIG else loads(answer.body)
        except ValueError:
            raise NotComfyUI(f"{self._server.shown} did not answer in JSON: check the address and the port.") from None


def _segment(name: str) -> str:
    """A name as one segment of a path: ids come from servers, too."""
    return quote(name, safe="")
