"""Values that are given for single inputs of nodes, by keys such as `3.denoise`."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from comfytui.headless.value_checks import FieldError
from comfytui.sanitize import sanitize
from comfytui.workflow.field_keys import FieldKey, is_node_key, split_node_key
from comfytui.workflow.graph import Workflow, slot_of_key
from comfytui.workflow.input_specs import InputSpec, default_of
from comfytui.workflow.node_inputs import NodeInput, group_of
from comfytui.workflow.nodes import Node, nodes_of

MAX_NAMED: Final = 12
"""Nodes or inputs that an error names."""


def known_inputs(
    workflow: Workflow, given: Mapping[str, object], specs: Mapping[FieldKey, InputSpec]
) -> Mapping[FieldKey, NodeInput]:
    """Return the inputs of nodes that values are given for, the choices of dynamic combos before their inputs.

    Args:
        workflow: The workflow.
        given: The given values by their keys; fields are left out.
        specs: What the server says that inputs accept; the kinds of others are guessed from their values.

    Raises:
        FieldError: A key names no input, or one that is linked.
    """
    nodes = nodes_of(workflow.graph)
    found: dict[FieldKey, NodeInput] = {}
    for key in sorted(filter(is_node_key, given), key=len):
        node_id, name = split_node_key(key)
        node = nodes.get(node_id)
        if node is None:
            raise FieldError(_shown(key), f"The workflow has no node '{_shown(node_id)}': {_named([*nodes], 'nodes')}.")
        found[key] = _input_of(workflow, node, key, name, specs.get(key))
    return found


def definitions_of_choices(inputs: Iterable[NodeInput]) -> dict[str, Any]:
    """Return the definitions of those inputs whose choices decide which inputs their node has, by classes.

    Args:
        inputs: Inputs of nodes.

    Returns:
        What `/object_info` has of these inputs.
    """
    classes: dict[str, Any] = {}
    for each in inputs:
        if (combo := each.spec.branches) is not None:
            declared = classes.setdefault(each.slot.class_type, {"input": {"required": {}}})
            declared["input"]["required"][each.slot.input_name] = [combo.type, combo.options]
    return classes


def _input_of(workflow: Workflow, node: Node, key: FieldKey, name: str, spec: InputSpec | None) -> NodeInput:
    if name in node.links:
        source = _shown(node.links[name])
        raise FieldError(_shown(key), f"'{_shown(key)}' is linked to node '{source}': a value would have no effect.")
    present = {each.key: each for each in group_of(workflow.graph, node).inputs}
    if own := present.get(key):
        return NodeInput(key, own.slot, spec or own.spec, own.value)
    slot = slot_of_key(workflow.graph, key)
    if spec is not None and slot is not None:
        return NodeInput(key, slot, spec, default_of(spec))
    close = get_close_matches(key, present, 1)
    hint = f"the nearest name is {_shown(close[0])}." if close else f"{_named([*present], 'inputs')}."
    class_type = sanitize(node.class_type, 40)
    raise FieldError(
        _shown(key), f"Node '{_shown(node.id)}' ({class_type}) has no input '{_shown(name)}' to set: {hint}"
    )


def _named(names: list[str], kind: str) -> str:
    if not names:
        return f"there are no {kind}"
    rest = " and others" if len(names) > MAX_NAMED else ""
    return f"its {kind} are {', '.join(map(_shown, names[:MAX_NAMED]))}{rest}"


def _shown(text: str) -> str:
    return sanitize(text, 80)
