"""The inputs that a node class declares, by `/object_info`: their order, and which of them are widgets.

A definition is `[type, options]`, as the server sends it; what is malformed is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from comfytui.workflow.editor.input_definitions import AUTOGROW, DYNAMIC_COMBO, WIDGET_TYPES

Definition: TypeAlias = Sequence[Any]
"""`[type, options]`; in the older format, the type of a choice is the list of its options."""

MAX_BRANCH_DEPTH: Final = 16
"""Levels of choices within choices that are read."""


def options_of(definition: Definition) -> Mapping[str, Any]:
    """Return the options of a definition; none if it is malformed."""
    options = definition[1] if len(definition) > 1 else None
    return options if isinstance(options, Mapping) else {}


def type_of(definition: Definition) -> str:
    """Return the type that decides about the widget: `COMBO` for a list of options."""
    declared = options_of(definition).get("widgetType") or definition[0]
    if isinstance(declared, list | tuple):
        return "COMBO"
    return declared if isinstance(declared, str) else ""


def is_widget(definition: Definition, *, optional: bool = False) -> bool:
    """Return whether an input has a widget in the editor, rather than only a socket."""
    options = options_of(definition)
    is_forced = options.get("forceInput") or (optional and options.get("defaultInput"))
    return not is_forced and type_of(definition) in WIDGET_TYPES


def ordered_inputs(inputs: object, order: object = None) -> Iterator[tuple[str, Definition, bool]]:
    """Yield the inputs of a class or branch in the editor's order: the name, the definition, whether it is optional.

    Args:
        inputs: `{"required": {name: definition}, "optional": …}`.
        order: `{"required": [name], "optional": …}`; may be missing.
    """
    for group in ("required", "optional"):
        declared = inputs.get(group) if isinstance(inputs, Mapping) else None
        if not isinstance(declared, Mapping):
            continue
        listed = order.get(group) if isinstance(order, Mapping) else None
        first = [name for name in listed if isinstance(name, str)] if isinstance(listed, list | tuple) else []
        for name in dict.fromkeys([*first, *declared]):
            definition = declared.get(name)
            if isinstance(name, str) and isinstance(definition, list | tuple) and definition:
                yield name, definition, group == "optional"


def branch_of(definition: Definition, key: object) -> object:
    """Return the inputs of one option of a dynamic combo, `{"required": …}`; None if it has no such option."""
    branches = options_of(definition).get("options")
    for branch in branches if isinstance(branches, list | tuple) else ():
        if isinstance(branch, Mapping) and branch.get("key") == key:
            return branch.get("inputs")
    return None


def branch_keys(definition: Definition) -> list[str]:
    """Return the choices of a dynamic combo."""
    branches = options_of(definition).get("options")
    keys = [each.get("key") for each in branches if isinstance(each, Mapping)] if isinstance(branches, list) else []
    return [key for key in keys if isinstance(key, str)]


def branch_inputs(definition: Definition, name: str, values: Mapping[str, Any]) -> dict[str, Definition]:
    """Return the definitions of the widgets that a dynamic combo adds, by the names that they have in a graph.

    Args:
        definition: The definition of the combo.
        name: The name of the combo.
        values: The node's inputs, with the choices of the combo and of those within it.
    """
    return dict(_of_branch(name, definition, values, MAX_BRANCH_DEPTH))


def declared_inputs(
    object_info: Mapping[str, Any], class_type: str, values: Mapping[str, Any]
) -> dict[str, Definition]:
    """Return the definitions of a node's widgets by the names that its inputs have in a graph, in the editor's order.

    Args:
        object_info: The server's response to `/object_info`.
        class_type: The class of the node.
        values: The node's inputs, whose choices decide which inputs a dynamic combo adds.
    """
    declared = object_info.get(class_type)
    if not isinstance(declared, Mapping):
        return {}
    inputs = ordered_inputs(declared.get("input"), declared.get("input_order"))
    return dict(_with_branches("", inputs, values, MAX_BRANCH_DEPTH))


def _with_branches(
    prefix: str, inputs: Iterator[tuple[str, Definition, bool]], values: Mapping[str, Any], depth: int
) -> Iterator[tuple[str, Definition]]:
    for name, definition, optional in inputs:
        full = prefix + name
        if definition[0] == AUTOGROW:
            yield from _grown(full, definition, values)
        elif is_widget(definition, optional=optional):
            yield full, definition
            if definition[0] == DYNAMIC_COMBO and depth:
                yield from _of_branch(full, definition, values, depth - 1)


def _of_branch(
    name: str, definition: Definition, values: Mapping[str, Any], depth: int
) -> Iterator[tuple[str, Definition]]:
    inputs = ordered_inputs(branch_of(definition, values.get(name)))
    return _with_branches(f"{name}.", inputs, values, depth)


def _grown(group: str, definition: Definition, values: Mapping[str, Any]) -> Iterator[tuple[str, Definition]]:
    """Yield the widgets among the inputs that a growing group has in a graph."""
    template = options_of(definition).get("template")
    inputs = list(ordered_inputs(template.get("input") if isinstance(template, Mapping) else None))
    for name in values:
        if not name.startswith(f"{group}."):
            continue
        own = name.removeprefix(f"{group}.")
        matching = [each for each in inputs if own.startswith(each[0])] or inputs[:1]
        if matching and is_widget(matching[0][1], optional=matching[0][2]):
            yield name, matching[0][1]
