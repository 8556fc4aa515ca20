"""The note above the form's button: what was found in the workflow, with the way to the value that it is about."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.message import Message

from comfytui.ui.form.controls import types_character
from comfytui.ui.widgets.text import Paragraph
from comfytui.workflow.field_keys import FieldKey


class FindingNote(Paragraph):
    """A text that takes the focus if it is about a value; letters typed on it do nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "go", "Go to the value", id="note.go")]

    class Chosen(Message):
        """Posted when the user wants to change the value that the note is about."""

        def __init__(self, key: FieldKey) -> None:
            super().__init__()
            self.key = key

    key: FieldKey = ""
    """The value that it is about; empty for none."""

    def lead_to(self, key: FieldKey) -> None:
        """Let enter lead to a value; to none with an empty key."""
        self.key = key
        self.can_focus = bool(key)

    def action_go(self) -> None:
        """Ask for the value."""
        if self.key:
            self.post_message(self.Chosen(self.key))

    def on_click(self) -> None:
        """Ask for the value."""
        self.action_go()

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Stop letters from reaching the commands."""
        if types_character(event.character):
            event.stop()
