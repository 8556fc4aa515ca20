"""The list of a search's matches, best first, which may grow while the search goes on."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.message import Message

from comfytui.presentation.formatting import SETTINGS_SEPARATOR
from comfytui.sanitize import sanitize
from comfytui.ui.widgets.entry_search import Entry, Search
from comfytui.ui.widgets.line_list import LineList
from comfytui.ui.widgets.marked_text import excerpt, parts
from comfytui.ui.widgets.text import cut

MAX_TITLE = 500
"""Characters of a title that are shown."""
MAX_SEARCHED = 5_000
"""Characters of a title in which the letters that match are looked for."""
MAX_DETAIL_SHARE = 0.4
"""The largest part of a line that a detail takes from its title."""


class MatchList(LineList, can_focus=False):
    """The matches of a search, with a cursor that stays on its entry when better matches are found."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "matches--title",
        "matches--detail",
        "matches--mark",
        "matches--cursor",
        "matches--cursor-blurred",
        "matches--empty",
    }

    class Highlighted(Message):
        """Posted when the cursor comes to another entry, or to none."""

    class Chosen(Message):
        """Posted when the user takes the entry under the cursor."""

    def __init__(self) -> None:
        super().__init__()
        self._search: Search[Any] = Search((), "")
        self._matches = self._search.found
        self._moved = False
        """Whether the user has moved the cursor from the best match."""
        self._empty = ""

    @property
    def highlighted(self) -> Entry[Any] | None:
        """The entry under the cursor."""
        return self._matches.entry(self._cursor) if self._matches else None

    @property
    def chosen_position(self) -> int | None:
        """The position of the entry to which the user has moved the cursor; None while it is on the best match."""
        return self._position if self._moved else None

    def show(self, search: Search[Any], empty: str, position: int | None = None) -> None:
        """Show a search, or what it has found since it was shown.

        Args:
            search: The search.
            empty: The text to show while there are no matches.
            position: The position of the entry under the cursor of a search that was not shown before; None for the
                best match.
        """
        before, previous, top = self.visible_lines(), self._position, None
        is_new, was_empty = search is not self._search, self._empty
        self._search, self._matches, self._empty = search, search.found, empty
        if is_new:
            self._moved = position is not None
            self._cursor = 0 if position is None else self._matches.index(position) or 0
            top = max(0, self._cursor - self.view_height // 2)
        elif self._moved and previous is not None:
            self._cursor = self._matches.index(previous) or 0
        self.show_changes(before, top)
        if not self._matches and empty != was_empty:
            self.refresh_line(0)
        if is_new or self._position != previous:
            self.post_message(self.Highlighted())

    @property
    def _position(self) -> int | None:
        return self._matches.position(self._cursor) if self._matches else None

    @property
    def line_count(self) -> int:
        """The number of matches."""
        return len(self._matches)

    def line_content(self, index: int) -> object:
        """Return the entry of a line, and which of its letters are marked."""
        entry = self._matches.entry(index)
        return entry, self._search.marks(sanitize(entry.title, MAX_SEARCHED))

    def render_row(self, index: int, width: int) -> Iterable[Segment]:
        """Return the title, and the detail at the right if there is room."""
        entry = self._matches.entry(index)
        detail = _shown_detail(entry, width)
        room = _title_room(width, detail)
        title, style = sanitize(entry.title, MAX_SEARCHED), self.cursor_style("title", index, "matches", focused=True)
        title, marks = excerpt(title, self._search.marks(title), room)
        yield Segment(" ", style)
        mark = style + self.get_component_rich_style("matches--mark", partial=True) if marks else style
        for text, is_marked in parts(title, marks):
            yield Segment(text, mark if is_marked else style)
        yield Segment(" " * (room - cell_len(title) + 1), style)
        if detail:
            yield Segment(f" {detail} ", self.cursor_style("detail", index, "matches", focused=True))

    def render_empty(self, width: int) -> Iterable[Segment]:
        """Return why there are no matches."""
        text = set_cell_size(f" {_cut(self._empty, width - 2)}", width)
        return [Segment(text, self.get_component_rich_style("matches--empty"))]

    def is_cut(self, entry: Entry[Any]) -> bool:
        """Return whether an entry's title is longer than its line shows."""
        width = self.scrollable_content_region.width
        return cell_len(sanitize(entry.title, MAX_TITLE)) > _title_room(width, _shown_detail(entry, width))

    def cursor_moved(self) -> None:
        """Tell that the cursor is on another entry."""
        self._moved = True
        self.post_message(self.Highlighted())

    def line_chosen(self) -> None:
        """Take the entry under the cursor."""
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """Take the entry that is clicked."""
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else -1
        if 0 <= index < self.line_count:
            self.move_to(index)
            self.line_chosen()


def _cut(text: str, cells: int) -> str:
    """Return a text made harmless, and cut at the right."""
    return cut(sanitize(text, MAX_TITLE), cells)


def _title_room(width: int, detail: str) -> int:
    return width - 2 - (cell_len(detail) + 2 if detail else 0)


def _shown_detail(entry: Entry[Any], width: int) -> str:
    """Return as many parts of an entry's detail as fit; the first one may be cut."""
    cells = int(width * MAX_DETAIL_SHARE)
    pieces = sanitize(entry.detail, MAX_TITLE).split(SETTINGS_SEPARATOR)
    while len(pieces) > 1 and cell_len(SETTINGS_SEPARATOR.join(pieces)) > cells:
        pieces.pop()
    return cut(SETTINGS_SEPARATOR.join(pieces), cells)
