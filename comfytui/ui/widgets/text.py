"""Text widgets that repaint only when their text changes: one line, or as many as fit with an ellipsis at the end."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static

from comfytui.presentation.formatting import SETTINGS_SEPARATOR


class Line(Static):
    """A label of one line whose text changes; never markup."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(Text(text), id=id, classes=classes, markup=False)
        self._text = text

    @property
    def text(self) -> str:
        """The text that is shown."""
        return self._text

    def set_text(self, text: str) -> None:
        """Show another text; the same text costs nothing. A width of `auto` is laid out again."""
        if text != self._text:
            resized = len(text) != len(self._text) and self.styles.auto_dimensions
            self._text = text
            self.update(Text(text), layout=resized)


class NameLine(Line):
    """A name that is cut in the middle where it does not fit, since names often differ at their ends."""

    def render(self) -> Text:
        """Render what fits."""
        return Text(cut_middle(self.text, self.content_size.width))


class Paragraph(Line):
    """Text of as many lines as its styles allow; an ellipsis marks that more lines follow."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines of the text at this width."""
        return len(self.wrap(width))

    def render(self) -> Text:
        """Render the lines that fit."""
        width, height = self.content_size
        return Text("\n".join(truncate_lines(self.wrap(width), width, height)))

    def wrap(self, width: int) -> list[str]:
        """Break the text between words into lines of at most `width` cells."""
        if not self.text or width <= 0:
            return []
        return [line.plain.rstrip() for line in Content(self.text).wrap(width)]


class SettingsLine(Paragraph):
    """The settings of a job (a `parameters_line`), broken only between two settings."""

    def wrap(self, width: int) -> list[str]:
        """Break the settings into lines of at most `width` cells, unless a single one is longer."""
        return pack_lines(self.text.split(SETTINGS_SEPARATOR), width) if self.text and width > 0 else []


def pack_lines(parts: Iterable[str], width: int) -> list[str]:
    """Join the parts to lines of at most `width` cells, with the separator only between two parts of a line."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{SETTINGS_SEPARATOR}{part}" if lines else part
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def truncate_lines(lines: list[str], width: int, height: int) -> list[str]:
    """Return the first `height` lines; an ellipsis ends the last one if there are more."""
    if len(lines) <= height:
        return lines
    kept = lines[:height]
    if kept:
        last = kept[-1]
        kept[-1] = (last if cell_len(last) < width else set_cell_size(last, width - 1).rstrip()) + "…"
    return kept


def cut(text: str, cells: int) -> str:
    """Return a text cut at the right to so many cells, with an ellipsis where something is missing."""
    if cell_len(text) <= cells:
        return text
    return f"{set_cell_size(text, cells - 1).rstrip()}…" if cells > 0 else ""


def cut_middle(text: str, cells: int) -> str:
    """Return a text of at most so many cells; a longer one has an ellipsis in its middle."""
    if cell_len(text) <= cells:
        return text
    end = text
    while cell_len(end) > cells // 2:
        end = end[1:]
    return f"{cut(text, cells - cell_len(end))}{end}"


def cut_left(text: str, cells: int) -> str:
    """Return a text of at most so many cells; a longer one begins with an ellipsis."""
    if cell_len(text) <= cells:
        return text
    while text and cell_len(text) > cells - 1:
        text = text[1:]
    return f"…{text}"
