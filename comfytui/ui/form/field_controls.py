"""The controls of a form's rows: found without selectors, as each key typed asks for them several times."""

from collections.abc import Iterator
from typing import TypeAlias

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

Control: TypeAlias = Input | Select[str] | TextArea


def controls_of(form: Widget) -> Iterator[Control]:
    """Yield the controls of a form in its order, but not those of the list of inputs.

    Args:
        form: The widget whose first child holds the rows, and the texts, which are in no row.
    """
    for child in (row for fields in form.children[:1] for row in fields.children):
        for control in child.children if isinstance(child, Horizontal) else (child,):
            if isinstance(control, Input | Select | TextArea):
                yield control
