"""A graph to be made once more: without what a server added to it, and with other seeds if that is wanted."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from comfytui.workflow.fields import Slot, find_fields, seed_keys
from comfytui.workflow.nodes import Graph, is_whole, nodes_of

MAX_NEW_SEED: Final = 2**32 - 1
"""The largest seed that is drawn: many nodes take no more, and which ones is not known here."""
_SENT: Final = ("class_type", "inputs", "_meta")
"""What a node is sent with; a server adds what it computed, such as `is_changed`."""


def sendable(graph: object) -> Graph | None:
    """Return a graph that a server gave as a client sends it, or None where it is not one, or JSON cannot carry it."""
    nodes = nodes_of(graph)
    if not isinstance(graph, dict) or not nodes or len(nodes) != len(graph):
        return None
    sent = {node_id: {key: graph[node_id][key] for key in _SENT if key in graph[node_id]} for node_id in nodes}
    try:
        # NaN, infinity and half surrogates can be read, but not be sent.
        json.dumps(sent, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return sent


def reseeded(graph: Graph, rng: Random) -> Graph | None:
    """Return the graph with new seeds, or None where it has no seed; seeds that are equal stay equal.

    The graph itself stays as it is; nodes that do not change are shared with it.
    """
    changed: dict[str, Any] = dict(graph)
    new: dict[int, int] = {}
    for slot in dict.fromkeys(_seeds(graph)):
        node = changed[slot.node_id]
        old = node["inputs"][slot.input_name]
        if old not in new:
            new[old] = rng.randint(0, MAX_NEW_SEED)
        changed[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: new[old]}}
    return changed if new else None


def _seeds(graph: Graph) -> Iterator[Slot]:
    """Every place of a seed: those that samplers draw on, and all that are called so."""
    fields = find_fields(graph)
    for key in seed_keys(fields):
        yield from fields[key]
    for node in nodes_of(graph).values():
        for name, value in node.inputs.items():
            if name.endswith("seed") and is_whole(value):
                yield Slot(node.id, name, node.class_type)
