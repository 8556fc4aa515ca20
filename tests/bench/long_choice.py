"""An app whose key `o` opens a picker: `python -m tests.bench.long_choice ENTRIES`."""

import sys

from textual.app import App, ComposeResult
from textual.widgets import Static

from comfytui.ui.form.name_entries import NameEntries
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.themes import DARK, STYLES
from comfytui.ui.widgets.entry_search import EntryGroup
from tests.bench.bare import READY

HEADING = "Long choice"


class LongChoice(App[None]):
    """Shows a text, and then the picker on top of it."""

    CSS_PATH = [STYLES / "app.tcss", STYLES / "picker.tcss"]  # noqa: RUF012
    BINDINGS = [("o", "open")]  # noqa: RUF012
    ascii = False

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.names = [f"folder {number % 97}/model {number}.safetensors" for number in range(entries)]

    def compose(self) -> ComposeResult:
        """Compose the text."""
        yield Static(READY)

    def action_open(self) -> None:
        """Open the picker."""
        self.push_screen(PickerScreen(HEADING, [EntryGroup("", NameEntries(self.names))]))


if __name__ == "__main__":
    LongChoice(int(sys.argv[1])).run()
