"""The list of a workflow's inputs, whose values are changed by keys, or by an editor that it asks for."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.message import Message

from comfytui.ui.form.controls import types_character
from comfytui.ui.form.input_lines import InputLines
from comfytui.ui.form.input_rows import FieldLink, Heading, Item, Row
from comfytui.ui.form.input_values import InputValues, stepped
from comfytui.workflow.field_keys import FieldKey


class InputList(InputLines, can_focus=True):
    """The lines of inputs; keys change the value under the cursor.

    Args:
        values: The values that are shown and changed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="inputs.up"),
        Binding("down", "move(1)", "Down", show=False, id="inputs.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="inputs.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="inputs.page-down"),
        Binding("home", "first", "First", show=False, id="inputs.first"),
        Binding("end", "last", "Last", show=False, id="inputs.last"),
        Binding("enter", "select", "Edit", show=False, id="inputs.edit"),
        Binding("space", "switch", "Switch", show=False, id="inputs.switch"),
        Binding("left", "aside(-1)", "Less", show=False, id="inputs.left"),
        Binding("right", "aside(1)", "More", show=False, id="inputs.right"),
        Binding("minus", "step(-1)", "Less", show=False, id="inputs.less"),
        Binding("plus,equals_sign", "step(1)", "More", show=False, id="inputs.more"),
        Binding("shift+left", "step(-10)", "Much less", show=False, id="inputs.much-less"),
        Binding("shift+right", "step(10)", "Much more", show=False, id="inputs.much-more"),
        Binding("ctrl+r,delete", "reset", "Put back", show=False, id="inputs.reset"),
    ]

    class Toggled(Message):
        """Posted when a section is to be opened or closed."""

        def __init__(self, heading: Heading, is_open: bool) -> None:
            super().__init__()
            self.heading = heading
            self.is_open = is_open

    class Followed(Message):
        """Posted when a line that leads to a field above the list is chosen."""

        def __init__(self, key: FieldKey) -> None:
            super().__init__()
            self.key = key

    class Changed(Message):
        """Posted when a value was changed."""

    class Cancelled(Message):
        """Posted when the upload of a value's file is to be cancelled."""

        def __init__(self, item: Item) -> None:
            super().__init__()
            self.item = item

    def __init__(self, values: InputValues, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(values, id=id)
        self.edit: Callable[[Item, str], object] = lambda _item, _typed: None
        """Edits a value, with what was typed already; called at once, since the next key is for the editor."""

    def line_chosen(self) -> None:
        """Open or close a section, switch a switch, or ask for an editor."""
        line, item = self.current, self.current_item
        if isinstance(line, Heading):
            self.post_message(self.Toggled(line, not line.is_open))
        elif isinstance(line, FieldLink):
            self.post_message(self.Followed(line.key))
        elif item is not None and item.spec.kind == "bool":
            self._switch(item)
        elif item is not None:
            self.edit(item, "")

    def action_switch(self) -> None:
        """Switch the row's switch, or do what enter does."""
        line = self.current
        switches = [item for item in line.items if item.spec.kind == "bool"] if isinstance(line, Row) else []
        if switches:
            self._switch(switches[0])
        else:
            self.line_chosen()

    def action_aside(self, steps: int) -> None:
        """Open or close a section, go to the next value of a row, or change a number by a step."""
        line = self.current
        if isinstance(line, Heading):
            if line.is_open != (steps > 0):
                self.post_message(self.Toggled(line, steps > 0))
        elif isinstance(line, Row) and len(line.items) > 1:
            self._at = max(0, min(min(self._at, len(line.items) - 1) + steps, len(line.items) - 1))
            self.refresh_line(self._cursor)
            self.post_message(self.Highlighted())
        else:
            self.action_step(steps)

    def action_step(self, steps: int) -> None:
        """Change the number under the cursor by steps; other values are left alone."""
        item = self.current_item
        if item is None or item.spec.kind not in {"int", "float"}:
            return
        if (text := stepped(self.values.text(item), item.spec, steps)) is not None:
            self.change(item, text)

    def action_reset(self) -> None:
        """Put the value under the cursor back to the file's, or cancel its upload."""
        item = self.current_item
        if item is not None and self.values.upload(item):
            self.post_message(self.Cancelled(item))
        elif item is not None and self.values.reset(item):
            self._on_change()

    def change(self, item: Item, text: str) -> None:
        """Set the text of a value."""
        if self.values.set(item, text):
            self._on_change()

    def _switch(self, item: Item) -> None:
        self.change(item, "false" if self.values.text(item).lower() == "true" else "true")

    def _on_change(self) -> None:
        self.refresh_line(self._cursor)
        self.post_message(self.Changed())

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Begin to edit the value with what is typed."""
        if not types_character(event.character) or event.key in {"plus", "minus", "equals_sign"}:
            return
        event.stop()
        item = self.current_item
        if item is not None and item.spec.kind != "bool" and event.character:
            self.edit(item, event.character)

    def on_paste(self, event: Paste) -> None:
        """Begin to edit the value with what is pasted, such as the path of a file that is dropped on the terminal."""
        item = self.current_item
        if item is not None and item.spec.kind != "bool":
            event.stop()
            self.edit(item, event.text)
