"""What a form shows instead of fields while they are not known."""

from textual.events import Key

from comfytui.ui.form.controls import types_character
from comfytui.ui.widgets.text import Paragraph


class WaitingNote(Paragraph, can_focus=True):
    """A text that takes the focus of a form without fields; letters typed on it do nothing."""

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Stop letters from reaching the commands."""
        if types_character(event.character):
            event.stop()
