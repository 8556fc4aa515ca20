"""Properties of a graph: the nodes' signatures for the cache, and the order of execution."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.execution.validate import Graph

Signature = str


def is_link(value: Any) -> bool:
    """Return whether an input's value is a link to another node's output: `[node_id, slot]`."""
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float)
    )


def signatures(graph: Graph, file_hashes: Mapping[str, str]) -> dict[str, Signature]:
    """Return the cache key of each node that can run, from the types and inputs of it and all its ancestors.

    Args:
        graph: The nodes by id; they may contain cycles and missing nodes.
        file_hashes: Hash of the input file of each node that reads one.
    """
    known: dict[str, Signature | None] = {}

    def sign(node_id: str) -> Signature | None:
        if node_id in known or node_id not in graph:
            return known.get(node_id)
        known[node_id] = None  # found again if there is a cycle
        node = graph[node_id]
        inputs: dict[str, Any] = {}
        for name, value in sorted(node.get("inputs", {}).items()):
            if not is_link(value):
                inputs[name] = value
            elif (source := sign(value[0])) is not None:
                inputs[name] = [source, value[1]]
            else:
                return None
        text = json.dumps([node["class_type"], file_hashes.get(node_id), inputs], sort_keys=True)
        known[node_id] = hashlib.sha256(text.encode()).hexdigest()
        return known[node_id]

    return {node_id: key for node_id in graph if (key := sign(node_id)) is not None}


@dataclass(slots=True)
class ExecutionOrder:
    """The nodes still to run; like ComfyUI, `next` prefers nodes that are closest to an output."""

    graph: Graph
    nodes: Mapping[str, NodeType]
    cached: frozenset[str]
    dependencies: dict[str, set[str]] = field(default_factory=dict)
    """For each node, in the order of discovery: the nodes that must run before it."""

    def add(self, output: str) -> None:
        """Add an output node and all its ancestors that are not cached."""
        stack = [output]
        while stack:
            node_id = stack.pop()
            if node_id in self.dependencies:
                continue
            needs = [value[0] for value in self.graph[node_id]["inputs"].values() if is_link(value)]
            needs = [source for source in needs if source not in self.cached]
            self.dependencies[node_id] = set(needs)
            stack += needs

    def next(self) -> str | None:
        """Return the next node to run, or None if all have run."""
        ready = [node_id for node_id, needs in self.dependencies.items() if not needs]
        if not ready:
            return None
        outputs = {node_id for node_id in self.dependencies if self._is_output(node_id)}
        parents = {source for output in outputs for source in self.dependencies[output]}
        grandparents = {source for node_id in parents for source in self.dependencies.get(node_id, ())}
        for group in (outputs, parents, grandparents):
            for node_id in ready:
                if node_id in group:
                    return node_id
        return ready[0]

    def finish(self, node_id: str) -> None:
        """Remove a node that has run."""
        del self.dependencies[node_id]
        for needs in self.dependencies.values():
            needs.discard(node_id)

    def _is_output(self, node_id: str) -> bool:
        return self.nodes[self.graph[node_id]["class_type"]].is_output
