"""Read a graph as nodes and links, and follow the links upstream.

Works for any JSON value: malformed nodes are left out, and cycles and long chains of links end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias, TypeGuard

from comfytui.sanitize import sanitize

NODE_KEYS = ("class_type", "inputs", "_meta")
"""The keys of a node as a client sends it; servers and saved images add computed ones, such as `is_changed`."""

NODE_SWITCH = ""
"""The input name of a slot that stands for the whole node: its value is true, and false bypasses the node."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of one node: where a value stands in a graph."""

    node_id: str
    input_name: str
    class_type: str
    member: str = ""
    """The key of the value in the input, if the input is an object of several values."""


@dataclass(frozen=True, slots=True)
class Node:
    """A well-formed node."""

    id: str
    class_type: str
    inputs: Mapping[str, Any]
    links: Mapping[str, str]
    """The ids of the nodes that feed the linked inputs, by input name."""
    branch_inputs: tuple[str, ...] = ()
    """The inputs that a dynamic combo adds, such as `model.prompt`."""

    @property
    def operands(self) -> tuple[str, ...]:
        """The values of an expression; empty if the node computes none."""
        if not isinstance(self.inputs.get("expression"), str):
            return ()
        return tuple([name for name in self.branch_inputs if name.startswith("values.")])

    def reroute_input(self) -> Iterable[str]:
        """Return the only input of a reroute, which is a node with a link and nothing else; of others nothing."""
        return self.links if len(self.inputs) == 1 else ()


Nodes: TypeAlias = Mapping[str, Node]
"""The well-formed nodes of a graph by id."""


def nodes_of(graph: object) -> dict[str, Node]:
    """Return the well-formed nodes of any JSON value, by id and in its order."""
    if not isinstance(graph, Mapping):
        return {}
    return {
        node_id: Node(
            node_id,
            node["class_type"],
            inputs := node["inputs"],
            _links(inputs),
            tuple([name for name in inputs if "." in name]),
        )
        for node_id, node in graph.items()
        if isinstance(node_id, str)
        and isinstance(node, Mapping)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), Mapping)
    }


def _links(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs that are links (`[node id, output index]`), each with the id of the node that feeds it."""
    return {
        name: value[0]
        for name, value in inputs.items()
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and is_number(value[1])
    }


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a string: a text, or the name of a choice."""
    return isinstance(value, str)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number; true and false are not."""
    return is_integer(value) or (isinstance(value, float) and isfinite(value))


def is_flag(value: object) -> TypeGuard[bool]:
    """Whether a value is true or false."""
    return isinstance(value, bool)


def given_title(node: object, limit: int) -> str:
    """Return the title that a user gave a node, safe to print and cut off behind `limit` characters; empty for none."""
    match node:
        case {"_meta": {"title": str() as title}}:
            return sanitize(title, limit)
    return ""


def walk_upstream(nodes: Nodes, start: Node, follow: Callable[[Node], Iterable[str]]) -> Iterator[Node]:
    """Yield `start` and the nodes upstream of it, each once, depth first.

    Args:
        nodes: All nodes of the graph.
        start: The first node.
        follow: Returns the inputs of a node whose links to follow, in order.
    """
    stack, seen = [start], {start.id}
    while stack:
        node = stack.pop()
        yield node
        sources = [node.links[name] for name in follow(node)]
        unseen = [nodes[source] for source in dict.fromkeys(sources) if source in nodes and source not in seen]
        seen.update(source.id for source in unseen)
        stack.extend(reversed(unseen))


def follow_inputs(*names: str) -> Callable[[Node], Iterable[str]]:
    """Return a `follow` for `walk_upstream` that takes the named inputs, and passes through reroutes."""
    return lambda node: [name for name in names if name in node.links] or node.reroute_input()


def value_at(graph: Mapping[str, Any], slot: Slot) -> Any:
    """Return the value that a slot of this graph holds."""
    if slot.input_name == NODE_SWITCH:
        return True
    value = graph[slot.node_id]["inputs"][slot.input_name]
    return value[slot.member] if slot.member else value


def topological_order(nodes: Nodes) -> list[Node]:
    """Return all nodes, each after the nodes that feed it, as far as cycles allow."""
    ordered: list[Node] = []
    seen: set[str] = set()
    for root in nodes.values():
        stack = [(root, False)]
        while stack:
            node, sources_done = stack.pop()
            if sources_done:
                ordered.append(node)
            elif node.id not in seen:
                seen.add(node.id)
                stack.append((node, True))
                stack += [(nodes[source], False) for source in reversed(list(node.links.values())) if source in nodes]
    return ordered
