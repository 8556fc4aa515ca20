"""A screen to edit a text of several lines."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from comfytui.sanitize import sanitize
from comfytui.ui.form.prompt_area import PromptArea

MAX_HEADING = 60
"""Characters of the title that are shown."""


class TextScreen(ModalScreen[str]):
    """Returns the text when it is closed.

    Args:
        heading: What the text is.
        area: The text to begin with, and the tools to edit it.
        follow: Gets the text as it is typed, should the program end here.
        expand: Shows what the text becomes; None for one that is no prompt.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "take", "Done", key_display="esc", id="text-done"),
        Binding("f4", "expand", show=False, id="text-expansions"),
    ]

    def __init__(
        self,
        heading: str,
        area: PromptArea,
        follow: Callable[[str], object],
        expand: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._follow = follow
        self._heading = heading
        self._area = area
        self._expand = expand

    def compose(self) -> ComposeResult:
        """Compose the text."""
        with Vertical() as frame:
            frame.border_title = Text(sanitize(self._heading, MAX_HEADING))
            frame.border_subtitle = "esc takes it"
            yield self._area

    def on_mount(self) -> None:
        """Go to the end of the text."""
        self._area.move_cursor(self._area.document.end)

    def on_text_area_changed(self) -> None:
        """Pass on what is typed."""
        self._follow(self._area.text)

    def action_take(self) -> None:
        """Close the screen with the text."""
        self.dismiss(self._area.text)

    def action_expand(self) -> None:
        """Show what the text becomes."""
        if self._expand is not None:
            self._expand(self._area.text)

    def edit_externally(self) -> None:
        """Edit the text in the user's own editor."""
        self._area.action_edit_externally()
