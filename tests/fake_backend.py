"""A server in memory, for tests of what the screen does with keys, forms and lists: no sockets, no simulator.

It is a `BackendFactory`: pass it as `new_backend` to `ServiceThread` or as an option of the screen. What a test of the
connection, of old servers or of broken answers needs is not here: such tests drive the simulator.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Set
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, Literal, TypeVar
from uuid import uuid4

from PIL import Image

from comfytui.comfy.errors import Unreachable
from comfytui.comfy.limits import VIEW_LIMIT
from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.events import (
    Event,
    Executed,
    Executing,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Output,
    Status,
)
from comfytui.comfy.protocol.models import (
    AcceptedPrompt,
    Device,
    HistoryEntry,
    JobInfo,
    Json,
    Obstacle,
    Queue,
    QueueItem,
    SystemStats,
)
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, ConnectionEvent, Opened
from comfytui.service.backend import Backend
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig

T = TypeVar("T")

ABLE = Capabilities("0.33.0", targeted_interrupt=True, atomic_cancel=True, previews_by_prompt=True)
NODES: dict[str, dict[str, Json]] = {
    name: json.loads(json.dumps({name: node.info()})) for name, node in catalogue(SimConfig()).items()
}
"""The answers of `/object_info`, by node class."""
DOWN = Unreachable("Nothing listens at this address.", "refused")


class FakeBackend:
    """One server, whose prompts succeed at once, or run until a test ends them.

    Args:
        instant: Whether each prompt succeeds as soon as it is queued; otherwise the first one runs until `finish`.
        capabilities: What the server can do.
    """

    def __init__(self, *, instant: bool = True, capabilities: Capabilities = ABLE) -> None:
        self.submitted: list[dict[str, Any]] = []
        """The body of each prompt that was submitted, as `/prompt` gets it."""
        self.is_up = True
        self._instant = instant
        self._capabilities = capabilities
        self._running: list[QueueItem] = []
        self._pending: list[QueueItem] = []
        self._history: list[HistoryEntry] = []
        self._frames: dict[str, asyncio.Queue[Event | None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._images = 0

    @asynccontextmanager
    async def __call__(self, _: Server) -> AsyncIterator[Backend]:
        """Open the connection of a service, which runs in the loop of this call."""
        self._loop = asyncio.get_running_loop()
        yield self

    # What a test does with it, from any thread.

    def go_down(self) -> None:
        """Close all connections, and answer no more."""
        self.is_up = False
        self._in_loop(self._close_events)

    def finish(self) -> None:
        """Let the running prompt succeed, and the next one start."""
        self._in_loop(self._finish_running)

    def add_job(self, graph: Mapping[str, Json], client_id: str = "somebody") -> str:
        """Queue a prompt of another client, and return its id."""
        prompt_id = str(uuid4())
        item = QueueItem(prompt_id, len(self.submitted), json.dumps(graph).encode(), client_id)
        self._in_loop(lambda: self._add(item))
        return prompt_id

    def _close_events(self) -> None:
        for frames in self._frames.values():
            frames.put_nowait(None)

    def _in_loop(self, work: Callable[[], object]) -> None:
        if self._loop is None:
            work()
        else:
            self._loop.call_soon_threadsafe(work)

    # How prompts run.

    def _add(self, item: QueueItem) -> None:
        self._pending.append(item)
        self._announce()
        self._start_next()

    def _start_next(self) -> None:
        while self._pending and not self._running:
            item = self._pending.pop(0)
            self._running.append(item)
            self._send(ExecutionStart(item.prompt_id, _now()), item.client_id)
            self._send(Executing("3", prompt_id=item.prompt_id), item.client_id)
            if self._instant:
                self._finish_running()

    def _finish_running(self) -> None:
        if self._running:
            self._images += 1
            output = Output(f"comfytui_{self._images:05}_.png", node="9")
            item = self._end_running("success", output)
            self._send(Executed(item.prompt_id, "9", outputs=(output,)), item.client_id)
            self._send(ExecutionSuccess(item.prompt_id, _now()), item.client_id)
            self._announce()
            self._start_next()

    def _interrupt(self, prompt_id: str) -> bool:
        if not any(item.prompt_id == prompt_id for item in self._running):
            return False
        item = self._end_running("interrupted")
        self._send(ExecutionInterrupted(prompt_id, timestamp=_now()), item.client_id)
        self._announce()
        self._start_next()
        return True

    def _end_running(self, outcome: Literal["success", "interrupted"], *outputs: Output) -> QueueItem:
        item = self._running.pop()
        self._history.append(HistoryEntry(item, outcome, outputs, started=_now(), ended=_now()))
        return item

    def _announce(self) -> None:
        for client_id in self._frames:
            self._send(Status(len(self._running) + len(self._pending)), client_id)

    def _send(self, frame: Event, client_id: str | None) -> None:
        if client_id in self._frames:
            self._frames[client_id].put_nowait(frame)

    # The protocol.

    def _check(self) -> None:
        if not self.is_up:
            raise DOWN

    async def submit(
        self,
        graph: Mapping[str, Json],
        *,
        prompt_id: str,
        client_id: str,
        tag: Mapping[str, Json],
        preview_method: str | None = None,
    ) -> AcceptedPrompt:
        self._check()
        number = float(len(self.submitted))
        self.submitted.append({"prompt": graph, "prompt_id": prompt_id, "client_id": client_id})
        self._add(QueueItem(prompt_id, number, json.dumps(graph).encode(), client_id, tag=tag))
        return AcceptedPrompt(prompt_id, number)

    async def cancel(self, prompt_id: str, capabilities: Capabilities, *, force: bool = False) -> bool | Obstacle:
        return bool(await self.remove({prompt_id})) or self._interrupt(prompt_id)

    async def remove(self, prompt_ids: Set[str]) -> Set[str]:
        self._check()
        removed = {item.prompt_id for item in self._pending} & prompt_ids
        self._pending = [item for item in self._pending if item.prompt_id not in removed]
        self._announce()
        return removed

    async def interrupt(
        self, prompt_ids: Set[str], capabilities: Capabilities, *, force: bool = False
    ) -> tuple[int, Obstacle | None]:
        self._check()
        return sum(self._interrupt(prompt_id) for prompt_id in prompt_ids), None

    async def events(
        self, client_id: str, report_lag: Callable[[float], None]
    ) -> AsyncGenerator[Event | ConnectionEvent, None]:
        if self.is_up:
            frames: asyncio.Queue[Event | None] = asyncio.Queue()
            self._frames[client_id] = frames
            yield Opened()
            yield Status(len(self._running) + len(self._pending), client_id)
            while (frame := await frames.get()) is not None:
                yield frame
        yield Closed(str(DOWN), None if self.is_up else DOWN)

    async def capabilities(self, version: str) -> Capabilities:
        self._check()
        return self._capabilities

    async def system_stats(self) -> SystemStats:
        self._check()
        gpu = Device("Fake GPU", "cuda", 24 * 2**30, 20 * 2**30)
        return SystemStats(self._capabilities.version, 64 * 2**30, 32 * 2**30, (gpu,))

    async def queue_count(self) -> int:
        self._check()
        return len(self._running) + len(self._pending)

    async def queue(self, keep: Callable[[QueueItem], T]) -> Queue[T]:
        self._check()
        return Queue(tuple(map(keep, self._running)), tuple(map(keep, self._pending)))

    async def history(self, max_items: int, keep: Callable[[HistoryEntry], T | None]) -> tuple[T, ...]:
        self._check()
        return tuple(kept for entry in self._history[-max_items:] if (kept := keep(entry)) is not None)

    async def history_entry(self, prompt_id: str) -> HistoryEntry | None:
        self._check()
        return next((entry for entry in self._history if entry.item.prompt_id == prompt_id), None)

    async def jobs(self, limit: int = 200, status: str | None = None) -> tuple[JobInfo, ...] | None:
        self._check()
        return None

    async def job_graph(self, prompt_id: str) -> Json:
        self._check()
        return None

    async def log_timestamps(self) -> tuple[str, ...]:
        self._check()
        return ("2026-01-01T00:00:00",)

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        self._check()
        return NODES.get(class_type, {})

    async def output_names(self) -> tuple[str, ...]:
        self._check()
        return ()

    async def view(self, output: Output, preview: str | None = None, limit: int = VIEW_LIMIT) -> bytes:
        self._check()
        return _png()

    async def view_head(self, output: Output, size: int) -> bytes:
        return (await self.view(output))[:size]

    async def download(self, output: Output, sink: Callable[[bytes], Awaitable[None]]) -> None:
        await sink(await self.view(output))


def _now() -> int:
    return int(time.time() * 1000)


def _png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "PNG")
    return file.getvalue()
