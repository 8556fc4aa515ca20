"""The form's controls that hold no text: no letter typed on one of them is a command."""

from textual.events import Key
from textual.widgets import Button, Select
from textual.widgets._select import SelectOverlay


def is_text(character: str | None) -> bool:
    """Whether a key types something; space is what opens a list."""
    return character is not None and character.isprintable() and character != " "


class Choice(Select[str]):
    """A drop-down list that a letter opens too, at the first name that contains it."""

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Letters are the list's own, so that the footer shows no command for them."""
        return is_text(character)

    def on_key(self, event: Key) -> None:
        """Open the list, and hand the letter to it once it has the focus."""
        # The keys of an open list come by here as well.
        if self.has_focus and is_text(event.character):
            event.stop()
            self.action_show_overlay()
            self.app.call_later(self._search, event)

    def _search(self, event: Key) -> None:
        self.query_one(SelectOverlay).post_message(Key(event.key, event.character))


class GenerateButton(Button):
    """The button that sends the form off; letters typed on it do nothing."""

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Letters are no commands here, so that the footer shows none."""
        return is_text(character)

    def on_key(self, event: Key) -> None:
        """Keep letters from the commands."""
        if is_text(event.character):
            event.stop()
