"""One line of text that is painted only when its words change."""

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """A one-line label for live words; never markup."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(Text(text), id=id, classes=classes, markup=False)
        self._words = text

    @property
    def words(self) -> str:
        """What it says now."""
        return self._words

    def say(self, text: str) -> None:
        """Show other words; the same words again cost nothing. A width of `auto` is laid out anew."""
        if text != self._words:
            resized = len(text) != len(self._words) and self.styles.auto_dimensions
            self._words = text
            self.update(Text(text), layout=resized)
