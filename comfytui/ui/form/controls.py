"""The form's controls without text input, which keep typed letters from acting as commands."""

from textual.events import Key
from textual.widgets import Button, Select
from textual.widgets._select import SelectOverlay


def types_character(character: str | None) -> bool:
    """Return whether a key types a character other than space, which opens a list or presses a button."""
    return character is not None and character.isprintable() and character != " "


class Choice(Select[str]):
    """A drop-down list that typing opens too, at the first option that contains what is typed."""

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Open the list and pass the letter on to it."""
        # Keys of the open list bubble up to here as well.
        if self.has_focus and types_character(event.character):
            event.stop()
            self.action_show_overlay()
            self.app.call_later(self._type_in_list, event)

    def _type_in_list(self, event: Key) -> None:
        self.query_one(SelectOverlay).post_message(Key(event.key, event.character))


class GenerateButton(Button):
    """The button that submits the form; letters typed on it do nothing."""

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Stop letters from reaching the commands."""
        if types_character(event.character):
            event.stop()
