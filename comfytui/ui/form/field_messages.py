"""The sentences below the prompt form's fields: what is wrong there, or only worth knowing."""

from textual.containers import Horizontal
from textual.widget import Widget

from comfytui.sanitize import sanitize
from comfytui.ui.widgets.line import Line
from comfytui.workflow.fields import Key

LONGEST = 300
"""Characters of a sentence."""


class FieldMarks:
    """At most one sentence for each field of a form, below the field's row and in the order of the row's fields."""

    def __init__(self, form: Widget) -> None:
        self._form = form
        self._lines: dict[Key, Line] = {}

    def show(self, key: Key, sentence: str, *, wrong: bool = True) -> None:
        """Show a sentence at a field, or take the field's sentence away with an empty one.

        Args:
            key: The field, which is the id of its control.
            sentence: What to say; it may come from the server.
            wrong: Whether the field cannot be sent as it is; if not, the sentence is only advice.
        """
        control, line = self._form.query_one(f"#{key}"), self._lines.get(key)
        if line is None and not sentence:
            return
        if line is None:
            line = Line(classes="error")
            self._form.mount(line, after=self._above(control))
            self._lines[key] = line
        line.say(sentence and f"{'! ' if wrong else ''}{sanitize(sentence, LONGEST)}")
        line.set_class(bool(sentence), "-shown")
        line.set_class(not wrong, "-advice")
        control.set_class(bool(sentence) and wrong, "-wrong")

    def shares_row(self, key: Key) -> bool:
        """Whether a field stands beside another one, so that its sentences have to name it."""
        row = self._form.query_one(f"#{key}").parent
        return isinstance(row, Horizontal) and len([each for each in row.children if each.id]) > 1

    def _above(self, control: Widget) -> Widget:
        """What a field's line stands below: its row, or the line of a field before it in the row."""
        row = control.parent
        if not isinstance(row, Horizontal):
            return control
        before = row.children[: row.children.index(control)]
        return next((self._lines[each.id] for each in reversed(before) if each.id in self._lines), row)
