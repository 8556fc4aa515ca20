"""The part of the form that lists inputs: a filter, the list, an editor at its cursor, and help."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from comfytui.sanitize import sanitize
from comfytui.ui.form.input_controls import InputFilter, ValueEditor
from comfytui.ui.form.input_help import help_text
from comfytui.ui.form.input_list import InputList
from comfytui.ui.form.input_rows import ALL_INPUTS, Heading, Item, Section, lines_of
from comfytui.ui.form.input_values import InputValues
from comfytui.ui.form.local_files import local_file
from comfytui.ui.form.value_dialogs import edit_text, pick_value
from comfytui.ui.form.workflow_inputs import WorkflowInputs
from comfytui.ui.widgets.text import Paragraph
from comfytui.workflow.field_keys import is_node_key
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.input_specs import InputSpec

MAX_PREVIEW = 300
"""Characters of the help line."""
MIN_EDITOR = 8
"""Cells of the narrowest editor."""


class InputPanel(Vertical):
    """Shows and edits the inputs of a workflow that have no control of their own.

    Args:
        source: The inputs.
        values: The values that differ from the workflow's.
    """

    class Edited(Message):
        """Posted when a value was changed."""

    @dataclass
    class FileNamed(Message):
        """Posted when a file of this machine is named where one of the server's is expected."""

        panel: "InputPanel"
        item: Item
        path: Path

    class DefinitionsNeeded(Message):
        """Posted when inputs of nodes are shown, for which the server's definitions are not known."""

    def __init__(self, source: WorkflowInputs, values: InputValues) -> None:
        super().__init__()
        self.values = values
        self._source = source
        self._node_sections: Sequence[Section] | None = source.nodes() if source.has_promoted else None
        """The sections of the nodes; None until they are needed."""
        self._is_open: dict[str, bool] = {}
        self._uploads: dict[FieldKey, Callable[[], object]] = {}
        """What ends each upload that goes on."""
        self._has_asked = False
        """Whether the definitions were asked for since the server was connected."""
        self._edited: Item | None = None
        """What the editor edits."""

    def compose(self) -> ComposeResult:
        """Compose the filter, the list, the editor and the help."""
        search = InputFilter(placeholder="find a node or an input", compact=True, id="input-filter")
        editor = ValueEditor(compact=True, id="input-editor", select_on_focus=False)
        search.cursor_blink = editor.cursor_blink = False
        search.display = editor.display = False
        yield search
        yield InputList(self.values, id="inputs")
        help_line = Paragraph(id="input-help", classes="help")
        help_line.display = False
        yield help_line
        yield editor

    def on_mount(self) -> None:
        """Show the lines."""
        self.inputs.edit = self._edit
        self._show()

    @property
    def inputs(self) -> InputList:
        """The list."""
        return self.query_one(InputList)

    @property
    def definitions(self) -> Mapping[str, Any]:
        """The server's definitions of node classes, as far as they are known."""
        return self._source.definitions

    @property
    def _query(self) -> str:
        return self.query_one(InputFilter).value

    def _show(self) -> None:
        if self._is_open.get(ALL_INPUTS) or self._query or any(map(is_node_key, self.values.texts)):
            self._read_nodes()
        sections = [self._source.fields(), *(self._node_sections or ())]
        lines = lines_of(sections, self._is_open, self._query)
        if self._node_sections is None:
            lines.append(Heading(ALL_INPUTS, ALL_INPUTS, 0))
        self.inputs.set_lines(lines)
        self._keep_in_view()

    def _keep_in_view(self) -> None:
        """Have the form show the list with the help below it, while it is used."""
        if self.has_focus_within:
            self.call_after_refresh(self.scroll_visible, animate=False)

    def _read_nodes(self) -> None:
        """Read the inputs of the nodes, and ask for the server's definitions of them."""
        if self._node_sections is None:
            self._node_sections = self._source.nodes()
        if not self._source.definitions and not self._has_asked:
            self._has_asked = True
            self.post_message(self.DefinitionsNeeded())

    def update(
        self, specs: Mapping[FieldKey, InputSpec] | None = None, definitions: Mapping[str, Any] | None = None
    ) -> None:
        """Take what the server says of inputs; values stay as they were typed.

        Args:
            specs: What fields accept; None if that is as before.
            definitions: The definitions of node classes; None if they are as before.
        """
        if specs is not None:
            self._source.specs = specs
            self._has_asked = False
        if definitions is not None:
            self._source.definitions = definitions
        if self._node_sections is not None:
            self._node_sections = self._source.nodes()
        self._show()

    # Values

    def items(self) -> Iterator[Item]:
        """Yield all inputs; those of the nodes only if they were read or a value of one was typed."""
        fields = [item for row in self._source.fields().rows for item in row.items]
        if not {item.key for item in fields}.issuperset(self.values.texts):
            self._read_nodes()
        yield from fields
        for section in self._node_sections or ():
            for row in section.rows:
                yield from row.items

    def read(self) -> dict[FieldKey, FieldValue] | None:
        """Return the values that differ from the workflow's, or None if one is wrong, which is highlighted."""
        self._close_editor(taken=True)
        items = list(self.items())
        for item in items:
            if self.values.is_changed(item) and self.values.error(item):
                self._reveal(item)
                return None
        return self.values.values(items)

    def show_refusal(self, key: FieldKey, message: str) -> bool:
        """Show the server's error at a value, and return whether there is such a value."""
        item = next((item for item in self.items() if item.key == key), None)
        if item is None:
            return False
        self.values.refuse(key, message)
        self._reveal(item)
        self.inputs.refresh_values()
        return True

    def _reveal(self, item: Item) -> None:
        """Open the section of a value that is wrong, and move the cursor to it."""
        for section in self._node_sections or ():
            if any(item in row.items for row in section.rows):
                self._is_open |= {section.name: True} | ({ALL_INPUTS: True} if section.is_node else {})
        self._clear_filter()
        self._show()
        self.inputs.select_item(item.key)
        self.inputs.add_class("-wrong")
        self._show_help()

    # The list

    def on_descendant_focus(self) -> None:
        """Show the help, and bring it into view with the list."""
        self.query_one("#input-help").display = True
        self.call_after_refresh(self.scroll_visible, animate=False)

    def on_descendant_blur(self) -> None:
        """Hide the help, unless the focus stays in this part."""
        self.query_one("#input-help").display = self.has_focus_within

    @on(InputList.Toggled)
    def _toggle(self, event: InputList.Toggled) -> None:
        event.stop()
        self._is_open[event.heading.name] = event.is_open
        self._show()

    @on(InputList.Changed)
    def _on_changed(self, event: InputList.Changed) -> None:
        event.stop()
        self.inputs.remove_class("-wrong")
        self._show_help()
        self.post_message(self.Edited())

    @on(InputList.Highlighted)
    def _on_highlighted(self, event: InputList.Highlighted) -> None:
        event.stop()
        self._show_help()

    def _show_help(self) -> None:
        line, item = self.query_one("#input-help", Paragraph), self.inputs.current_item
        line.set_text(sanitize(help_text(item, self.values), MAX_PREVIEW) if item else "")
        self._keep_in_view()

    # The filter

    def open_filter(self) -> None:
        """Show the filter and focus it."""
        control = self.query_one(InputFilter)
        control.display = True
        control.focus()
        self.scroll_visible(animate=False)

    def _clear_filter(self) -> None:
        control = self.query_one(InputFilter)
        with self.prevent(Input.Changed):
            control.value = ""
        control.display = False

    @on(InputFilter.Closed)
    def _close_filter(self, event: InputFilter.Closed) -> None:
        event.stop()
        if event.cleared:
            self._clear_filter()
            self._show()
        self.inputs.focus()

    @on(Input.Changed)
    def _on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if isinstance(event.input, InputFilter):
            self._show()

    @on(Input.Submitted)
    def _on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if isinstance(event.input, InputFilter):
            self.inputs.focus()
        else:
            self._close_editor(taken=True)
            self.inputs.focus()

    # The editor

    def _edit(self, item: Item, typed: str) -> None:
        """Edit a value; `typed` is what was typed or pasted already."""
        text, take = self.values.text(item), partial(self._take, item)
        if item.spec.kind == "file" and local_file(typed):
            self._take(item, typed)
        elif item.spec.kind in {"choice", "file"}:
            pick_value(self.app, item, text, typed, take)
        elif item.spec.multiline:
            edit_text(self.app, item, text + typed, take)
        else:
            self._edit_in_place(item, typed)

    # Uploads

    def show_upload(self, item: Item, text: str, cancel: Callable[[], object]) -> None:
        """Show the progress of an upload in the place of a value.

        Args:
            item: The input.
            text: What is shown.
            cancel: Ends the upload.
        """
        if self.is_attached:
            self._uploads[item.key] = cancel
            self.values.show_upload(item.key, text)
            self.inputs.refresh_values()
            self._show_help()

    def end_upload(self, item: Item, error: str = "") -> None:
        """Show the value again, and what went wrong."""
        self._uploads.pop(item.key, None)
        self.values.show_upload(item.key, "")
        if error:
            self.values.refuse(item.key, error)
        if self.is_attached:
            self.inputs.refresh_values()
            self._show_help()

    def take_upload(self, item: Item, name: str) -> None:
        """Use a file that the server has now."""
        if self.is_attached:
            self.inputs.change(item, name)

    def on_unmount(self) -> None:
        """Cancel uploads, of which nobody would take the files."""
        for cancel in self._uploads.values():
            cancel()

    @on(InputList.Cancelled)
    def _cancel_upload(self, event: InputList.Cancelled) -> None:
        event.stop()
        if cancel := self._uploads.get(event.item.key):
            cancel()

    def _take(self, item: Item, text: str) -> None:
        """Take the text of a value; a file of this machine has to be uploaded first."""
        if item.spec.kind == "file" and (path := local_file(text)):
            self.post_message(self.FileNamed(self, item, path))
        else:
            self.inputs.change(item, text)

    def _edit_in_place(self, item: Item, typed: str) -> None:
        column, line, cells = self.inputs.value_region()
        top = self.inputs.region.y - self.region.y
        editor, self._edited = self.query_one(ValueEditor), item
        cells = max(MIN_EDITOR, cells)
        editor.styles.offset = (min(column, self.size.width - cells), top + line)
        editor.styles.width = cells
        editor.value = typed.strip() if typed else self.values.text(item)
        editor.cursor_position = len(editor.value)
        editor.display = True
        # At once, since the next key is for the editor.
        self.screen.set_focus(editor, scroll_visible=False)

    @on(ValueEditor.Closed)
    def _on_editor_closed(self, event: ValueEditor.Closed) -> None:
        event.stop()
        if self._edited is None:
            return
        had_focus = self.query_one(ValueEditor).has_focus
        self._close_editor(taken=event.taken)
        if had_focus:
            self.inputs.focus()
            self.inputs.action_move(event.lines)

    def _close_editor(self, *, taken: bool) -> None:
        editor, item, self._edited = self.query_one(ValueEditor), self._edited, None
        editor.display = False
        if item is not None and taken:
            self.inputs.change(item, editor.value)
