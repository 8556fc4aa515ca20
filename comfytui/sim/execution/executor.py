"""Execution of queued prompts, node by node, with ComfyUI's frames in ComfyUI's order."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.execution.call import NodeCall, NodeResult
from comfytui.sim.execution.graph import ExecutionOrder, Signature, is_link, signatures
from comfytui.sim.execution.node_execution import run_node
from comfytui.sim.execution.progress import NodeProgress
from comfytui.sim.execution.validate import Graph
from comfytui.sim.machine import InterruptedRunError, Machine, NodeFailedError
from comfytui.sim.queue import PromptQueue, QueueItem
from comfytui.sim.sockets import Recipient, Sockets

SOURCE = "/opt/ComfyUI/execution.py"
JSON_SCALARS = (int, float, bool, str, type(None))
CLOCK_FORMAT_SECONDS = 600
"""A longer run is logged in hours, minutes and seconds."""


@dataclass(slots=True)
class Executor:
    """What the workers share that run queued prompts."""

    machine: Machine
    queue: PromptQueue
    sockets: Sockets
    nodes: Mapping[str, NodeType]
    caches: list[dict[Signature, NodeResult]] = field(default_factory=list)
    """Each worker's cache of its last prompt's node results."""
    unload_requested: bool = False
    clear_cache_requested: bool = False

    async def run(self) -> None:
        """Run queued prompts one after another, forever, as one of the workers."""
        cache: dict[Signature, NodeResult] = {}
        self.caches.append(cache)
        while True:
            await self.queue.arrived.wait()
            await self.machine.clock.wake()
            if self.queue.pending:
                await self._run_one(self.queue.take(), cache)
            else:
                self.queue.arrived.clear()
            self._free_memory()

    def free(self, models: bool, cache: bool) -> None:
        """Request that memory is freed once nothing runs.

        Args:
            models: Unload all models.
            cache: Drop the cached node results, and unload all models.
        """
        self.unload_requested |= models or cache
        self.clear_cache_requested |= cache
        self.queue.arrived.set()

    def _free_memory(self) -> None:
        if self.queue.running:
            return
        if self.unload_requested:
            self.machine.memory.unload()
        if self.clear_cache_requested:
            for cache in self.caches:
                cache.clear()
        self.unload_requested = self.clear_cache_requested = False

    async def _run_one(self, item: QueueItem, cache: dict[Signature, NodeResult]) -> None:
        began = time.monotonic()
        run = PromptRun(self.machine, self.sockets, self.nodes, cache, item)
        self.sockets.recipients.append(run.recipient)
        await run.execute()
        await self.machine.clock.store_results()
        self.sockets.recipients.remove(run.recipient)
        self.machine.interrupted.discard(item[1])
        status = {
            "status_str": "success" if run.success else "error",
            "completed": run.success,
            "messages": run.messages,
        }
        outputs = {node_id: ui["output"] for node_id, ui in run.ui_outputs.items()}
        meta = {node_id: ui["meta"] for node_id, ui in run.ui_outputs.items()}
        self.queue.done(item, {"outputs": outputs, "meta": meta}, status)
        if run.recipient.client_id is not None:
            self.sockets.send("executing", {"node": None, "prompt_id": item[1]}, run.recipient.client_id)
        self.machine.logs.success(f"Prompt executed in {_duration(time.monotonic() - began)}")


class PromptRun:
    """The execution of one prompt."""

    def __init__(
        self,
        machine: Machine,
        sockets: Sockets,
        nodes: Mapping[str, NodeType],
        cache: dict[Signature, NodeResult],
        item: QueueItem,
    ) -> None:
        _, self.prompt_id, graph, self.extra_data, self.outputs, _ = item
        self.graph: Graph = graph
        self.machine, self.sockets, self.nodes, self.cache = machine, sockets, nodes, cache
        self.recipient = Recipient(self.extra_data.get("client_id"))
        self.progress = NodeProgress(self.prompt_id, sockets, self.recipient, machine.config.preview_size)
        self.signatures = signatures(graph, _file_hashes(graph, nodes, machine))
        self.ui_outputs: dict[str, dict[str, Any]] = {}
        self.executed: list[str] = []
        self.messages: list[list[Any]] = []
        self.success = True

    async def execute(self) -> None:
        """Run every node that is not cached, until success, an error or an interrupt."""
        self._record("execution_start", {"prompt_id": self.prompt_id})
        wanted = set(self.signatures.values())
        for signature in [key for key in self.cache if key not in wanted]:
            del self.cache[signature]
        cached = [node_id for node_id in self.graph if self.signatures.get(node_id) in self.cache]
        self._record("execution_cached", {"nodes": cached, "prompt_id": self.prompt_id})
        order = ExecutionOrder(self.graph, self.nodes, frozenset(cached))
        for output in self.outputs:
            order.add(output)
        while (node_id := order.next()) is not None:
            try:
                await self._run_node(node_id)
            except InterruptedRunError:
                self.machine.logs.info("Processing interrupted")
                self._record("execution_interrupted", self._node_context(node_id), to_all=True)
                self.success = False
                return
            except NodeFailedError as exc:
                self._fail(node_id, exc)
                return
            except Exception as exc:
                self._fail(node_id, NodeFailedError(type(exc).__qualname__, str(exc)))
                return
            order.finish(node_id)
        self._record("execution_success", {"prompt_id": self.prompt_id})

    async def _run_node(self, node_id: str) -> None:
        signature = self.signatures[node_id]
        if (cached_result := self.cache.get(signature)) is not None:
            self._publish_ui(node_id, cached_result)
            self.progress.finish(node_id)
            return
        self.progress.start(node_id)
        if self.recipient.client_id is not None:
            self.recipient.node = node_id
            self._send("executing", {"node": node_id, "display_node": node_id, "prompt_id": self.prompt_id})
        self.machine.check_interrupt(self.prompt_id)
        result = await run_node(self._call(node_id))
        self._publish_ui(node_id, result)
        self.cache[signature] = result
        self.progress.finish(node_id)
        self.executed.append(node_id)

    def _call(self, node_id: str) -> NodeCall:
        node = self.graph[node_id]
        inputs = {
            name: self.cache[self.signatures[value[0]]].values[int(value[1])] if is_link(value) else value
            for name, value in node["inputs"].items()
        }
        return NodeCall(node["class_type"], node_id, inputs, self.machine, self.progress, self.graph, self.extra_data)

    def _publish_ui(self, node_id: str, result: NodeResult) -> None:
        if not result.ui:
            return
        meta = {"node_id": node_id, "display_node": node_id, "parent_node": None, "real_node_id": node_id}
        self.ui_outputs[node_id] = {"output": result.ui, "meta": meta}
        if self.recipient.client_id is not None:
            data = {"node": node_id, "display_node": node_id, "output": result.ui, "prompt_id": self.prompt_id}
            self._send("executed", data)

    def _fail(self, node_id: str, exc: NodeFailedError) -> None:
        self.success = False
        self.machine.logs.error(f"!!! Exception during processing !!! {exc}")
        self.machine.logs.error(f"Traceback (most recent call last):\n{''.join(_traceback())}{exc.kind}: {exc}\n")
        if exc.tips:
            self.machine.logs.error("Got an OOM, unloading all loaded models.")
            self.machine.memory.unload()
        message = {
            **self._node_context(node_id),
            "exception_message": f"{exc}\n{exc.tips}",
            "exception_type": exc.kind,
            "traceback": _traceback(),
            "current_inputs": {
                name: [value if isinstance(value, JSON_SCALARS) else str(value)]
                for name, value in self._call(node_id).inputs.items()
            },
            "current_outputs": list(self.graph),
        }
        self._record("execution_error", message)

    def _node_context(self, node_id: str) -> dict[str, Any]:
        kind = self.graph[node_id]["class_type"]
        return {"prompt_id": self.prompt_id, "node_id": node_id, "node_type": kind, "executed": list(self.executed)}

    def _record(self, event: str, data: dict[str, Any], *, to_all: bool = False) -> None:
        """Send an event and add it to the messages in the history; `to_all` sends it even without a client."""
        data = {**data, "timestamp": int(time.time() * 1000)}
        self.messages.append([event, data])
        if self.recipient.client_id is not None or to_all:
            self._send(event, data)

    def _send(self, event: str, data: dict[str, Any]) -> None:
        self.sockets.send(event, data, self.recipient.client_id)


def _file_hashes(graph: Graph, nodes: Mapping[str, NodeType], machine: Machine) -> dict[str, str]:
    """Return a hash of the input file's content for each node that reads a file."""
    hashes = {}
    for node_id, node in graph.items():
        name = nodes[node["class_type"]].file_input
        if name is not None and (content := machine.files.find_annotated(str(node["inputs"].get(name)))) is not None:
            hashes[node_id] = str(hash(content))
    return hashes


def _traceback() -> list[str]:
    call = "output_data, output_ui, has_subgraph, has_pending_tasks = await get_output_data("
    return [
        f'  File "{SOURCE}", line 545, in execute\n    {call}\n',
        f'  File "{SOURCE}", line 306, in process_inputs\n    result = f(**inputs)\n',
    ]


def _duration(seconds: float) -> str:
    return (
        time.strftime("%H:%M:%S", time.gmtime(seconds)) if seconds > CLOCK_FORMAT_SECONDS else f"{seconds:.2f} seconds"
    )
