"""What follows from a graph alone: signatures for the cache, and the order of execution."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.execution.validate import Graph

Signature = str


def is_link(value: Any) -> bool:
    """Return whether an input's value is the output of another node: `[node_id, slot]`."""
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float)
    )


def signatures(graph: Graph, changed: Mapping[str, str]) -> dict[str, Signature]:
    """Return the cache key of each node that can run: its type and inputs, and those of everything before it.

    `changed` has a fingerprint for nodes whose result depends on more than their inputs.
    """
    known: dict[str, Signature | None] = {}

    def sign(node_id: str) -> Signature | None:
        if node_id in known or node_id not in graph:
            return known.get(node_id)
        known[node_id] = None  # what a cycle comes back to
        node = graph[node_id]
        inputs: dict[str, Any] = {}
        for name, value in sorted(node.get("inputs", {}).items()):
            if not is_link(value):
                inputs[name] = value
            elif (source := sign(value[0])) is not None:
                inputs[name] = [source, value[1]]
            else:
                return None
        text = json.dumps([node["class_type"], changed.get(node_id), inputs], sort_keys=True)
        known[node_id] = hashlib.sha256(text.encode()).hexdigest()
        return known[node_id]

    return {node_id: key for node_id in graph if (key := sign(node_id)) is not None}


@dataclass(slots=True)
class ExecutionOrder:
    """The nodes still to run; `next` prefers what brings an output soonest, as ComfyUI does."""

    graph: Graph
    nodes: Mapping[str, NodeType]
    cached: frozenset[str]
    waits_for: dict[str, set[str]] = field(default_factory=dict)
    """By node, in the order in which they were found: the nodes that must run before it."""

    def add(self, output: str) -> None:
        """Add an output and everything it needs that is not cached."""
        stack = [output]
        while stack:
            node_id = stack.pop()
            if node_id in self.waits_for:
                continue
            needs = [value[0] for value in self.graph[node_id]["inputs"].values() if is_link(value)]
            needs = [source for source in needs if source not in self.cached]
            self.waits_for[node_id] = set(needs)
            stack += needs

    def next(self) -> str | None:
        """Return the node to run now, None when all have run."""
        ready = [node_id for node_id, needs in self.waits_for.items() if not needs]
        if not ready:
            return None
        outputs = {node_id for node_id in self.waits_for if self._is_output(node_id)}
        before = {source for output in outputs for source in self.waits_for[output]}
        before_that = {source for node_id in before for source in self.waits_for.get(node_id, ())}
        for group in (outputs, before, before_that):
            for node_id in ready:
                if node_id in group:
                    return node_id
        return ready[0]

    def finish(self, node_id: str) -> None:
        """Take a node that has run off the list."""
        del self.waits_for[node_id]
        for needs in self.waits_for.values():
            needs.discard(node_id)

    def _is_output(self, node_id: str) -> bool:
        return self.nodes[self.graph[node_id]["class_type"]].is_output
