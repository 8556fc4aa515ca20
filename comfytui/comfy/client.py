"""ComfyUI's HTTP calls, typed: `/api` first, bare paths on servers that have no `/api`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from comfytui.comfy.connection_errors import not_comfyui
from comfytui.comfy.errors import NotComfyUI, Rejected, ServerError, Unauthorized
from comfytui.comfy.http.api import ABSENT, Calls
from comfytui.comfy.http.transport import Take
from comfytui.comfy.limits import (
    DEFINITION_LIMIT,
    DEFINITION_VALUES,
    ENTRY_LIMIT,
    FILE_LIMIT,
    FOLDER_LIMIT,
    FOLDER_VALUES,
    HISTORY_LIMIT,
    JOBS_LIMIT,
    QUEUE_LIMIT,
    STATS_LIMIT,
    VIEW_LIMIT,
)
from comfytui.comfy.protocol.capabilities import Capabilities, capabilities_of
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.json_readers import flags
from comfytui.comfy.protocol.models import HistoryEntry, JobInfo, Json, Queue, Queued, QueueItem, SystemStats
from comfytui.comfy.protocol.parse import (
    parse_cancelled,
    parse_count,
    parse_job,
    parse_job_graph,
    parse_jobs,
    parse_log_times,
    parse_names,
    parse_object,
    parse_queued,
    parse_rejection,
    parse_stats,
)
from comfytui.comfy.protocol.queue_json import HistoryReader, QueueReader
from comfytui.sanitize import sanitize

T = TypeVar("T")

_UNFIT = frozenset({411, 413, 415, 422})
"""What proxies say of a prompt that they will never let through, however often it is sent."""


class ComfyClient(Calls):
    """Calls to one server; every call raises the errors of `comfytui.comfy.errors`."""

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
            message = sanitize(self._redactor.text(message))
            raise Rejected(f"The server refused the prompt: {message}", self._redactor.node_errors(node_errors, graph))
        if answer.status in _UNFIT:
            raise Rejected(f"The server refused the prompt with status {answer.status}: make it smaller or simpler.")
        queued = await self._parsed(answer, lambda reply: parse_queued(reply, prompt_id))
        return replace(queued, node_errors=self._redactor.node_errors(queued.node_errors, graph))

    async def queue(self) -> Queue[QueueItem]:
        """What runs and what waits, without the graphs: all of a long queue take more than is to be held."""
        return await self.kept_queue(lambda item: replace(item, graph={}))

    async def kept_queue(self, keep: Callable[[QueueItem], T]) -> Queue[T]:
        """What runs and what waits, of which only what `keep` makes of each prompt ever stands in memory."""
        reader = QueueReader(keep)
        await self._read_pieces("/queue", reader, QUEUE_LIMIT)
        with self._understanding():
            return reader.queue()

    async def queue_count(self) -> int:
        """How many prompts run or wait."""
        return await self._read("/prompt", parse_count, limit=STATS_LIMIT)

    async def history(self, max_items: int) -> tuple[HistoryEntry, ...]:
        """The newest entries, graphs included."""
        return await self.kept_history(max_items, lambda entry: entry)

    async def kept_history(self, max_items: int, keep: Callable[[HistoryEntry], T | None]) -> tuple[T, ...]:
        """The newest entries, of which only what `keep` makes of each ever stands in memory, but for None."""
        reader = HistoryReader(lambda entry: keep(self._redactor.entry(entry)), max_items)
        await self._read_pieces("/history", reader, HISTORY_LIMIT, {"max_items": str(max_items)})
        return reader.history()

    async def history_of(self, prompt_id: str) -> HistoryEntry | None:
        """How a prompt ended; None while it has not, and for ids that the server does not know.

        Some servers answer an unknown id with the entry of another prompt: only one of this id counts.
        """

        def keep(entry: HistoryEntry) -> HistoryEntry | None:
            return self._redactor.entry(entry) if entry.item.prompt_id == prompt_id else None

        reader = HistoryReader(keep, 1)
        await self._read_pieces(f"/history/{_segment(prompt_id)}", reader, ENTRY_LIMIT)
        return next(iter(reader.history()), None)

    async def jobs(self, limit: int = 200, status: str | None = None) -> tuple[JobInfo, ...] | None:
        """The newest lines of the jobs list, perhaps only of one status; None on servers before 0.6.0."""
        wanted = {"limit": str(limit)} | ({"status": status} if status else {})
        answer = await self._send("GET", "/jobs", params=wanted, prefix="/api", limit=JOBS_LIMIT)
        return None if answer.status in ABSENT else await self._parsed(answer, parse_jobs)

    async def job(self, prompt_id: str) -> JobInfo | None:
        """One line of the jobs list; None where there is none."""
        answer = await self._send("GET", f"/jobs/{_segment(prompt_id)}", prefix="/api")
        found = None if answer.status in ABSENT else await self._parsed(answer, parse_job)
        return found if found and found.prompt_id == prompt_id else None

    async def job_graph(self, prompt_id: str) -> Json:
        """The graph of one job, as the jobs list has it; None where it has none."""
        answer = await self._send("GET", f"/jobs/{_segment(prompt_id)}", prefix="/api")
        if answer.status in ABSENT:
            return None
        return await self._parsed(answer, lambda body: parse_job_graph(body, prompt_id))

    async def cancel(self, prompt_id: str) -> bool | None:
        """Delete or interrupt in one step; whether there was something to cancel, None on servers before 0.26."""
        answer = await self._send("POST", f"/jobs/{_segment(prompt_id)}/cancel", prefix="/api")
        return None if answer.status in ABSENT else await self._parsed(answer, parse_cancelled)

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

        Empty on servers before 2024-08.
        """
        answer = await self._transport.exchange("GET", "/internal/logs/raw")
        return () if answer.status in ABSENT else await self._parsed(answer, parse_log_times)

    async def models(self, folder: str) -> tuple[str, ...]:
        """The names of the models in a folder such as `checkpoints`; none in a folder that the server does not know."""
        return await self._read(f"/models/{_segment(folder)}", parse_names, missing=())

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        """The definition of one class of nodes, as `{class_type: definition}`; empty where the server has none."""
        where = f"/object_info/{_segment(class_type)}"
        return await self._read(where, parse_object, missing={}, limit=DEFINITION_LIMIT, values=DEFINITION_VALUES)

    async def system_stats(self) -> SystemStats:
        """What the box is and how full it is."""
        stats = await self._read("/system_stats", parse_stats, limit=STATS_LIMIT)
        return replace(stats, version=self._redactor.text(stats.version))

    async def features(self) -> frozenset[str]:
        """The names of what the server says it supports; empty on servers before 0.3.45."""
        return await self._read("/features", flags, missing=frozenset())

    async def capabilities(self, version: str) -> Capabilities:
        """What a server of this version can do, by what it says and has; what it refuses to tell, it lacks."""
        features, jobs = frozenset[str](), None
        with suppress(Unauthorized, ServerError, NotComfyUI):
            features = await self.features()
        with suppress(Unauthorized, ServerError, NotComfyUI):
            jobs = await self.jobs(limit=1)
        return capabilities_of(version, features, jobs=jobs is not None)

    async def view(self, output: Output, preview: str | None = None, limit: int = VIEW_LIMIT) -> bytes:
        """A file that a node made, of at most `limit` bytes; `preview` such as `webp;80` asks for a light picture."""
        return await self._view(output, {"preview": preview} if preview else {}, limit=limit)

    async def download(self, output: Output, take: Take, limit: int = FILE_LIMIT) -> None:
        """Hand a file that a node made to `take` as it arrives, at most `limit` bytes; raises after some where it must.

        What was taken before an error is to be thrown away.
        """
        await self._view(output, {}, limit=limit, take=take)

    async def head_of(self, output: Output, size: int) -> bytes:
        """The first bytes of a file that a node made, `size` of them or a few more."""
        return await self._view(output, {}, head=size)

    async def made(self) -> tuple[str, ...]:
        """The names of the files in the top of the output folder, the newest first; none on servers before 0.3.15."""
        answer = await self._transport.exchange("GET", "/internal/files/output", limit=FOLDER_LIMIT)
        names = () if answer.status in ABSENT else await self._parsed(answer, parse_names, FOLDER_VALUES)
        return tuple(name.removesuffix(" [output]") for name in names)

    async def _view(
        self,
        output: Output,
        asked: Mapping[str, str],
        *,
        limit: int = VIEW_LIMIT,
        head: int | None = None,
        take: Take | None = None,
    ) -> bytes:
        params = {"filename": output.filename, "subfolder": output.subfolder, "type": output.type, **asked}
        where = await self._find_prefix() + "/view"
        answer = await self._transport.exchange(
            "GET", where, params=params, limit=limit, head=head, seconds=None, take=take
        )
        if answer.html:
            raise not_comfyui(self._server)
        # Any other success has no file, and nothing was taken.
        if answer.status >= 300 or (take and answer.status != 200):
            name = sanitize(output.filename, 100)
            raise ServerError(f"The server no longer has {name} ({answer.status}): make it again.", answer.status)
        return answer.body


def _segment(name: str) -> str:
    """A name as one segment of a path: ids come from servers, too."""
    return quote(name, safe="", errors="replace")
