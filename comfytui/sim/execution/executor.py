"""Runs the queue: one prompt at a time, node by node, with ComfyUI's frames in ComfyUI's order."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.execution.call import Call, Result
from comfytui.sim.execution.graph import ExecutionOrder, Signature, is_link, signatures
from comfytui.sim.execution.node_execution import run_node
from comfytui.sim.execution.progress import Progress
from comfytui.sim.execution.validate import Graph
from comfytui.sim.machine import Box, InterruptedRunError, NodeFailedError
from comfytui.sim.queue import Item, PromptQueue
from comfytui.sim.sockets import Sockets

SOURCE = "/opt/ComfyUI/execution.py"
FORMATTED_AS_THEY_ARE = (int, float, bool, str, type(None))
MINUTES_FROM = 600
"""Seconds; a longer run is logged as a clock time."""


@dataclass(slots=True)
class Executor:
    """The worker behind the queue, and its cache of the last prompt's results."""

    box: Box
    queue: PromptQueue
    sockets: Sockets
    nodes: Mapping[str, NodeType]
    cache: dict[Signature, Result] = field(default_factory=dict)
    free_models: bool = False
    free_cache: bool = False

    async def run(self) -> None:
        """Work off the queue, for ever."""
        while True:
            await self.queue.arrived.wait()
            await self.box.pace.wake()
            if self.queue.pending:
                await self._run_one(self.queue.take())
            else:
                self.queue.arrived.clear()
            self._free()

    def free(self, models: bool, cache: bool) -> None:
        """Ask for memory to be freed once nothing runs."""
        self.free_models |= models or cache
        self.free_cache |= cache
        self.queue.arrived.set()

    def _free(self) -> None:
        if self.free_models:
            self.box.memory.unload()
        if self.free_cache:
            self.cache.clear()
        self.free_models = self.free_cache = False

    async def _run_one(self, item: Item) -> None:
        began = time.monotonic()
        self.box.interrupted = False
        run = PromptRun(self.box, self.sockets, self.nodes, self.cache, item)
        await run.execute()
        await self.box.pace.settle()
        self.sockets.last_node = None
        status = {
            "status_str": "success" if run.success else "error",
            "completed": run.success,
            "messages": run.messages,
        }
        outputs = {node_id: ui["output"] for node_id, ui in run.shown.items()}
        meta = {node_id: ui["meta"] for node_id, ui in run.shown.items()}
        self.queue.done({"outputs": outputs, "meta": meta}, status)
        if self.sockets.client_id is not None:
            self.sockets.send("executing", {"node": None, "prompt_id": item[1]}, self.sockets.client_id)
        self.box.logs.done(f"Prompt executed in {_duration(time.monotonic() - began)}")


class PromptRun:
    """One prompt on its way through the executor."""

    def __init__(
        self,
        box: Box,
        sockets: Sockets,
        nodes: Mapping[str, NodeType],
        cache: dict[Signature, Result],
        item: Item,
    ) -> None:
        _, self.prompt_id, graph, self.extra_data, self.outputs, _ = item
        self.graph: Graph = graph
        self.box, self.sockets, self.nodes, self.cache = box, sockets, nodes, cache
        self.sockets.client_id = self.extra_data.get("client_id")
        self.progress = Progress(self.prompt_id, sockets, box.config.preview_size)
        self.signatures = signatures(graph, _fingerprints(graph, nodes, box))
        self.results: dict[str, Result] = {}
        self.shown: dict[str, dict[str, Any]] = {}
        self.executed: list[str] = []
        self.messages: list[list[Any]] = []
        self.success = True

    async def execute(self) -> None:
        """Run every node that is not cached; ends by success, error or interrupt."""
        self._tell("execution_start", {"prompt_id": self.prompt_id})
        wanted = set(self.signatures.values())
        for signature in [key for key in self.cache if key not in wanted]:
            del self.cache[signature]
        cached = [node_id for node_id in self.graph if self.signatures.get(node_id) in self.cache]
        self._tell("execution_cached", {"nodes": cached, "prompt_id": self.prompt_id})
        order = ExecutionOrder(self.graph, self.nodes, frozenset(cached))
        for output in self.outputs:
            order.add(output)
        while (node_id := order.next()) is not None:
            try:
                await self._run_node(node_id)
            except InterruptedRunError:
                self.box.logs.info("Processing interrupted")
                self._tell("execution_interrupted", self._where(node_id), to_all=True)
                self.success = False
                return
            except NodeFailedError as exc:
                self._fail(node_id, exc)
                return
            except Exception as exc:
                self._fail(node_id, NodeFailedError(type(exc).__qualname__, str(exc)))
                return
            order.finish(node_id)
        self._tell("execution_success", {"prompt_id": self.prompt_id})

    async def _run_node(self, node_id: str) -> None:
        signature = self.signatures[node_id]
        if (known := self.cache.get(signature)) is not None:
            self._show(node_id, known)
            self.progress.finish(node_id)
            return
        self.progress.start(node_id)
        if self.sockets.client_id is not None:
            self.sockets.last_node = node_id
            self._send("executing", {"node": node_id, "display_node": node_id, "prompt_id": self.prompt_id})
        self.box.check_interrupt()
        result = await run_node(self._call(node_id))
        self._show(node_id, result)
        self.cache[signature] = result
        self.progress.finish(node_id)
        self.executed.append(node_id)

    def _call(self, node_id: str) -> Call:
        node = self.graph[node_id]
        inputs = {
            name: self.cache[self.signatures[value[0]]].values[int(value[1])] if is_link(value) else value
            for name, value in node["inputs"].items()
        }
        return Call(node["class_type"], node_id, inputs, self.box, self.progress, self.graph, self.extra_data)

    def _show(self, node_id: str, result: Result) -> None:
        if not result.ui:
            return
        meta = {"node_id": node_id, "display_node": node_id, "parent_node": None, "real_node_id": node_id}
        self.shown[node_id] = {"output": result.ui, "meta": meta}
        if self.sockets.client_id is not None:
            data = {"node": node_id, "display_node": node_id, "output": result.ui, "prompt_id": self.prompt_id}
            self._send("executed", data)

    def _fail(self, node_id: str, exc: NodeFailedError) -> None:
        self.success = False
        self.box.logs.error(f"!!! Exception during processing !!! {exc}")
        self.box.logs.error(f"Traceback (most recent call last):\n{''.join(_traceback())}{exc.kind}: {exc}\n")
        if exc.tips:
            self.box.logs.error("Got an OOM, unloading all loaded models.")
            self.box.memory.unload()
        message = {
            **self._where(node_id),
            "exception_message": f"{exc}\n{exc.tips}",
            "exception_type": exc.kind,
            "traceback": _traceback(),
            "current_inputs": {
                name: [value if isinstance(value, FORMATTED_AS_THEY_ARE) else str(value)]
                for name, value in self._call(node_id).inputs.items()
            },
            "current_outputs": list(self.graph),
        }
        self._tell("execution_error", message)

    def _where(self, node_id: str) -> dict[str, Any]:
        kind = self.graph[node_id]["class_type"]
        return {"prompt_id": self.prompt_id, "node_id": node_id, "node_type": kind, "executed": list(self.executed)}

    def _tell(self, event: str, data: dict[str, Any], *, to_all: bool = False) -> None:
        """Send an event that also goes into the history."""
        data = {**data, "timestamp": int(time.time() * 1000)}
        self.messages.append([event, data])
        if self.sockets.client_id is not None or to_all:
            self._send(event, data)

    def _send(self, event: str, data: dict[str, Any]) -> None:
        self.sockets.send(event, data, self.sockets.client_id)


def _fingerprints(graph: Graph, nodes: Mapping[str, NodeType], box: Box) -> dict[str, str]:
    """Return the fingerprint of the file that a node reads, by node."""
    prints = {}
    for node_id, node in graph.items():
        name = nodes[node["class_type"]].file_input
        if name is not None and (content := box.files.find_annotated(str(node["inputs"].get(name)))) is not None:
            prints[node_id] = str(hash(content))
    return prints


def _traceback() -> list[str]:
    call = "output_data, output_ui, has_subgraph, has_pending_tasks = await get_output_data("
    return [
        f'  File "{SOURCE}", line 545, in execute\n    {call}\n',
        f'  File "{SOURCE}", line 306, in process_inputs\n    result = f(**inputs)\n',
    ]


def _duration(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) if seconds > MINUTES_FROM else f"{seconds:.2f} seconds"
