"""Widgets that only the editor has: they take places among the saved values, and some are sent."""

from collections.abc import Mapping
from typing import Final

from comfytui.workflow.editor.input_definitions import MISSING, ClassDefinition, InputDefinition
from comfytui.workflow.editor.json_values import as_mapping
from comfytui.workflow.editor.nodes import Node, Widget
from comfytui.workflow.editor.viewports import VIEWPORT_CLASSES, viewport_state
from comfytui.workflow.editor.widget_values import SavedValues

CUSTOM_COMBO: Final = "CustomCombo"
"""A choice among texts that the user writes on the node."""

_LOAD_3D_BUTTONS: Final = (
    ("upload 3d model", "upload3dmodel"),
    ("upload extra resources", "uploadExtraResources"),
    ("clear", "clear"),
)
_AUDIO_PLAYER: Final = "audioUI"
_PREVIEW_TEXT: Final = ("preview_text", "preview_mode")
_UNSTORED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("LoadAudio", "PreviewAudio"), (_AUDIO_PLAYER,)),
    **dict.fromkeys(("PreviewAny", "SaveText"), _PREVIEW_TEXT),
}
"""Widgets that are neither stored nor sent, by class."""


def widgets_before(node: Node, definition: InputDefinition, values: SavedValues) -> None:
    """Add what the editor has in front of the widget of an input."""
    if node.saved.type == "Load3D" and definition.widget_type == "LOAD_3D":
        for name, value in _LOAD_3D_BUTTONS:
            _add(node, name, values.take(name, value))


def widgets_behind(node: Node, definition: InputDefinition, values: SavedValues) -> None:
    """Add what the editor has right behind the widget of an input."""
    if remote := as_mapping(definition.options.get("remote")):
        _skip(node, values, "Auto-refresh after generation")
        if remote.get("refresh_button"):
            _add(node, "refresh", values.take("refresh", "refresh"))
    if definition.has_control:
        names = ("control_after_generate", "control_filter_list")[: 2 if definition.widget_type == "COMBO" else 1]
        _skip(node, values, *names)
    if definition.widget_type == "BOUNDING_BOX":
        _skip(node, values, *(f"{definition.name}.{side}" for side in ("x", "y", "width", "height")))


def last_widgets(node: Node, definition: ClassDefinition, values: SavedValues) -> None:
    """Add what the editor has behind all widgets of the class."""
    if definition.has_upload:
        _skip(node, values, "upload")
    if definition.name in {"SaveGLB", "Preview3D"}:
        values.skip(1)
        _add(node, "image", "")  # whatever is saved
    if definition.name == CUSTOM_COMBO:
        _add_options(node, values)
    names = _UNSTORED.get(definition.name, (_AUDIO_PLAYER,) if definition.name.startswith("SaveAudio") else ())
    for name in names:
        node.widgets[name] = Widget(name, None, is_sent=False)


def stored_value(node: Node, definition: InputDefinition, values: SavedValues) -> object:
    """Return the value of the widget of an input, also of one that the file does not store."""
    if definition.widget_type == "LOAD_3D" and node.saved.type in VIEWPORT_CLASSES:
        values.skip(1)
        return viewport_state(node.saved.properties)
    return ["", ""] if definition.widget_type == "IMAGECOMPARE" else values.take_for(definition)


def choice_index(node: Node) -> int:
    """Return which of the texts of a custom choice is chosen; -1 if none is."""
    chosen = node.widgets["choice"].value if "choice" in node.widgets else MISSING
    options = [widget.value for name, widget in node.widgets.items() if name.startswith("option")]
    return options.index(chosen) if chosen in options else -1


def _add_options(node: Node, values: SavedValues) -> None:
    """Add the texts of a custom choice: a filled last one adds another."""
    _add(node, "index", -1)
    values.skip(1)
    number, value = 0, object()
    while value:
        number += 1
        value = values.take(f"option{number}", "")
        _add(node, f"option{number}", value)
    if choice := node.widgets.get("choice"):
        choice.listed = [widget.value for name, widget in node.widgets.items() if name.startswith("option")]
        if choice.value is None:
            choice.value = choice.listed[0]


def _add(node: Node, name: str, value: object) -> None:
    node.widgets[name] = Widget(name, value)


def _skip(node: Node, values: SavedValues, *names: str) -> None:
    values.skip(len(names))
    for name in names:
        node.widgets[name] = Widget(name, None, is_sent=False)
