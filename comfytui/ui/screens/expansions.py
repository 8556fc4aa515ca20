"""Ten texts that a prompt's variations may become, with their seeds."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from comfytui.sanitize import sanitize, sanitize_lines
from comfytui.ui.widgets.footer import KeyFooter

MAX_TEXT = 4_000
"""Characters of a text that are shown."""


class ExpansionsScreen(Screen[None]):
    """Shows texts with their seeds.

    Args:
        heading: What they are of.
        expansions: Seeds and texts.
        note: What is worth knowing about them; empty for nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f4", "app.pop_screen", "Back", key_display="esc", id="expansions-back"),
        Binding("down,j", "scroll(1)", "Scroll", key_display="↑↓", id="expansions-down"),
        Binding("up,k", "scroll(-1)", show=False, id="expansions-up"),
    ]

    def __init__(self, heading: str, expansions: Sequence[tuple[int, str]], note: str = "") -> None:
        super().__init__()
        self._heading = heading
        self._expansions = expansions
        self._note = note

    def compose(self) -> ComposeResult:
        """Compose the texts, each below its seed."""
        text = Text().append(self._heading, "bold")
        if self._note:
            text.append(f"\n{sanitize(self._note, 400)}")
        for seed, expanded in self._expansions:
            text.append(f"\n\nseed {seed}\n", "dim").append(sanitize_lines(expanded[:MAX_TEXT]))
        with VerticalScroll(can_focus=False):
            yield Static(text, markup=False)
        yield KeyFooter()

    def action_scroll(self, direction: int) -> None:
        """Scroll by a line: down (1) or up (-1)."""
        self.query_one(VerticalScroll).scroll_relative(y=direction, animate=False)
