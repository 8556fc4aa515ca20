"""All keys on one page."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.ui import keys

KEY_CELLS = 17
LETTERS = "Letters act when no text field has the focus; esc leaves a field. The palette (ctrl+p) has every action."


class HelpScreen(ModalScreen[None]):
    """Lists the program's own keys; scrolls on small screens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", key_display="esc", id="help-close"),
    ]

    def compose(self) -> ComposeResult:
        """A table of keys."""
        table = Table.grid(padding=(0, 2))
        table.add_column(max_width=KEY_CELLS)
        table.add_column()
        for key, what in [*map(keys.told, keys.DASHBOARD), *keys.QUEUE]:
            table.add_row(Text(key, style="bold"), Text(what))
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Keys"
            yield Static(table)
            yield Static(Text(f"\n{LETTERS}"), classes="help")
