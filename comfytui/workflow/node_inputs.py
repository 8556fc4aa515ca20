"""Every value of every node that a form can set, grouped by node, and what setting one changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.declared_inputs import Declared, declared_inputs, inputs_behind
from comfytui.workflow.field_keys import FieldKey, FieldValue, node_key
from comfytui.workflow.input_kinds import InputSpec, default_of
from comfytui.workflow.nodes import Node, Slot, given_title, is_number, nodes_of
from comfytui.workflow.spec_reading import read_spec

MAX_TITLE: Final = 80
"""Characters of a node's title."""

_SEED_INPUTS: Final = frozenset({"seed", "noise_seed"})
NO_DEFINITIONS: Final[Mapping[str, Any]] = MappingProxyType({})
"""The definitions of a server that is not known."""


@dataclass(frozen=True, slots=True)
class NodeInput:
    """One input of one node, with its value in the graph."""

    key: FieldKey
    slot: Slot
    spec: InputSpec
    value: FieldValue
    """The value in the graph; where the graph has none, what the editor gives to a new node."""
    node_title: str = ""
    """The title of its node, safe to print, where it stands apart from the node's other inputs."""

    @property
    def label(self) -> str:
        """The name on the screen, safe to print."""
        own = self.slot.input_name if not self.slot.member else f"{self.slot.input_name}.{self.slot.member}"
        return self.spec.label or sanitize(own, MAX_TITLE)

    @property
    def tooltip(self) -> str:
        """Help in one line, safe to print; empty if there is none."""
        return self.spec.tooltip


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """The inputs of one node, or those that were promoted to the workflow's own."""

    node_id: str
    """Empty for the group of promoted inputs."""
    title: str
    """The title of the node, safe to print."""
    class_type: str
    inputs: tuple[NodeInput, ...]
    is_known: bool = True
    """Whether the server has the class of the node."""


def node_inputs(
    graph: object, object_info: Mapping[str, Any] = NO_DEFINITIONS, promoted: Sequence[Slot] = ()
) -> tuple[NodeGroup, ...]:
    """Return the inputs of all nodes by node, in the order of the graph; nodes without any are left out.

    Inputs that are linked are left out, and so are values that are lists or objects. No input is in two groups.

    Args:
        graph: Any JSON value.
        object_info: The server's response to `/object_info`; where it lacks a class, kinds are guessed from values.
        promoted: Inputs that come first, in a group of their own.
    """
    nodes = nodes_of(graph)
    groups = [group_of(graph, node, object_info) for node in nodes.values()]
    by_slot = {each.slot: replace(each, node_title=group.title) for group in groups for each in group.inputs}
    first = tuple(by_slot[slot] for slot in dict.fromkeys(promoted) if slot in by_slot)
    if first:
        taken = {each.slot for each in first}
        rest = (replace(group, inputs=_without(group.inputs, taken)) for group in groups)
        groups = [NodeGroup("", "Workflow inputs", "", first), *rest]
    return tuple(group for group in groups if group.inputs)


def group_of(graph: object, node: Node, object_info: Mapping[str, Any] = NO_DEFINITIONS) -> NodeGroup:
    """Return the inputs of one node, those that its class declares first, in the editor's order.

    Args:
        graph: The graph of the node.
        node: The node, see `nodes.nodes_of`.
        object_info: The server's response to `/object_info`.
    """
    declared = declared_inputs(object_info, node.class_type, node.inputs)
    is_known = node.class_type in object_info
    inputs: dict[FieldKey, NodeInput] = {}
    for each in (*_declared(node, declared), *_undeclared(node, declared)):
        inputs.setdefault(each.key, each)
    title = title_of(graph, node, object_info)
    return NodeGroup(node.id, title, node.class_type, tuple(inputs.values()), is_known)


def title_of(graph: object, node: Node, object_info: Mapping[str, Any] = NO_DEFINITIONS) -> str:
    """Return the title of a node, safe to print: its own, else its class's name on the screen, else its class."""
    if isinstance(graph, Mapping) and (title := given_title(graph.get(node.id), MAX_TITLE)):
        return title
    match object_info:
        case {node.class_type: {"display_name": str() as title}} if sanitize(title):
            return sanitize(title, MAX_TITLE)
    return sanitize(node.class_type, MAX_TITLE) or f"Node {sanitize(node.id, MAX_TITLE)}"


def set_value(
    graph: Mapping[str, Any], object_info: Mapping[str, Any], slot: Slot, value: FieldValue
) -> Mapping[str, Any]:
    """Return a copy of a graph with one value set; a dynamic combo that changes gets the defaults of its new branch.

    Links of branch inputs stay; the server ignores those that the new branch does not have.

    Args:
        graph: The graph. It is not modified; the copy shares its unchanged nodes.
        object_info: The server's response to `/object_info`.
        slot: The input. A node or value that is not there, or a linked input, leaves the graph as it is.
        value: The value.
    """
    node = nodes_of({slot.node_id: graph.get(slot.node_id)}).get(slot.node_id)
    if node is None or slot.input_name in node.links:
        return graph
    if slot.member:
        container = node.inputs.get(slot.input_name)
        if not isinstance(container, Mapping):
            return graph
        inputs = {**node.inputs, slot.input_name: {**container, slot.member: value}}
    else:
        inputs = _with_branch(node, object_info, slot.input_name, value)
    return {**graph, node.id: {**graph[node.id], "inputs": inputs}}


def _with_branch(node: Node, object_info: Mapping[str, Any], name: str, value: FieldValue) -> dict[str, Any]:
    """Return the inputs of a node with one value set, and the inputs of the branch that it chooses."""
    changed = {**node.inputs, name: value}
    if node.inputs.get(name) == value:
        return changed
    spec = read_spec(declared_inputs(object_info, node.class_type, node.inputs).get(name))
    if spec is None or not spec.is_dynamic:
        return changed
    rest = {each: old for each, old in changed.items() if not each.startswith(f"{name}.")}
    links = {each: node.inputs[each] for each in node.links if each.startswith(f"{name}.")}
    return rest | branch_defaults(spec, name, value) | links


def branch_defaults(spec: InputSpec, name: str, value: FieldValue) -> dict[str, FieldValue]:
    """Return the values that the editor gives to the inputs that a choice of a dynamic combo adds.

    Args:
        spec: What the combo accepts.
        name: The name of the combo.
        value: Its choice.
    """
    chosen: dict[str, FieldValue] = {}
    if (combo := spec.branches) is None:
        return chosen
    # A default may itself be the choice of a branch, so that defaults are added level by level.
    while missing := {
        each: default_of(inner)
        for each, branch in inputs_behind(combo, {name: value, **chosen}).items()
        if each not in chosen and (inner := read_spec(branch)) is not None
    }:
        chosen |= missing
    return chosen


def _declared(node: Node, declared: Declared) -> Iterator[NodeInput]:
    """Yield the inputs that the class declares as widgets; one that the graph lacks has its default."""
    for name, definition in declared.items():
        spec = read_spec(definition)
        if spec is None or not name or name in node.links:
            continue
        value = node.inputs[name] if name in node.inputs else default_of(spec)
        if value is None or _is_value(value):
            if name in _SEED_INPUTS and spec.kind == "int":
                spec = replace(spec, is_seed=True)
            value = default_of(spec) if value is None else value
            yield NodeInput(node_key(node.id, name), Slot(node.id, name, node.class_type), spec, value)


def _undeclared(node: Node, declared: Declared) -> Iterator[NodeInput]:
    """Yield the values whose inputs the class does not declare, with kinds by their types."""
    for name, value in node.inputs.items():
        if name in declared or name in node.links:
            continue
        members = value if isinstance(value, Mapping) else {"": value}
        for member, each in members.items():
            if name and isinstance(member, str) and _is_value(each):
                slot = Slot(node.id, name, node.class_type, member)
                full = f"{name}.{member}" if member else name
                yield NodeInput(node_key(node.id, full), slot, _guessed_spec(name, each), each)


def _is_value(value: object) -> bool:
    return isinstance(value, str | bool) or is_number(value)


def _guessed_spec(name: str, value: FieldValue) -> InputSpec:
    match value:
        case bool():
            return InputSpec("bool")
        case int():
            return InputSpec("int", is_seed=name in _SEED_INPUTS)
        case float():
            return InputSpec("float")
        case _:
            return InputSpec("text", multiline="\n" in value or len(value) > MAX_TITLE)


def _without(inputs: Sequence[NodeInput], slots: set[Slot]) -> tuple[NodeInput, ...]:
    return tuple(each for each in inputs if each.slot not in slots)
