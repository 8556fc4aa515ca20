"""Text over several lines: wrapped to the width that there is, and cut with an ellipsis where lines are missing."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.content import Content
from textual.geometry import Size

from comfytui.presentation.parameters_line import SEPARATOR
from comfytui.ui.widgets.line import Line


class Paragraph(Line):
    """Text of as many lines as its styles allow; where that is too few, the last one ends with an ellipsis."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The lines of the text at this width."""
        return len(self.wrap(width))

    def render(self) -> Text:
        """The lines that fit."""
        width, height = self.content_size
        return Text("\n".join(cut(self.wrap(width), width, height)))

    def wrap(self, width: int) -> list[str]:
        """The text in lines of at most `width` cells, broken between words."""
        if not self.words or width <= 0:
            return []
        return [line.plain.rstrip() for line in Content(self.words).wrap(width)]


class SettingsLine(Paragraph):
    """Settings of a job, broken only between two of them."""

    def wrap(self, width: int) -> list[str]:
        """The settings in lines of at most `width` cells, unless one is longer by itself."""
        return packed(self.words.split(SEPARATOR), width) if self.words and width > 0 else []


def packed(parts: Iterable[str], width: int) -> list[str]:
    """The parts in lines of at most `width` cells; the separator stands only between two parts of a line."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{SEPARATOR}{part}" if lines else part
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def cut(lines: list[str], width: int, height: int) -> list[str]:
    """The first `height` lines; an ellipsis ends the last one if there are more."""
    if len(lines) <= height:
        return lines
    kept = lines[:height]
    if kept:
        last = kept[-1]
        kept[-1] = (last if cell_len(last) < width else set_cell_size(last, width - 1).rstrip()) + "…"
    return kept
