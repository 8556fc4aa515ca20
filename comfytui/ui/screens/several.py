"""A dialog in which several choices of one field are marked: the batch makes an image of each."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from comfytui.sanitize import sanitize
from comfytui.ui.widgets.text import Line

MAX_SHOWN = 1_000
"""Choices that are listed; with more, a workflow for each is easier."""
MAX_NAME = 120
"""Characters of a choice that are shown."""


class SeveralScreen(ModalScreen[list[str] | None]):
    """Returns the marked choices in the order of the list, or None for escape.

    Args:
        heading: The name of the field.
        names: The choices.
        marked: Those that are marked at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="several-mark", priority=True),
        Binding("enter", "accept", "Take", id="several-accept", priority=True),
        Binding("escape", "dismiss(None)", "Cancel", key_display="esc", id="several-cancel"),
    ]

    def __init__(self, heading: str, names: Sequence[str], marked: Sequence[str]) -> None:
        super().__init__()
        self._heading = heading
        self._names = list(names[:MAX_SHOWN])
        self._marked = {name for name in marked if name in self._names}

    def compose(self) -> ComposeResult:
        """Compose the list and the keys that act on it."""
        with Vertical(classes="dialog"):
            yield Line(f"Several of {self._heading}: an image of each")
            yield OptionList(*(Option(self._label(name)) for name in self._names), markup=False, compact=True)
            yield Line("space mark   enter take   esc cancel", classes="help")

    def on_mount(self) -> None:
        """Begin at the first marked choice."""
        marked = [index for index, name in enumerate(self._names) if name in self._marked]
        self.query_one(OptionList).highlighted = marked[0] if marked else 0

    def _label(self, name: str) -> Text:
        return Text(f"[{'x' if name in self._marked else ' '}] {sanitize(name, MAX_NAME)}", no_wrap=True)

    def action_mark(self) -> None:
        """Mark the highlighted choice, or remove its mark."""
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return
        name = self._names[options.highlighted]
        self._marked ^= {name}
        options.replace_option_prompt_at_index(options.highlighted, self._label(name))

    def action_accept(self) -> None:
        """Return the marked choices."""
        self.dismiss([name for name in self._names if name in self._marked])
