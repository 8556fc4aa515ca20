"""Messages below the prompt form's fields: errors, and advice that does not keep the form from being submitted."""

from textual.containers import Horizontal
from textual.widget import Widget

from comfytui.sanitize import sanitize
from comfytui.ui.widgets.text import Line
from comfytui.workflow.fields import FieldKey

MAX_LENGTH = 300
"""Characters of a message that are shown."""


class FieldMessages:
    """At most one message for each field of a form, below the field's row and in the order of the row's fields."""

    def __init__(self, form: Widget) -> None:
        self._form = form
        self._lines: dict[FieldKey, Line] = {}

    def show(self, key: FieldKey, message: str, *, wrong: bool = True) -> None:
        """Show a message at a field, or remove the field's message with an empty one.

        Args:
            key: The field, which is the id of its control.
            message: The text; it may come from the server.
            wrong: Whether it is an error, which marks the control, or only advice.
        """
        control, line = self._form.query_one(f"#{key}"), self._lines.get(key)
        if line is None and not message:
            return
        if line is None:
            line = Line(classes="error")
            above = self._widget_above(control)
            assert isinstance(above.parent, Widget)
            above.parent.mount(line, after=above)
            self._lines[key] = line
        line.set_text(message and f"{'! ' if wrong else ''}{sanitize(message, MAX_LENGTH)}")
        line.set_class(bool(message), "-shown")
        line.set_class(not wrong, "-advice")
        control.set_class(bool(message) and wrong, "-wrong")

    def shares_row(self, key: FieldKey) -> bool:
        """Return whether a field is beside another one, so that its messages have to name it."""
        row = self._form.query_one(f"#{key}").parent
        return isinstance(row, Horizontal) and len([each for each in row.children if each.id]) > 1

    def _widget_above(self, control: Widget) -> Widget:
        """Return what a field's message goes below: its row, or the message of a field before it in the row."""
        row = control.parent
        if not isinstance(row, Horizontal):
            return control
        before = row.children[: row.children.index(control)]
        return next((self._lines[each.id] for each in reversed(before) if each.id in self._lines), row)
