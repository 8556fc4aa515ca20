"""Saved nodes with the inputs and widgets that their class has on this server."""

from collections import deque
from collections.abc import Collection, Mapping
from typing import Final

from comfytui.workflow.editor.document import SavedInput, SavedNode
from comfytui.workflow.editor.dynamic_inputs import branch_inputs, grown_inputs
from comfytui.workflow.editor.editor_widgets import last_widgets, stored_value, widgets_before, widgets_behind
from comfytui.workflow.editor.input_definitions import MISSING, ClassDefinition, ClassDefinitions, InputDefinition
from comfytui.workflow.editor.json_values import as_list, as_mapping
from comfytui.workflow.editor.nodes import Input, Kind, Node, Widget
from comfytui.workflow.editor.widget_values import SavedValues
from comfytui.workflow.input_types import AUTOGROW, DYNAMIC_COMBO

VIRTUAL_CLASSES: Final[Mapping[str, Kind]] = {
    "PrimitiveNode": Kind.PRIMITIVE,
    "Reroute": Kind.REROUTE,
    "Note": Kind.NOTE,
    "MarkdownNote": Kind.NOTE,
}
"""Classes of the editor, which no server has."""

_NAMED_LINKS: Final[Mapping[str, Kind]] = {"SetNode": Kind.SETTER, "GetNode": Kind.GETTER}
"""Classes of packs that exist in the editor alone."""

_LORA_ROWS: Final = "Power Lora Loader (rgthree)"


def restore_node(saved: SavedNode, definitions: ClassDefinitions, subgraphs: Collection[str]) -> Node:
    """Return a node with its inputs and widgets; an instance of a subgraph has none yet.

    Args:
        saved: The node in the file.
        definitions: The classes of the server.
        subgraphs: The ids of the subgraphs of the file.
    """
    if saved.type in subgraphs:
        return Node(saved, Kind.INSTANCE, None)
    kind = VIRTUAL_CLASSES.get(saved.type)
    definition = None if kind else definitions.get(saved.type)
    if definition is None:
        node = Node(saved, kind or _kind_without_class(saved), None)
        node.inputs = [Input(each.name, each.type, each.link, each.widget) for each in saved.inputs]
        if node.kind is Kind.UNKNOWN:
            _add_undeclared(node, SavedValues(saved))
            _add_named_by_inputs(node)
        return node
    node = Node(saved, Kind.CLASS, definition)
    _restore_inputs(node, definition)
    return node


def _kind_without_class(saved: SavedNode) -> Kind:
    if saved.type.startswith("Reroute") and len(saved.inputs) == len(saved.outputs) == 1:
        return Kind.REROUTE
    return _NAMED_LINKS.get(saved.type, Kind.UNKNOWN)


def _restore_inputs(node: Node, definition: ClassDefinition) -> None:
    """Add the inputs of the class, all sockets before all widgets, and then those that only the file has."""
    links = {each.name: each.link for each in node.saved.inputs}
    types = {each.name: each.type for each in node.saved.inputs}
    saved = SavedValues(node.saved, definition)
    sockets, slots = list[Input](), list[Input]()
    pending = deque((each, saved, sockets) for each in definition.inputs)
    while pending:
        each, values, place = pending.popleft()
        if each.type == AUTOGROW:
            grown = [*grown_inputs(each, lambda name: links.get(name) is not None)]
            pending.extendleft((row, values, place) for row in reversed(grown))
        elif each.is_widget:
            slots.append(Input(each.name, each.type, links.get(each.name), each.name))
            widget = _add_widget(node, each, values)
            if widget.value is None and each.choices:
                # The editor takes the first choice after all values are set: what is behind it has its defaults.
                widget.value, values = each.choices[0], SavedValues()
            if each.widget_type == DYNAMIC_COMBO:
                branch = branch_inputs(each, widget.value)
                pending.extendleft((inner, values, slots) for inner in reversed(branch))
        else:
            kind = types.get(each.name, each.type) if each.follows_link else each.type
            place.append(Input(each.name, kind, links.get(each.name)))
    last_widgets(node, definition, saved)
    _add_undeclared(node, saved)
    node.inputs = [*sockets, *slots, *_further_inputs(node, definition, {each.name for each in (*sockets, *slots)})]


def _add_widget(node: Node, definition: InputDefinition, values: SavedValues) -> Widget:
    widgets_before(node, definition, values)
    widget = Widget(definition.name, stored_value(node, definition, values), definition)
    node.widgets[widget.name] = widget
    widgets_behind(node, definition, values)
    return widget


def _further_inputs(node: Node, definition: ClassDefinition, known: Collection[str]) -> list[Input]:
    """Return the saved inputs that the class does not have, without those whose widget is gone.

    The editor passes over the input behind each that it removes, so that one may stay.
    """
    unknown = [each for each in node.saved.inputs if each.name not in known]
    if not unknown:
        return []
    combos = tuple(f"{each.name}." for each in definition.inputs if each.widget_type == DYNAMIC_COMBO)
    kept = list[SavedInput]()
    was_removed = False
    for each in (each for each in unknown if not each.name.startswith(combos)):
        was_removed = each.widget is not None and each.widget not in node.widgets and not was_removed
        if not was_removed:
            kept.append(each)
    return [Input(each.name, each.type, each.link, each.widget) for each in kept]


def _add_named_by_inputs(node: Node) -> None:
    """Add the widgets of an unknown class that the saved inputs name: which of the saved values are theirs is unknown.

    So the inputs of subgraphs that stand for them keep their places among those that have values.
    """
    for slot in node.inputs:
        if slot.widget is not None and slot.widget not in node.widgets:
            node.widgets[slot.widget] = Widget(slot.widget, MISSING)


def _add_undeclared(node: Node, values: SavedValues) -> None:
    """Add values that the JavaScript of a pack saved under names of its own."""
    for name, value in [*values.undeclared(node.widgets)]:
        node.widgets[name] = Widget(name, value)
    if node.saved.type == _LORA_ROWS:
        rows = [as_mapping(each) for each in as_list(node.saved.values)]
        for number, row in enumerate((row for row in rows if "lora" in row), 1):
            value = {key: row[key] for key in ("on", "lora", "strength", "strengthTwo") if row.get(key) is not None}
            node.widgets[f"lora_{number}"] = Widget(f"lora_{number}", value)
