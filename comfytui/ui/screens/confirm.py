"""One question, answered with y, n or esc."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from comfytui.ui.widgets.text import Line


class ConfirmScreen(ModalScreen[bool | None]):
    """Answers True for y, False for n, and None, which means nothing is to be done, for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm-yes"),
        Binding("n", "dismiss(False)", "No", id="confirm-no"),
        Binding("escape,q", "dismiss(None)", "Cancel", key_display="esc", id="confirm-cancel"),
    ]

    def __init__(self, question: str, *, yes: str = "yes", no: str = "no", cancel: str = "") -> None:
        """Ask a question.

        Args:
            question: The question; it may have several lines.
            yes: What y does.
            no: What n does.
            cancel: What esc does, where that is not the same as n.
        """
        super().__init__()
        self._question = question
        self._answers = f"y {yes}   n {no}" + (f"   esc {cancel}" if cancel else "")

    def compose(self) -> ComposeResult:
        """The question, and the keys that answer it."""
        with Vertical(classes="dialog"):
            yield Line(self._question)
            yield Line(self._answers, classes="help")
