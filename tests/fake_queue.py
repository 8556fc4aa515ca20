"""The queue of the server in memory: it validates, queues and executes prompts with ComfyUI's frames in their order.

What it executes takes no time: a prompt runs until a test ends it, or succeeds at once.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Literal

from PIL import Image

from comfytui.comfy.errors import PromptRefused
from comfytui.comfy.protocol.events import (
    Event,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Output,
    Progress,
    Status,
)
from comfytui.comfy.protocol.models import HistoryEntry, Json, NodeError, QueueItem
from comfytui.comfy.protocol.parse import parse_accepted, parse_rejection
from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.execution.validate import validate_prompt


@dataclass(frozen=True)
class Run:
    """A prompt that runs: its graph, the order of its nodes, and which of them saves and which one takes long."""

    item: QueueItem
    graph: Mapping[str, Json]
    saving: tuple[str, ...]
    order: tuple[str, ...]
    sampler: str
    started: int


class FakeQueue:
    """Pending, running and ended prompts, and the frames of those who are connected.

    Args:
        nodes: The node types that prompts are validated against.
        instant: Whether each prompt succeeds as soon as it is queued; otherwise the first one runs until it is ended.
    """

    def __init__(self, nodes: Mapping[str, NodeType], *, instant: bool) -> None:
        self.nodes = nodes
        self.pending: list[tuple[QueueItem, tuple[str, ...]]] = []
        self.run: Run | None = None
        self.history: list[HistoryEntry] = []
        self.files: dict[str, bytes] = {}
        """The images that were saved, by name."""
        self.frames: dict[str, asyncio.Queue[Event | None]] = {}
        self._instant = instant
        self._number = 0
        self._cached: tuple[Json, tuple[Executed, ...]] = ({}, ())

    @property
    def running(self) -> list[QueueItem]:
        return [self.run.item] if self.run else []

    @property
    def remaining(self) -> int:
        return len(self.running) + len(self.pending)

    def validate(self, graph: Any) -> tuple[tuple[str, ...], tuple[NodeError, ...]]:
        """Return the nodes of a graph that save, and the errors of what is left out; or raise `PromptRefused`."""
        result = validate_prompt(graph, self.nodes, lambda _: False)
        if result.error is not None:
            message, errors = parse_rejection({"error": result.error, "node_errors": result.node_errors})
            raise PromptRefused(f"The server refused the prompt: {message}", errors)
        return result.outputs, parse_accepted({"node_errors": result.node_errors}, "").node_errors

    def put(self, item: QueueItem, saving: tuple[str, ...]) -> float:
        """Queue a valid prompt, and return its number."""
        item = replace(item, number=float(self._number))
        self._number += 1
        self.pending.append((item, saving))
        self._announce()
        self._start_next()
        return item.number

    def remove(self, prompt_ids: Set[str]) -> Set[str]:
        """Remove pending prompts, and return which ones there were."""
        removed = {item.prompt_id for item, _ in self.pending} & prompt_ids
        if removed:
            self.pending = [each for each in self.pending if each[0].prompt_id not in removed]
            self._announce()
        return removed

    def interrupt(self, prompt_id: str) -> bool:
        """Interrupt a prompt if it is the one that runs."""
        if not (run := self.run) or run.item.prompt_id != prompt_id:
            return False
        end = ExecutionInterrupted(prompt_id, run.sampler, run.graph[run.sampler]["class_type"], _now())
        self._send(end, run.item.client_id)
        self._end("interrupted", interrupted=end)
        return True

    def finish(self) -> None:
        """Let the running prompt succeed, and the next one start."""
        if not (run := self.run):
            return
        prompt_id, client_id = run.item.prompt_id, run.item.client_id
        graph, done = self._cached
        is_cached = graph == run.graph
        if is_cached:
            frames = tuple(replace(frame, prompt_id=prompt_id) for frame in done)
        else:
            frames = tuple(Executed(prompt_id, node, outputs=self._save(run.graph, node)) for node in run.saving)
            for node in run.order[run.order.index(run.sampler) + 1 :]:
                self._send(Executing(node, prompt_id=prompt_id), client_id)
        for frame in frames:
            self._send(frame, client_id)
        self._cached = (run.graph, frames)
        self._send(ExecutionSuccess(prompt_id, _now()), client_id)
        outputs = tuple(output for frame in frames for output in frame.outputs)
        self._end("success", outputs=outputs, cached=run.order if is_cached else ())

    def _end(self, outcome: Literal["success", "interrupted"], **how: Any) -> None:
        run, self.run = self.run, None
        assert run is not None
        item = replace(run.item, graph=run.graph)
        self.history.append(HistoryEntry(item, outcome, started=run.started, ended=_now(), **how))
        self._announce()
        self._send(Executing(None, prompt_id=item.prompt_id), item.client_id)
        self._start_next()

    def _start_next(self) -> None:
        while self.pending and not self.run:
            item, saving = self.pending.pop(0)
            assert isinstance(item.graph, bytes)
            graph = json.loads(item.graph)
            order = _execution_order(graph, saving)
            sampler = next((node for node in order if "latent_image" in graph[node]["inputs"]), order[-1])
            self.run = Run(item, graph, saving, order, sampler, _now())
            self._announce()
            self._begin(self.run)
            if self._instant or graph == self._cached[0]:
                self.finish()

    def _begin(self, run: Run) -> None:
        """Send the frames of a run up to the first step of its sampler."""
        prompt_id, client_id = run.item.prompt_id, run.item.client_id
        is_cached = run.graph == self._cached[0]
        self._send(ExecutionStart(prompt_id, run.started), client_id)
        self._send(ExecutionCached(prompt_id, run.order if is_cached else (), run.started), client_id)
        if not is_cached:
            for node in run.order[: run.order.index(run.sampler) + 1]:
                self._send(Executing(node, prompt_id=prompt_id), client_id)
            if steps := run.graph[run.sampler]["inputs"].get("steps"):
                self._send(Progress(1, steps, prompt_id, run.sampler), client_id)

    def _save(self, graph: Mapping[str, Json], node: str) -> tuple[Output, ...]:
        """Save the images of one node, each of another colour."""
        prefix = graph[node]["inputs"]["filename_prefix"]
        sizes = [each["inputs"].get("batch_size", 1) for each in graph.values()]
        outputs = []
        for _ in range(max(sizes)):
            count = 1 + sum(name.startswith(f"{prefix}_") for name in self.files)
            name = f"{prefix}_{count:05}_.png"
            self.files[name] = _png(count)
            outputs.append(Output(name, node=node))
        return tuple(outputs)

    def _announce(self) -> None:
        for client_id in self.frames:
            self._send(Status(self.remaining), client_id)

    def _send(self, frame: Event, client_id: str | None) -> None:
        if client_id in self.frames:
            self.frames[client_id].put_nowait(frame)


def _execution_order(graph: Mapping[str, Json], saving: Sequence[str]) -> tuple[str, ...]:
    """Return the nodes that are executed, each after those that it needs."""
    order: dict[str, None] = {}

    def visit(node: str) -> None:
        if node not in order:
            for value in graph[node]["inputs"].values():
                if isinstance(value, list):
                    visit(value[0])
            order[node] = None

    for node in saving:
        visit(node)
    return tuple(order)


def _now() -> int:
    return int(time.time() * 1000)


def _png(count: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 64), (count * 50 % 256, 128, 128)).save(file, "PNG")
    return file.getvalue()
