"""The controls of a form's rows: found without selectors, as each key typed asks for them several times."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

Control: TypeAlias = Input | Select[str] | TextArea
FIELDS_ID: Final = "fields"
"""The id of the part of a form that has the controls; a form that waits for a workflow has none."""


def controls_of(form: Widget) -> Iterator[Control]:
    """Yield the controls of a form in its order, but not those of the list of inputs.

    Args:
        form: The form. The children of its `FIELDS_ID` are the rows, and the texts, which are in no row.
    """
    fields = next((child for child in form.children if child.id == FIELDS_ID), None)
    for child in fields.children if fields else ():
        for control in child.children if isinstance(child, Horizontal) else (child,):
            if isinstance(control, Input | Select | TextArea):
                yield control
