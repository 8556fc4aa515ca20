"""A dialog that asks for confirmation."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from comfytui.ui.widgets.text import Line


class ConfirmScreen(ModalScreen[bool | None]):
    """Returns True for y, False for n, and None for escape, which means that nothing is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm-yes"),
        Binding("n", "dismiss(False)", "No", id="confirm-no"),
        Binding("escape,q", "dismiss(None)", "Cancel", key_display="esc", id="confirm-cancel"),
    ]

    def __init__(self, question: str, *, yes: str = "yes", no: str = "no", cancel: str = "") -> None:
        """Create a dialog.

        Args:
            question: The question, of one or more lines.
            yes: The label of y.
            no: The label of n.
            cancel: The label of esc, if it differs from n.
        """
        super().__init__()
        self._question = question
        self._answers = f"y {yes}   n {no}" + (f"   esc {cancel}" if cancel else "")

    def compose(self) -> ComposeResult:
        """Compose the question and the keys that answer it."""
        with Vertical(classes="dialog"):
            yield Line(self._question)
            yield Line(self._answers, classes="help")
