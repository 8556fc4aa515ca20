"""Which of the form's controls differ from the workflow's file: their labels are marked, and a key puts them back."""

from typing import Final

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

from comfytui.ui.form.controls import Choice
from comfytui.ui.form.field_checks import FieldChecks
from comfytui.ui.form.field_controls import controls_of
from comfytui.ui.form.input_cells import CHANGED
from comfytui.ui.widgets.text import Line
from comfytui.workflow.axes import parse_axis
from comfytui.workflow.graph import Workflow, read_values
from comfytui.workflow.seeds import SeedMode

LABEL_CELLS: Final = 9
"""Cells of a label beside controls, before the mark."""


class Changes:
    """Compares the controls of fields with the values in the workflow's file.

    Args:
        form: The widget with the controls, each of which has its field's key as id.
        workflow: The workflow.
        checks: What the fields accept.
    """

    def __init__(self, form: Widget, workflow: Workflow, checks: FieldChecks) -> None:
        self._form = form
        self._values = read_values(workflow)
        self._checks = checks
        self._labels: dict[Line, str] = {}
        """The labels without marks."""

    def mark(self, mode: SeedMode) -> None:
        """Mark the labels of controls that differ; seeds only where they are not drawn for each batch anyway.

        Args:
            mode: The form's seed mode.
        """
        changed: dict[Line, bool] = {}
        for control in self._controls():
            drawn = mode is SeedMode.RANDOM and control.id in self._checks.seed_labels
            label = self._label(control)
            changed[label] = changed.get(label, False) or (not drawn and self.differs(control))
        for label, is_changed in changed.items():
            text = self._labels.setdefault(label, label.text)
            label.set_text(_marked(text, label) if is_changed else text)
            label.set_class(is_changed, "-changed")

    def differs(self, control: Widget | None) -> bool:
        """Return whether a widget is the control of a field, and its content differs from the file's."""
        if control is None or control.id not in self._checks.specs:
            return False
        value = self._values[control.id]
        match control:
            case TextArea():
                return control.text != value
            case Select():
                # Without a choice in the file, the form takes the first of the server.
                return value != "" and str(control.value) != str(value)
            case Input():
                try:
                    return parse_axis(control.value, self._checks.specs[control.id]) != (value,)
                except ValueError:
                    return True
        return False

    def put_back(self, control: Widget | None) -> None:
        """Put the file's value back into a control that differs; seeds that were drawn are then fixed."""
        if control is None or not self.differs(control):
            return
        text = str(self._values[control.id or ""])
        match control:
            case TextArea():
                # As an edit, so that it can be undone.
                control.replace(text, control.document.start, control.document.end)
            case Choice():
                control.put(text)
            case Input():
                control.value = text

    def _controls(self) -> list[Widget]:
        return [control for control in controls_of(self._form) if control.id in self._checks.specs]

    def _label(self, control: Widget) -> Line:
        """Return the label of a control: the first of its row, or the line above it."""
        row = control.parent
        assert row is not None
        beside = row.children if isinstance(row, Horizontal) else row.children[: row.children.index(control)][::-1]
        return next(each for each in beside if isinstance(each, Line))


def _marked(text: str, label: Line) -> str:
    if label.has_class("-node"):
        return f"{CHANGED} {text}"
    return f"{text:<{LABEL_CELLS}}{CHANGED}" if label.has_class("label") else f"{text} {CHANGED}"
