"""The saved values of a node's widgets, matched by position or by name."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from comfytui.workflow.editor.document import SavedNode
from comfytui.workflow.editor.input_definitions import ClassDefinition, InputDefinition

_PREVIEW: Final = "videopreview"
"""The key of what only the browser shows."""


class SavedValues:
    """Gives each widget its saved value: the widgets ask in the order in which the editor stores them."""

    def __init__(self, saved: SavedNode | None = None, definition: ClassDefinition | None = None) -> None:
        values = saved.values if saved else None
        self._named: Mapping[str, Any] | None = values if isinstance(values, Mapping) else None
        self._listed = values if isinstance(values, list) else []
        self._next = 0
        if definition:
            self._listed = _without_forced(self._listed, definition)

    def take(self, name: str, default: object) -> object:
        """Return the value of the next stored widget, or its default where the file has none."""
        if self._named is not None:
            return self._named.get(name, default)
        if self._next >= len(self._listed):
            return default
        self._next += 1
        return self._listed[self._next - 1]

    def take_for(self, definition: InputDefinition) -> object:
        """Return the value of the widget of an input."""
        value = self.take(definition.name, definition.default)
        if value is None and definition.widget_type == "STRING" and definition.options.get("multiline"):
            return ""
        return value

    def skip(self, count: int) -> None:
        """Pass over widgets that are stored but not sent."""
        self._next += count

    def undeclared(self, known: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        """Yield the plain values by name that no widget asked for."""
        for name, value in (self._named or {}).items():
            is_plain = isinstance(value, str | int | float)
            if isinstance(name, str) and name != _PREVIEW and name not in known and is_plain:
                yield name, value


def _without_forced(values: list[Any], definition: ClassDefinition) -> list[Any]:
    """Leave out the values of inputs that were widgets when the file was saved, and can only be linked now."""
    forced = definition.forced_places
    if not any(forced) or len(forced) != len(values):
        return values
    return [value for value, is_forced in zip(values, forced, strict=True) if not is_forced]
