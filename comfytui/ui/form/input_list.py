"""The list of a workflow's inputs: any number of lines, without a widget for any of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Key, Paste
from textual.message import Message

from comfytui.ui.form.controls import types_character
from comfytui.ui.form.input_cells import Part, heading_parts, row_parts, value_start
from comfytui.ui.form.input_rows import Heading, Item, Line, Row
from comfytui.ui.form.input_values import InputValues, stepped
from comfytui.ui.widgets.line_list import LineList

BIG_STEP = 10
"""Steps of the keys for larger changes."""


class InputList(LineList, can_focus=True):
    """The lines of sections, with a cursor on one value. Values are changed by keys, or by an editor that it asks for.

    Args:
        values: The values that are shown and changed.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "inputs--label",
        "inputs--value",
        "inputs--changed",
        "inputs--wrong",
        "inputs--heading",
        "inputs--cursor",
        "inputs--cursor-blurred",
    }
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

    class Changed(Message):
        """Posted when a value was changed."""

    class Highlighted(Message):
        """Posted when the cursor comes to another value."""

    class Cancelled(Message):
        """Posted when the upload of a value's file is to be cancelled."""

        def __init__(self, item: Item) -> None:
            super().__init__()
            self.item = item

    def __init__(self, values: InputValues, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.values = values
        self.edit: Callable[[Item, str], object] = lambda _item, _typed: None
        """Edits a value, with what was typed already; called at once, since the next key is for the editor."""
        self._lines: Sequence[Line] = ()
        self._at = 0
        """Which of the items of the row under the cursor is chosen."""

    # Lines

    @property
    def lines(self) -> Sequence[Line]:
        """The lines that are shown."""
        return self._lines

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Replace the lines; the cursor stays on its value or heading if that is still there."""
        before, current = self.visible_lines(), self.current
        self._lines = lines
        identity = _identity(current)
        found = (index for index, line in enumerate(lines) if current and _identity(line) == identity)
        self._cursor = next(found, max(0, min(self._cursor, len(lines) - 1)))
        self.show_changes(before)
        self.reveal()
        self.post_message(self.Highlighted())

    def refresh_values(self) -> None:
        """Repaint the values, which were changed from elsewhere."""
        self.refresh()

    @property
    def current(self) -> Line | None:
        """The line under the cursor."""
        return self._lines[self._cursor] if self._lines else None

    @property
    def current_item(self) -> Item | None:
        """The value under the cursor; None on a heading."""
        line = self.current
        return line.items[min(self._at, len(line.items) - 1)] if isinstance(line, Row) else None

    def select_item(self, key: str) -> bool:
        """Move the cursor to a value, and return whether it is listed."""
        for index, line in enumerate(self._lines):
            for at, item in enumerate(line.items if isinstance(line, Row) else ()):
                if item.key == key:
                    self.move_to(index)
                    self._at = at
                    self.refresh_line(index)
                    return True
        return False

    @property
    def line_count(self) -> int:
        """The number of lines."""
        return len(self._lines)

    def line_content(self, index: int) -> object:
        """Return the parts of a line, and which of them is chosen."""
        return self._parts(index), self._at if index == self._cursor else 0

    def _parts(self, index: int) -> list[Part]:
        line, width = self._lines[index], self.scrollable_content_region.width
        return heading_parts(line, width) if isinstance(line, Heading) else row_parts(line, self.values, width)

    def render_row(self, index: int, width: int) -> Iterable[Segment]:
        """Return the segments of a line."""
        return [Segment(part.text, self._style(part, index)) for part in self._parts(index)]

    def _style(self, part: Part, index: int) -> Style:
        if part.swatch:
            return Style(color=part.swatch) if _is_colour(part.swatch) else Style()
        line = self._lines[index]
        chosen = isinstance(line, Heading) or part.item == min(self._at, len(line.items) - 1)
        return self.cursor_style(part.tone, index, "inputs", focused=self.has_focus and chosen)

    def value_region(self) -> tuple[int, int, int]:
        """Return where the value under the cursor is in the view: its column, its line and its cells."""
        line = self.current
        if not isinstance(line, Row):
            return 0, 0, 0
        at = min(self._at, len(line.items) - 1)
        start, cells = value_start(line, self.scrollable_content_region.width, at, self.values)
        return start, self._cursor - self.scroll_offset.y, cells

    # Keys

    def cursor_moved(self) -> None:
        """Tell that another value is highlighted."""
        self.post_message(self.Highlighted())

    def line_chosen(self) -> None:
        """Open or close a section, switch a switch, or ask for an editor."""
        line, item = self.current, self.current_item
        if isinstance(line, Heading):
            self.post_message(self.Toggled(line, not line.is_open))
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

    # Typing

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

    def on_click(self, event: Click) -> None:
        """Move the cursor to a value; on a heading or a value with the cursor, do what enter does."""
        event.stop()
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else -1
        if offset is None or not 0 <= index < self.line_count:
            return
        before = (self._cursor, self._at)
        self._at = self._item_at(index, offset.x)
        self.move_to(index)
        self.refresh_line(self._cursor)
        if before == (self._cursor, self._at) or isinstance(self.current, Heading):
            self.action_select()

    def _item_at(self, index: int, x: int) -> int:
        """Return which item of a line is at a column."""
        at = end = 0
        for part in self._parts(index):
            at = part.item if part.item is not None else at
            end += len(part.text)
            if x < end:
                break
        return at


def _identity(line: Line | None) -> object:
    """Return what stays the same of a line when lines are replaced."""
    match line:
        case Heading():
            return line.name
        case Row():
            return tuple(item.key for item in line.items)
    return None


def _is_colour(text: str) -> bool:
    return len(text) == 7 and text[0] == "#" and all(each in "0123456789abcdefABCDEF" for each in text[1:])
