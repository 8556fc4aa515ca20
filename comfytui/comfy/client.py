"""ComfyUI's HTTP API as typed calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, overload

from comfytui.comfy.answer_redaction import redacted_entry, redacted_node_errors
from comfytui.comfy.connection_errors import not_comfyui
from comfytui.comfy.errors import PromptRefused, ServerError
from comfytui.comfy.http.api import path_segment
from comfytui.comfy.http.transport import ChunkSink
from comfytui.comfy.library import ServerLibrary
from comfytui.comfy.limits import (
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
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.models import AcceptedPrompt, HistoryEntry, JobInfo, Json, Queue, QueueItem, SystemStats
from comfytui.comfy.protocol.parse import (
    parse_accepted,
    parse_cancelled,
    parse_count,
    parse_job_graph,
    parse_jobs,
    parse_log_timestamps,
    parse_names,
    parse_rejection,
    parse_stats,
)
from comfytui.comfy.protocol.queue_json import HistoryReader, QueueReader
from comfytui.sanitize import sanitize

T = TypeVar("T")

_FINAL_STATUSES = frozenset({411, 413, 415, 422})
"""Statuses with which proxies reject a prompt for good, however often it is sent."""


class ComfyClient(ServerLibrary):
    """Calls to one server; each raises the errors of `comfytui.comfy.errors`.

    Paths are below `/api`, or at the root on servers that have no `/api`.
    """

    async def submit(
        self,
        graph: Mapping[str, Json],
        *,
        prompt_id: str,
        client_id: str,
        tag: Mapping[str, Json],
        preview_method: str | None = None,
    ) -> AcceptedPrompt:
        """Queue a prompt.

        Args:
            graph: The graph in ComfyUI's API format.
            prompt_id: The id to queue it under, a UUID in canonical form.
            client_id: The client id that receives its events.
            tag: What to store as `extra_data.comfytui`, to recognise the prompt by.
            preview_method: How the server is to make previews; None for its default.

        Raises:
            PromptRefused: If the prompt does not pass validation; with the errors of its nodes.
        """
        extra: dict[str, Json] = {"comfytui": dict(tag)}
        if preview_method is not None:
            extra["preview_method"] = preview_method
        body = {"prompt": graph, "client_id": client_id, "prompt_id": prompt_id, "extra_data": extra}
        path = await self._find_prefix() + "/prompt"
        response = await self._transport.request("POST", path, json=body, single_use=True)
        if response.status == 400:
            message, node_errors = await self._parse(response, parse_rejection)
            message = sanitize(self._redactor.text(message))
            errors = redacted_node_errors(self._redactor, node_errors, graph)
            raise PromptRefused(f"The server refused the prompt: {message}", errors)
        if response.status in _FINAL_STATUSES:
            raise PromptRefused(
                f"The server refused the prompt with status {response.status}: make it smaller or simpler."
            )
        accepted = await self._parse_success(response, lambda value: parse_accepted(value, prompt_id))
        return replace(accepted, node_errors=redacted_node_errors(self._redactor, accepted.node_errors, graph))

    @overload
    async def queue(self) -> Queue[QueueItem]: ...

    @overload
    async def queue(self, keep: Callable[[QueueItem], T]) -> Queue[T]: ...

    async def queue(self, keep: Callable[[QueueItem], Any] | None = None) -> Queue[Any]:
        """Return the prompts that are running and pending.

        Args:
            keep: Converts each prompt as it arrives; only its results are held in memory. By default the prompts are
                returned without their graphs, which are too large to hold for a long queue.
        """
        reader = QueueReader(keep or (lambda item: replace(item, graph={})))
        await self._get_in_pieces("/queue", reader, QUEUE_LIMIT)
        with self._translated_errors():
            return reader.queue()

    async def queue_count(self) -> int:
        """Return the number of prompts running and pending."""
        return await self._get("/prompt", parse_count, limit=STATS_LIMIT)

    async def history(self, max_items: int, keep: Callable[[HistoryEntry], T | None]) -> tuple[T, ...]:
        """Return the newest entries of the history, the oldest of them first.

        Args:
            max_items: How many entries.
            keep: Converts each entry as it arrives; only its results are held in memory, except None.
        """
        reader = HistoryReader(lambda entry: keep(redacted_entry(self._redactor, entry)), max_items)
        await self._get_in_pieces("/history", reader, HISTORY_LIMIT, {"max_items": str(max_items)})
        return reader.history()

    async def history_entry(self, prompt_id: str) -> HistoryEntry | None:
        """Return the history entry of a prompt; None if it has not ended, or the server does not know it."""

        def keep(entry: HistoryEntry) -> HistoryEntry | None:
            # For an unknown id some servers return the entry of another prompt.
            return redacted_entry(self._redactor, entry) if entry.item.prompt_id == prompt_id else None

        reader = HistoryReader(keep, 1)
        await self._get_in_pieces(f"/history/{path_segment(prompt_id)}", reader, ENTRY_LIMIT)
        return next(iter(reader.history()), None)

    async def jobs(self, limit: int = 200, status: str | None = None) -> tuple[JobInfo, ...] | None:
        """Return the newest jobs; None on servers before 0.6.0, which have no list of jobs.

        Args:
            limit: How many jobs.
            status: Comma-separated statuses of the jobs to return; None for all.
        """
        params = {"limit": str(limit)} | ({"status": status} if status else {})
        return await self._request_if_there("GET", "/api/jobs", parse_jobs, params=params, limit=JOBS_LIMIT)

    async def job_graph(self, prompt_id: str) -> Json:
        """Return the graph of a job; None if the server has no list of jobs, or no such job in it."""
        path = f"/api/jobs/{path_segment(prompt_id)}"
        return await self._request_if_there("GET", path, lambda body: parse_job_graph(body, prompt_id))

    async def cancel_job(self, prompt_id: str) -> bool | None:
        """Delete or interrupt a job in one step.

        Returns:
            Whether there was such a job; None on servers before 0.26, which do not have this call.
        """
        return await self._request_if_there("POST", f"/api/jobs/{path_segment(prompt_id)}/cancel", parse_cancelled)

    async def interrupt_running(self, prompt_id: str | None = None) -> None:
        """Interrupt a prompt if it is running; without an id, and on servers before 0.3.57, whatever is running."""
        await self._post("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    async def delete(self, prompt_ids: Sequence[str]) -> None:
        """Remove pending prompts from the queue; the server ignores ids that are not pending."""
        await self._post("/queue", {"delete": list(prompt_ids)})

    async def log_timestamps(self) -> tuple[str, ...]:
        """Return when the newest few hundred lines of the server's log were written, as the server formats it.

        Empty on servers before August 2024.
        """
        return await self._request_if_there("GET", "/internal/logs/raw", parse_log_timestamps) or ()

    async def system_stats(self) -> SystemStats:
        """Return the version of the server and the memory of its machine."""
        stats = await self._get("/system_stats", parse_stats, limit=STATS_LIMIT)
        return replace(stats, version=self._redactor.text(stats.version))

    async def view(self, output: Output, preview: str | None = None, limit: int = VIEW_LIMIT) -> bytes:
        """Return an output file.

        Args:
            output: The file.
            preview: The format and quality of a smaller version of an image, such as `webp;80`.
            limit: Most bytes of the file.
        """
        return await self._view(output, {"preview": preview} if preview else {}, limit=limit)

    async def download(self, output: Output, sink: ChunkSink, limit: int = FILE_LIMIT) -> None:
        """Pass an output file to a sink as it arrives.

        If this raises, the sink may have received a part of the file, which is to be discarded.
        """
        await self._view(output, {}, limit=limit, sink=sink)

    async def view_head(self, output: Output, size: int) -> bytes:
        """Return the first `size` bytes of an output file, or a few more."""
        return await self._view(output, {}, head=size)

    async def output_names(self) -> tuple[str, ...]:
        """Return the names of the files in the output folder itself, newest first; none on servers before 0.3.15."""
        names = await self._request_if_there(
            "GET", "/internal/files/output", parse_names, limit=FOLDER_LIMIT, max_values=FOLDER_VALUES
        )
        return tuple(name.removesuffix(" [output]") for name in names or ())

    async def _view(
        self,
        output: Output,
        extra_params: Mapping[str, str],
        *,
        limit: int = VIEW_LIMIT,
        head: int | None = None,
        sink: ChunkSink | None = None,
    ) -> bytes:
        params = {"filename": output.filename, "subfolder": output.subfolder, "type": output.type, **extra_params}
        path = await self._find_prefix() + "/view"
        response = await self._transport.request(
            "GET", path, params=params, limit=limit, head=head, is_file=True, sink=sink
        )
        if response.html:
            raise not_comfyui(self._server)
        # The sink gets nothing of any other success.
        if response.status >= 300 or (sink and response.status != 200):
            name = sanitize(output.filename, 100)
            raise ServerError(f"The server no longer has {name} ({response.status}): make it again.", response.status)
        return response.body
