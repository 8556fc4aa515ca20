"""A server in memory, for tests of what the screen does with keys, forms and lists: no sockets, no simulator.

It is a `BackendFactory`: pass it as `new_backend` to `ServiceThread` or as an option of the screen. It validates
prompts as ComfyUI does, and sends its frames in their order (`fake_queue.py`). What a test of the connection, of old
servers or of broken answers needs is not here: such tests drive the simulator.
"""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Set
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import uuid4

from comfytui.comfy.errors import ServerError, Unreachable
from comfytui.comfy.limits import VIEW_LIMIT
from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.events import Event, Output, Status
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
from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.config import SimConfig
from tests.fake_library import FakeLibrary
from tests.fake_queue import FakeQueue

T = TypeVar("T")

ABLE = Capabilities("0.33.0", targeted_interrupt=True, atomic_cancel=True, previews_by_prompt=True)
DOWN = Unreachable("Nothing listens at this address.", "refused")


class FakeBackend(FakeLibrary):
    """One server, whose prompts succeed at once, or run until a test ends them.

    Args:
        instant: Whether each prompt succeeds as soon as it is queued; otherwise the first one runs until `finish`.
        capabilities: What the server can do.
        config: The models that it has; the rest is for the simulator only.
    """

    def __init__(
        self, *, instant: bool = True, capabilities: Capabilities = ABLE, config: SimConfig | None = None
    ) -> None:
        self.submitted: list[dict[str, Any]] = []
        """The body of each prompt that was accepted, as `/prompt` gets it."""
        self.is_up = True
        self._capabilities = capabilities
        config = config or SimConfig()
        super().__init__(catalogue(config), config)
        self._queue = FakeQueue(self.described, instant=instant)
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def __call__(self, _: Server) -> AsyncIterator[Backend]:
        """Open the connection of a service, which runs in the loop of this call."""
        self._loop = asyncio.get_running_loop()
        yield self
        self._loop = None

    # What a test does with it, from any thread.

    @property
    def nodes(self) -> Mapping[str, NodeType]:
        """The node types that prompts are validated against."""
        return self._queue.nodes

    @nodes.setter
    def nodes(self, nodes: Mapping[str, NodeType]) -> None:
        self._queue.nodes = nodes

    def go_down(self) -> None:
        """Close all connections, and answer no more."""
        self.is_up = False
        self._in_loop(self._close_events)

    def finish(self) -> None:
        """Let the running prompt succeed, and the next one start."""
        self._in_loop(self._queue.finish)

    def add_job(self, graph: Mapping[str, Json], client_id: str = "somebody") -> str:
        """Queue a prompt of another client, and return its id."""
        prompt_id = str(uuid4())
        graph = copy.deepcopy(graph)
        saving, _ = self._queue.validate(graph)
        item = QueueItem(prompt_id, 0.0, json.dumps(graph).encode(), client_id)
        self._in_loop(lambda: self._queue.put(item, saving))
        return prompt_id

    def _close_events(self) -> None:
        for frames in self._queue.frames.values():
            frames.put_nowait(None)

    def _in_loop(self, work: Callable[[], object]) -> None:
        if self._loop is None:
            work()
        else:
            self._loop.call_soon_threadsafe(work)

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
        extra: dict[str, Json] = {"comfytui": dict(tag)}
        if preview_method is not None:
            extra["preview_method"] = preview_method
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id, "extra_data": extra}
        body = json.loads(json.dumps(body))
        saving, left_out = self._queue.validate(body["prompt"])
        self.submitted.append(body)
        queued = json.dumps(body["prompt"]).encode()
        number = self._queue.put(QueueItem(prompt_id, 0.0, queued, client_id, tag=tag), saving)
        return AcceptedPrompt(prompt_id, number, left_out)

    async def cancel(self, prompt_id: str, capabilities: Capabilities, *, force: bool = False) -> bool | Obstacle:
        return bool(await self.remove({prompt_id})) or self._queue.interrupt(prompt_id)

    async def remove(self, prompt_ids: Set[str]) -> Set[str]:
        self._check()
        return self._queue.remove(prompt_ids)

    async def interrupt(
        self, prompt_ids: Set[str], capabilities: Capabilities, *, force: bool = False
    ) -> tuple[int, Obstacle | None]:
        self._check()
        return sum(self._queue.interrupt(prompt_id) for prompt_id in prompt_ids), None

    async def events(
        self, client_id: str, report_lag: Callable[[float], None]
    ) -> AsyncGenerator[Event | ConnectionEvent, None]:
        if self.is_up:
            frames: asyncio.Queue[Event | None] = asyncio.Queue()
            self._queue.frames[client_id] = frames
            try:
                yield Opened()
                yield Status(self._queue.remaining, client_id)
                while (frame := await frames.get()) is not None:
                    yield frame
            finally:
                self._queue.frames.pop(client_id)
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
        return self._queue.remaining

    async def queue(self, keep: Callable[[QueueItem], T]) -> Queue[T]:
        self._check()
        pending = (item for item, _ in self._queue.pending)
        return Queue(tuple(map(keep, self._queue.running)), tuple(map(keep, pending)))

    async def history(self, max_items: int, keep: Callable[[HistoryEntry], T | None]) -> tuple[T, ...]:
        self._check()
        return tuple(kept for entry in self._queue.history[-max_items:] if (kept := keep(entry)) is not None)

    async def history_entry(self, prompt_id: str) -> HistoryEntry | None:
        self._check()
        return next((entry for entry in self._queue.history if entry.item.prompt_id == prompt_id), None)

    async def jobs(self, limit: int = 200, status: str | None = None) -> tuple[JobInfo, ...] | None:
        self._check()
        return None

    async def job_graph(self, prompt_id: str) -> Json:
        self._check()
        return None

    async def log_timestamps(self) -> tuple[str, ...]:
        self._check()
        return ("2026-01-01T00:00:00",)

    async def output_names(self) -> tuple[str, ...]:
        self._check()
        return tuple(reversed(self._queue.files))

    async def view(self, output: Output, preview: str | None = None, limit: int = VIEW_LIMIT) -> bytes:
        self._check()
        if output.filename not in self._queue.files:
            raise ServerError(f"The server no longer has {output.filename} (404): make it again.", 404)
        return self._queue.files[output.filename]

    async def view_head(self, output: Output, size: int) -> bytes:
        return (await self.view(output))[:size]

    async def download(self, output: Output, sink: Callable[[bytes], Awaitable[None]]) -> None:
        await sink(await self.view(output))
