"""The keys on one page: those that act in the place where the user is."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from comfytui.ui import keys
from comfytui.ui.widgets.line import Line

KEY_CELLS = 17
COMMANDS = "Commands (outside the form and text fields)"
FORM = ("generate", "leave")
"""Ids of the dashboard's keys that act in the form too."""

Keys = Iterable[tuple[str, str]]


def place_of(screens: Sequence[Screen[Any]]) -> Screen[Any]:
    """Where the user is: the top screen, or the one whose actions the command palette on top of it offers."""
    return next((each for each in reversed(screens) if not isinstance(each, CommandPalette)), screens[-1])


def keys_of(screen: Screen[Any]) -> Iterable[tuple[str, Keys]]:
    """The keys that act on a screen, under their titles."""
    own = {each.id: each for _, each in screen._bindings if each.id and each.description and each.action != "help"}
    if own.keys() >= {*FORM}:
        known = {each.id or "": each for each in keys.DASHBOARD_BINDINGS if each.action != "help"}
        yield "Form", [*(keys.describe(known.pop(name)) for name in FORM), *keys.FORM_KEYS]
        yield COMMANDS, [*keys.QUEUE_KEYS, *map(keys.describe, known.values())]
    elif own:
        yield (
            "Here",
            [(each.key_display or keys.describe(each)[0], each.tooltip or each.description) for each in own.values()],
        )
    yield "Anywhere", keys.GLOBAL_KEYS


class HelpScreen(ModalScreen[None]):
    """Lists the keys of the screen below it; scrolls on small screens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", key_display="esc", id="help-close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[Callable[[], None]] = []

    def compose(self) -> ComposeResult:
        """A table for each group of keys."""
        place = place_of(self.app.screen_stack[:-1])
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            for title, group in keys_of(place):
                yield Line(title, classes="help-title")
                yield Static(_table(group))

    def show_later(self, message: Callable[[], None]) -> None:
        """Keep a message that would cover the help until it is closed."""
        self._waiting.append(message)

    def on_unmount(self) -> None:
        """Show what came meanwhile."""
        for message in self._waiting:
            message()


def _table(group: Keys) -> Table:
    """Keys on the left, what they do on the right."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=KEY_CELLS)
    table.add_column()
    for key, what in group:
        table.add_row(Text(key, style="bold"), Text(what))
    return table
