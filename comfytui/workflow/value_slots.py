"""Find the slot that holds the value of an input: in its own node, or in one that provides the value over links."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from comfytui.workflow.nodes import Node, Nodes, Slot, is_flag

MAX_HOPS = 16
"""Links followed from an input to the node that holds its value."""

_VALUE_INPUTS = (
    "value",
    "text",
    "string",
    "prompt",
    "string_a",
    "int",
    "float",
    "number",
    "Number",
    "high_level_description",
)
"""Names of the input that holds the value, in nodes that only provide one."""

_BRANCHES = frozenset({"on_true", "on_false"})
"""The inputs of a switch, one of which is its output."""

TypeCheck: TypeAlias = Callable[[object], bool]
"""Whether a value has the type of a field: `is_text`, `is_integer` or `is_number`."""


def slot_of(nodes: Nodes, node: Node, names: Iterable[str], has_type: TypeCheck) -> Slot | None:
    """Return the slot that holds the value of the first of the named inputs, or None.

    The slot is the input itself, or, if that is a link, an input of the node that provides the value.
    """
    for name in names:
        if name in node.inputs and (slot := _value_slot(nodes, node, name, has_type)):
            return slot
    return None


def own_names(node: Node, names: Sequence[str]) -> Sequence[str]:
    """Return input names, and those that a node has in the branch of a dynamic combo: `model.prompt` for `prompt`."""
    if not node.branch_inputs or {each.rpartition(".")[2] for each in node.branch_inputs}.isdisjoint(names):
        return names
    return [
        own for name in names for own in (name, *(each for each in node.branch_inputs if each.endswith(f".{name}")))
    ]


def resolve_switches(nodes: Nodes) -> Nodes:
    """Return the nodes of a graph with only the chosen input of each switch, so that a switch is a reroute."""
    switches = [node for node in nodes.values() if "switch" in node.inputs and not _BRANCHES.isdisjoint(node.inputs)]
    if not switches:
        return nodes
    resolved = dict(nodes)
    for node in switches:
        if slot := slot_of(nodes, node, ("switch",), is_flag):
            chosen = "on_true" if nodes[slot.node_id].inputs[slot.input_name] else "on_false"
            inputs = {name: value for name, value in node.inputs.items() if name == chosen}
            links = {name: source for name, source in node.links.items() if name == chosen}
            resolved[node.id] = Node(node.id, node.class_type, inputs, links)
    return resolved


def _value_slot(nodes: Nodes, node: Node, name: str, has_type: TypeCheck) -> Slot | None:
    """Return the slot of a value, following links; of joined texts, a text that has a node of its own is preferred."""
    value = node.inputs[name]
    if has_type(value):
        return Slot(node.id, name, node.class_type)
    if name not in node.links:
        return None
    for joined_texts in (False, True):
        stack, seen = [(node, name)], {(node.id, name)}
        while stack and len(seen) <= MAX_HOPS:
            current, held = stack.pop()
            value = current.inputs[held]
            if has_type(value):
                if joined_texts or not _joins_texts(current):
                    return Slot(current.id, held, current.class_type)
                continue
            source = nodes.get(current.links.get(held, ""))
            names = _value_inputs(source, held, has_type) if source else []
            unseen = [(source, each) for each in names if source and (source.id, each) not in seen]
            seen.update((each.id, input_name) for each, input_name in unseen)
            stack.extend(reversed(unseen))
    return None


def _joins_texts(node: Node) -> bool:
    return "string_a" in node.inputs and "string_b" in node.inputs


def _value_inputs(node: Node, name: str, has_type: TypeCheck) -> list[str]:
    """Return the inputs that may determine the output of a node which only provides a value."""
    if _joins_texts(node):
        return [each for each in ("string_a", "string_b") if each in node.links or has_type(node.inputs[each])]
    for candidate in (name, *_VALUE_INPUTS):
        if candidate in node.links or has_type(node.inputs.get(candidate)):
            return [candidate]
    if len(node.operands) == 1:
        return list(node.operands)
    return list(node.inputs) if len(node.inputs) == 1 else []
