"""The form's controls without text input, which keep typed letters from acting as commands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text
from textual import on
from textual.events import Key
from textual.widgets import Button, Select
from textual.widgets._select import SelectCurrent, SelectOverlay

from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.ui.widgets.entry_search import Entry

MAX_OPTION: Final = 120
"""Characters of a choice that a drop-down list shows."""
MAX_IN_OVERLAY: Final = 50
"""Choices that a drop-down list shows below itself; of more, one is found sooner by typing in a picker."""

SEVERAL_KEY: Final = ","
"""What is typed to mark several choices."""
SEVERAL_SEPARATOR: Final = ", "
"""What is between several choices."""


def types_character(character: str | None) -> bool:
    """Return whether a key types a character other than space, which opens a list or presses a button."""
    return character is not None and character.isprintable() and character != " "


def select_options(names: Sequence[str]) -> list[tuple[Text, str]]:
    """Return the options of a drop-down list: what is shown, and the value."""
    return [(_option_label(name), name) for name in names]


def _option_label(name: str) -> Text:
    # Without a space to wrap at, several choices are cut at the end of the line.
    return Text(sanitize(name, MAX_OPTION).removesuffix(".safetensors").replace(SEVERAL_SEPARATOR, ",\u00a0"))


class Choice(Select[str]):
    """A drop-down list that typing opens too, at the first option that contains what is typed.

    Many options are shown in a picker instead, and cost nothing before.

    Args:
        heading: The title of the picker.
        names: The options.
        value: The option that is chosen; it need not be one of the names.
        options: Further arguments of `Select`.
    """

    def __init__(self, heading: str, names: Sequence[str], value: str, **options: Any) -> None:
        self._names: Sequence[str] = ()
        listed, self._many = _split(names, value)
        super().__init__(select_options(listed), value=value, allow_blank=False, compact=True, **options)
        self._heading = heading

    def set_names(self, names: Sequence[str], value: str) -> None:
        """Replace the options.

        Args:
            names: The options.
            value: The option that is chosen; it need not be one of the names.
        """
        self._names = names
        listed, self._many = _split(names, value)
        self.set_options(select_options(listed))
        self.value = value

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Open the list and pass the letter on to it."""
        # Keys of the open list bubble up to here as well.
        if self.has_focus and types_character(event.character):
            event.stop()
            if event.character == SEVERAL_KEY and self._names:
                self._open_several()
            elif self._many:
                self._open_picker(event.character or "")
            else:
                self.action_show_overlay()
                self.app.call_later(self._type_in_list, event)

    def _type_in_list(self, event: Key) -> None:
        self.query_one(SelectOverlay).post_message(Key(event.key, event.character))

    def action_show_overlay(self) -> None:
        """Open the list."""
        if self._many:
            self._open_picker()
        else:
            super().action_show_overlay()

    @on(SelectCurrent.Toggle)
    def _open_by_click(self, event: SelectCurrent.Toggle) -> None:
        if self._many:
            event.prevent_default().stop()
            self.focus()
            self._open_picker()

    def _open_several(self) -> None:
        """Mark several of the server's choices, which are then one option of their own."""
        from comfytui.ui.screens.several import SeveralScreen

        value = str(self.value)
        marked = [value] if value in self._names else value.split(SEVERAL_SEPARATOR)
        self.app.push_screen(SeveralScreen(self._heading, self._names, marked), self._take_several)

    def _take_several(self, names: list[str] | None) -> None:
        if names:
            self.put(SEVERAL_SEPARATOR.join(names))

    def put(self, value: str) -> None:
        """Choose an option, which need not be one of the names."""
        self.set_options(select_options(_split(self._names, value)[0]))
        self.value = value

    def _open_picker(self, query: str = "") -> None:
        # Imported late: the first paint does not need them.
        from comfytui.ui.form.name_entries import name_group
        from comfytui.ui.screens.picker import PickerScreen

        names = self._many
        current = names.index(self.value) if self.value in names else None
        self.app.push_screen(PickerScreen(self._heading, [name_group(names)], current=current, query=query), self._take)

    def _take(self, entry: "Entry[str] | None") -> None:
        if entry is not None and entry.value != self.value:
            self.set_options(select_options([entry.value]))


def _split(names: Sequence[str], value: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return the options that a drop-down list shows itself, and those that a picker shows."""
    if len(names) > MAX_IN_OVERLAY:
        return [value], names
    return [*names, *([] if value in names else [value])], ()


class GenerateButton(Button):
    """The button that submits the form; letters typed on it do nothing."""

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Claim letters, so that the footer shows no commands for them."""
        return types_character(character)

    def on_key(self, event: Key) -> None:
        """Stop letters from reaching the commands."""
        if types_character(event.character):
            event.stop()
