"""The help: the keys that act on the current screen."""

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
from comfytui.ui.widgets.text import Line

KEY_CELLS = 17
COMMANDS_TITLE = "Commands (outside the form and text fields)"
FORM_BINDING_IDS = (
    "generate",
    "leave",
    "open-workflow",
    "find-input",
    "presets",
    "prompt-history",
    "expansions",
    "edit-prompt",
    "enlarge-prompt",
    "show-prompt",
    "undo-form",
)
"""The dashboard's bindings that act in the form too."""
OMITTED_BINDING_IDS = {"help-anywhere", "help", "raise-prompt-weight", "lower-prompt-weight"}
"""Those that other lines of the help describe."""

Keys = Iterable[tuple[str, str]]


def current_screen(screens: Sequence[Screen[Any]]) -> Screen[Any]:
    """Return the top screen of a stack, or the one below if the top is the command palette."""
    return next((each for each in reversed(screens) if not isinstance(each, CommandPalette)), screens[-1])


def keys_of(screen: Screen[Any]) -> Iterable[tuple[str, Keys]]:
    """Yield the keys that act on a screen, in groups with their titles."""
    own = {each.id: each for _, each in screen._bindings if each.id and each.description and each.action != "help"}
    if own.keys() >= {*FORM_BINDING_IDS}:
        listed = [each for each in keys.DASHBOARD_BINDINGS if keys.is_supported(screen, each)]
        known = {each.id or "": each for each in listed if each.id not in OMITTED_BINDING_IDS}
        yield "Form", [*(keys.describe(known.pop(name)) for name in FORM_BINDING_IDS), *keys.FORM_KEYS]
        yield COMMANDS_TITLE, [*keys.QUEUE_KEYS, *map(keys.describe, known.values())]
    elif own:
        listed_keys: Keys = getattr(screen, "list_keys", ())
        described = [
            (each.key_display or keys.describe(each)[0], each.tooltip or each.description) for each in own.values()
        ]
        yield "Here", [*listed_keys, *described]
    yield "Anywhere", keys.GLOBAL_KEYS


class HelpScreen(ModalScreen[None]):
    """Lists the keys of the screen below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", key_display="esc", id="help-close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._deferred: list[Callable[[], None]] = []

    def compose(self) -> ComposeResult:
        """Compose a table for each group of keys."""
        # Where tasks start eagerly (Python 3.12), this screen is not on the stack yet.
        screen = current_screen([each for each in self.app.screen_stack if each is not self])
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "esc closes"
            for title, group in keys_of(screen):
                yield Line(title, classes="help-title")
                yield Static(_table(group))

    def show_later(self, message: Callable[[], None]) -> None:
        """Defer a message, which would cover the help, until the help is closed.

        Args:
            message: Shows the message.
        """
        self._deferred.append(message)

    def on_unmount(self) -> None:
        """Show the deferred messages."""
        for message in self._deferred:
            message()


def _table(group: Keys) -> Table:
    """Return a table with the keys on the left and what they do on the right."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=KEY_CELLS)
    table.add_column()
    for key, what in group:
        table.add_row(Text(key, style="bold"), Text(what))
    return table
