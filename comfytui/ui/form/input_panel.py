"""The part of the form that lists inputs: a filter, the list, and an editor at its cursor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from comfytui.sanitize import sanitize
from comfytui.ui.form.input_controls import InputFilter, ValueEditor
from comfytui.ui.form.input_help import help_text
from comfytui.ui.form.input_list import InputList
from comfytui.ui.form.input_rows import FieldLink, Item
from comfytui.ui.form.input_sections import InputSections
from comfytui.ui.form.input_uploads import InputUploads
from comfytui.ui.form.input_values import InputValues
from comfytui.ui.form.value_editing import ValueEditing
from comfytui.ui.form.workflow_inputs import WorkflowInputs
from comfytui.ui.widgets.text import Paragraph
from comfytui.workflow.axes import Axes
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.input_specs import InputSpec

if TYPE_CHECKING:
    from comfytui.ui.screens.text import TextScreen

FILTER_ID: Final = "input-filter"
"""The id of the filter."""
MAX_HELP: Final = 300
"""Characters of the help line."""
MAX_QUERY: Final = 60
"""Characters of the filter's text in a message."""


class InputPanel(Vertical):
    """Shows and edits the inputs of a workflow that have no control of their own.

    Args:
        source: The inputs.
        values: The values that differ from the workflow's.
        help_line: Shows the help on an input, while this part of the form has the focus.
    """

    class Edited(Message):
        """Posted when a value was changed."""

    @dataclass
    class FileNamed(Message):
        """Posted when a file of this machine is named where one of the server's is expected."""

        panel: "InputPanel"
        item: Item
        path: Path
        mask_of: str = ""
        """The picture of the server that the file is a mask for, as an input names it; empty for a file of its own."""

    @dataclass
    class FieldWanted(Message):
        """Posted when the user wants to go to a field that has a control of its own."""

        key: FieldKey

    @dataclass
    class ExpansionsAsked(Message):
        """Posted when the user wants to see what the variations of a prompt become."""

        key: FieldKey
        text: str

    class DefinitionsNeeded(Message):
        """Posted when inputs of nodes are shown, for which the server's definitions are not known."""

    def __init__(self, source: WorkflowInputs, values: InputValues, help_line: Paragraph) -> None:
        super().__init__()
        self.values = values
        self._sections = InputSections(source)
        self._help = help_line
        self._editor = ValueEditor(id="input-editor")
        self.inputs = InputList(values, id="inputs")
        """The list."""
        self.uploads = InputUploads(self.inputs, self._show_help)
        """The uploads that go on."""
        self._shown_query = ""
        """The words that the list was filtered by last."""
        self._left_control = ""
        """The id of what had the focus before the filter."""
        self._editing = ValueEditing(self, self._editor, source.prompt_weights)

    def compose(self) -> ComposeResult:
        """Compose the filter, the list and the editor."""
        yield InputFilter(self._return_from_filter, self._focus_list, self._go_to_found, id=FILTER_ID)
        yield self.inputs
        yield self._editor

    def on_mount(self) -> None:
        """Show the lines."""
        self.inputs.edit = self._editing.edit
        self._show()

    @property
    def definitions(self) -> Mapping[str, Any]:
        """The server's definitions of node classes, as far as they are known."""
        return self._sections.definitions

    @property
    def is_waiting(self) -> bool:
        """Whether the inputs are not known yet: the filter may be written in, but there is no list."""
        return not self.inputs.display

    @property
    def _query(self) -> str:
        return self.query_one(InputFilter).value

    def _show(self) -> None:
        query = self._shown_query = self._query
        if self.is_waiting:
            return
        empty = f"Nothing matches '{sanitize(query.strip(), MAX_QUERY)}'." if query.strip() else ""
        self.inputs.set_lines(self._sections.lines(query, self.values.texts), empty)
        if query.strip() and self.query_one(InputFilter).has_focus:
            self.inputs.select_first()
        self._ask_for_definitions()

    def _ask_for_definitions(self) -> None:
        if self._sections.needs_definitions():
            self.post_message(self.DefinitionsNeeded())

    def update(
        self, specs: Mapping[FieldKey, InputSpec] | None = None, definitions: Mapping[str, Any] | None = None
    ) -> None:
        """Take what the server says of inputs, see `InputSections.update`; values stay as they were typed."""
        self._sections.update(specs, definitions)
        self._show()

    # Values

    def items(self) -> list[Item]:
        """Return all inputs; those of the nodes only if they were read or a value of one was typed."""
        return [*self._sections.items(self.values.texts)]

    def axes(self) -> Axes:
        """Return the values of the inputs that have several; what is wrong has none."""
        return self.values.axes(self.items()) if self.values.texts else {}

    def texts(self) -> dict[FieldKey, str]:
        """Return the texts that differ from the workflow's, with that which is edited in its place."""
        return {**self.values.texts, **self._editing.texts()}

    def read(self) -> dict[FieldKey, FieldValue] | None:
        """Return the values that differ from the workflow's, or None if one is wrong, which is highlighted."""
        self._editing.close(taken=True)
        items = self.items()
        self._ask_for_definitions()
        for item in items:
            if fault := self.values.fault(item):
                if self.values.upload(item):  # Its progress stands where errors do.
                    self.notify(fault, severity="warning")
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

    def go_to(self, key: FieldKey) -> None:
        """Focus a value, and ask for the file if it is one."""
        item = next((item for item in self._sections.items((key,)) if item.key == key), None)
        if item is None:
            return
        self._show_item(item)
        self.inputs.focus()
        if item.spec.kind == "file":
            self._editing.edit(item, "")

    def _reveal(self, item: Item) -> None:
        """Move the cursor to a value that is wrong."""
        self._show_item(item)
        self.inputs.add_class("-wrong")
        self._show_help()

    def _show_item(self, item: Item) -> None:
        """Open the section of a value, and move the cursor to it."""
        self._sections.open_item(item)
        self._clear_filter()
        self._show()
        self.inputs.select_item(item.key)

    # The list

    @on(InputList.Followed)
    def _on_link_followed(self, event: InputList.Followed) -> None:
        event.stop()
        self.post_message(self.FieldWanted(event.key))

    def on_descendant_focus(self) -> None:
        """Show the help."""
        self._help.display = True

    def on_descendant_blur(self) -> None:
        """Hide the help, unless the focus stays in this part."""
        self._help.display = self.has_focus_within

    @on(InputList.Toggled)
    def _toggle(self, event: InputList.Toggled) -> None:
        event.stop()
        self._sections.open(event.heading.name, event.is_open)
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
        item = self.inputs.current_item
        text = help_text(item, self.values, whole=self.inputs.is_current_cut) if item else ""
        self._help.set_text(sanitize(text, MAX_HELP))
        # Longer help leaves less room above it.
        self.call_after_refresh(self.inputs.reveal)

    # The filter

    def open_filter(self) -> None:
        """Show the filter at the top of the view, where it stays while the list gets shorter, and focus it at once."""
        self._show_filter()
        control, focused = self.query_one(InputFilter), self.screen.focused
        if focused is not None and focused is not control:
            self._left_control = focused.id or ""
        self.screen.set_focus(control, scroll_visible=False)

    @property
    def is_filter_open(self) -> bool:
        """Whether the filter is shown."""
        return self.query_one(InputFilter).display

    def _show_filter(self) -> None:
        control = self.query_one(InputFilter)
        control.display = self.display = True
        if not self.is_waiting:
            self.add_class("-filtered")
            self._scroll_to_filter()

    def _scroll_to_filter(self) -> None:
        self.call_after_refresh(self.query_one(InputFilter).scroll_visible, top=True, animate=False)

    def on_resize(self) -> None:
        """Keep the filter at the top, for which there may have been no room below it before."""
        if self.query_one(InputFilter).has_focus and not self.is_waiting:
            self._scroll_to_filter()

    def continue_from(self, other: "InputPanel") -> None:
        """Show what the list of another form of the same workflow shows, filtered as it is."""
        self._sections.open_as(other._sections)
        if other.is_filter_open:
            with self.prevent(Input.Changed):
                self.query_one(InputFilter).value = other._query
            self._show_filter()
        self._show()
        if not other.is_waiting:
            self._left_control = other._left_control
        if item := other.inputs.current_item:
            self.inputs.select_item(item.key)
        elif other.query_one(InputFilter).has_focus:
            self.inputs.select_first()

    def close_filter(self) -> None:
        """Hide the filter, and list all inputs again."""
        self._clear_filter()
        self._show()

    def _clear_filter(self) -> None:
        control = self.query_one(InputFilter)
        with self.prevent(Input.Changed):
            control.value = ""
        control.display = False
        self.display = not self.is_waiting
        self.remove_class("-filtered")

    def _return_from_filter(self) -> None:
        # Before it is hidden: a filter with the focus would give it away.
        self.screen.set_focus(self._control_to_return_to(), scroll_visible=False)
        self.close_filter()
        self.call_after_refresh(self._scroll_to_focused)

    def _control_to_return_to(self) -> Widget:
        """Return what had the focus before the filter, or else the list."""
        named = (each for each in self.screen.query("*") if each.id == self._left_control and each.focusable)
        return next((each for each in named if all(part.display for part in each.ancestors_with_self)), self.inputs)

    def _scroll_to_focused(self) -> None:
        if (focused := self.screen.focused) is not None and focused is not self.inputs:
            focused.scroll_visible(animate=False)

    def _focus_list(self) -> None:
        self._follow_query()
        if not self.is_waiting:
            self.screen.set_focus(self.inputs)

    def _go_to_found(self) -> None:
        self._follow_query()
        if isinstance(line := self.inputs.current, FieldLink):
            self.post_message(self.FieldWanted(line.key))
        else:
            self._focus_list()

    def _follow_query(self) -> None:
        """Show what matches, unless it is shown; the keys of a burst are faster than the messages about them."""
        if self._query != self._shown_query:
            self._show()

    @on(Input.Changed)
    def _on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if isinstance(event.input, InputFilter):
            self._follow_query()
        else:
            self.post_message(self.Edited())

    @on(Input.Submitted)
    def _on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._editing.close(taken=True)
        self.inputs.focus()

    # The editor

    @property
    def text_in_use(self) -> Item | None:
        """The text of several lines under the cursor of the list, if the list has the focus."""
        item = self.inputs.current_item if self.inputs.has_focus else None
        return item if item is not None and item.spec.multiline else None

    def open_text(self, item: Item) -> "TextScreen":
        """Show a text of several lines on the whole screen."""
        return self._editing.edit_text(item, self.values.text(item))

    def on_unmount(self) -> None:
        """Cancel uploads, of which nobody would take the files."""
        self.uploads.cancel_all()

    @on(InputList.Cancelled)
    def _cancel_upload(self, event: InputList.Cancelled) -> None:
        event.stop()
        self.uploads.cancel(event.item)

    @on(ValueEditor.Closed)
    def _on_editor_closed(self, event: ValueEditor.Closed) -> None:
        event.stop()
        had_focus = self._editor.has_focus
        if self._editing.close(taken=event.taken) and had_focus:
            self.inputs.focus()
            self.inputs.action_move(event.lines)
