"""A graph read as nodes and links, whatever JSON it is: malformed nodes are left out, cycles and long chains end."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias, TypeGuard

Graph: TypeAlias = Mapping[str, Any]
"""ComfyUI's API format: node id → `{"class_type": …, "inputs": {name: value or [node id, output index]}}`."""

MAX_HOPS = 16
"""Links followed from an input to the node that holds its value."""

_HOLDERS = ("value", "text", "string", "prompt", "string_a", "int", "float", "number", "Number")
"""What nodes that do nothing but hold a value call it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of one node: where a value stands in a graph."""

    node_id: str
    input_name: str
    class_type: str


@dataclass(frozen=True, slots=True)
class Node:
    """A well-formed node."""

    id: str
    class_type: str
    inputs: Mapping[str, Any]
    links: Mapping[str, str]
    """The ids of the nodes that feed the linked inputs, by input name."""

    def passed_on(self) -> Iterable[str]:
        """Return the one input of a reroute: a node with a link and nothing else."""
        return self.links if len(self.inputs) == 1 else ()


Nodes: TypeAlias = Mapping[str, Node]
Fits: TypeAlias = Callable[[object], bool]


def nodes_of(graph: object) -> dict[str, Node]:
    """Return the well-formed nodes of any JSON value, by id and in its order."""
    if not isinstance(graph, Mapping):
        return {}
    return {
        node_id: Node(node_id, node["class_type"], node["inputs"], _links(node["inputs"]))
        for node_id, node in graph.items()
        if isinstance(node_id, str)
        and isinstance(node, Mapping)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), Mapping)
    }


def _links(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Pick the inputs that are links: `[node id, output index]`."""
    return {
        name: value[0]
        for name, value in inputs.items()
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and is_number(value[1])
    }


def is_text(value: object) -> TypeGuard[str]:
    """Tell a text, or the name of a choice."""
    return isinstance(value, str)


def is_whole(value: object) -> TypeGuard[int]:
    """Tell a whole number; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell a finite number."""
    return is_whole(value) or (isinstance(value, float) and isfinite(value))


def walk(nodes: Nodes, start: Node, follow: Callable[[Node], Iterable[str]]) -> Iterator[Node]:
    """Yield `start` and what lies upstream of it, each once, branch by branch; `follow` names the inputs to take."""
    stack, seen = [start], {start.id}
    while stack:
        node = stack.pop()
        yield node
        sources = [node.links[name] for name in follow(node)]
        fresh = [nodes[source] for source in dict.fromkeys(sources) if source in nodes and source not in seen]
        seen.update(source.id for source in fresh)
        stack.extend(reversed(fresh))


def along(*names: str) -> Callable[[Node], Iterable[str]]:
    """Return a way to walk: through the named inputs, and through reroutes."""
    return lambda node: [name for name in names if name in node.links] or node.passed_on()


def slot_of(nodes: Nodes, node: Node, names: Iterable[str], fits: Fits) -> Slot | None:
    """Return where the first of the named inputs has its value: on the node, or on a value node that feeds it."""
    for name in names:
        if name in node.inputs and (slot := _resolve(nodes, node, name, fits)):
            return slot
    return None


def upstream_first(nodes: Nodes) -> list[Node]:
    """Return all nodes so that each comes after those it is fed by, as far as cycles allow."""
    done: list[Node] = []
    seen: set[str] = set()
    for root in nodes.values():
        stack = [(root, False)]
        while stack:
            node, fed = stack.pop()
            if fed:
                done.append(node)
            elif node.id not in seen:
                seen.add(node.id)
                stack.append((node, True))
                stack += [(nodes[source], False) for source in reversed(list(node.links.values())) if source in nodes]
    return done


def _resolve(nodes: Nodes, node: Node, name: str, fits: Fits) -> Slot | None:
    for _ in range(MAX_HOPS):
        value = node.inputs[name]
        if fits(value):
            return Slot(node.id, name, node.class_type)
        source = nodes.get(node.links.get(name, ""))
        inward = _held(source, name, fits) if source and name in node.links else None
        if source is None or inward is None:
            return None
        node, name = source, inward
    return None


def _held(node: Node, name: str, fits: Fits) -> str | None:
    """Return the input from which a value node takes what it gives out."""
    for candidate in (name, *_HOLDERS):
        if candidate in node.links or fits(node.inputs.get(candidate)):
            return candidate
    return next(iter(node.passed_on()), None)
