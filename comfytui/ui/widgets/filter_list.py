"""A list of any number of entries that typing filters, with tabs for groups and a text about the highlighted entry."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input
from textual.worker import Worker

from comfytui.sanitize import sanitize
from comfytui.ui.widgets.entry_search import Entry, EntryGroup, Search
from comfytui.ui.widgets.filter_input import FilterInput
from comfytui.ui.widgets.group_tabs import GroupTabs
from comfytui.ui.widgets.match_list import MAX_TITLE, MatchList
from comfytui.ui.widgets.text import Paragraph

SLICE: Final = 0.008
"""Seconds that a search takes at once: keys and paints have their turn in between."""
SHOW_INTERVAL: Final = 0.1
"""Minimum seconds between two paints of what a search has found by then."""
DESCRIBE_DELAY: Final = 0.12
"""Seconds that the cursor rests on an entry before its description is asked for."""
MAX_DESCRIPTION: Final = 1_000
"""Characters of a description that are shown."""
ALL: Final = "All"
PARTS: Final = 5
"""Tabs, input, list, note and description."""

Describe = Callable[[Entry[Any]], Awaitable[str]]
"""Returns a text about an entry; it may take its time."""


class FilterList(Vertical):
    """Entries in groups, of which it shows those that contain all words that are typed.

    Args:
        groups: The groups. Where there are several, the first tab shows all of them.
        current: The index of the entry to begin with, in all groups together.
        describe: Returns a text about the entry under the cursor.
        typed: Makes a value of what is typed, to be taken if no entry matches; None if only entries can be taken.
        empty: The text to show while there is no entry at all.
        search: Finds the entries for what is typed.
        placeholder: The text to show while nothing is typed.
    """

    class Chosen(Message):
        """Posted when the user takes an entry, or what was typed."""

        def __init__(self, entry: Entry[Any]) -> None:
            super().__init__()
            self.entry = entry

    def __init__(
        self,
        groups: Sequence[EntryGroup[Any]] = (),
        *,
        current: int | None = None,
        query: str = "",
        describe: Describe | None = None,
        typed: Callable[[str], Any] | None = None,
        empty: str = "There is nothing to choose from.",
        search: type[Search[Any]] = Search,
        placeholder: str = "type to find",
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._groups = {group.name: group for group in groups}
        self._query = query
        self._tab = 0
        """0 for all groups, and then one for each."""
        self._describe = describe
        self._typed = typed
        self._empty = empty
        self._searcher = search
        self._search = search(groups, "")
        self._placeholder = placeholder
        self._current = current
        self._taken = ""

    def compose(self) -> ComposeResult:
        """Compose the tabs, the input, the list and the line about the entry under the cursor."""
        yield GroupTabs()
        control = FilterInput(self._query, placeholder=self._placeholder, compact=True, select_on_focus=False)
        control.cursor_blink = False
        yield control
        yield MatchList()
        yield Paragraph(id="note", classes="help")
        yield Paragraph(id="description", classes="help")

    def on_mount(self) -> None:
        """Show the entries, unless it is closed already."""
        if not self.is_complete:
            return
        self._show_tabs()
        if self._query:
            self._start_search()
        else:
            self.call_after_refresh(self._show, self._current)

    @property
    def is_complete(self) -> bool:
        """Whether all parts of it are there: while it closes, some are gone."""
        return self.is_attached and len(self.children) == PARTS

    @property
    def has_tabs(self) -> bool:
        """Whether there are several groups, between which tabs switch."""
        return len(self._groups) > 1

    @property
    def highlighted(self) -> Entry[Any] | None:
        """The entry under the cursor; None also while the list is not there yet, or no longer."""
        return self.query_one(MatchList).highlighted if self.is_complete else None

    @property
    def query_text(self) -> str:
        """What is typed."""
        return self.query_one(FilterInput).value

    def set_group(self, group: EntryGroup[Any]) -> None:
        """Add a group, or replace the one with its name; a cursor that was moved stays on its entry."""
        position, before = self.query_one(MatchList).chosen_position, self._offset_of(group.name)
        if (old := self._groups.get(group.name)) and position is not None and position >= before + len(old.entries):
            position += len(group.entries) - len(old.entries)
        self._groups[group.name] = group
        self._show_tabs()
        if group in self._shown_groups():
            self._start_search(position)

    def replace_groups(self, groups: Sequence[EntryGroup[Any]], current: int) -> None:
        """Show other groups, with the cursor on the entry of this index in all of them together.

        Of what is typed, the letters stay that came after an entry was taken: they are meant for these groups.
        """
        self._groups = {group.name: group for group in groups}
        self._tab = 0
        typed = self.query_text
        ahead = typed.removeprefix(self._taken) if typed.startswith(self._taken) else ""
        control, self._taken = self.query_one(FilterInput), ""
        with self.prevent(Input.Changed):
            control.value = ahead
            control.cursor_position = len(ahead)
        self._show_tabs()
        self._start_search(None if ahead else current)

    def take_query(self, text: str) -> None:
        """Note that what is typed was acted upon: `replace_groups` removes it."""
        self._taken = text

    def _offset_of(self, name: str) -> int:
        """Return the number of entries that are listed before those of a group."""
        groups = takewhile(lambda group: group.name != name, self._shown_groups())
        return sum(len(group.entries) for group in groups)

    def _shown_groups(self) -> list[EntryGroup[Any]]:
        groups = list(self._groups.values())
        return [groups[self._tab - 1]] if self._tab else groups

    def _show_tabs(self) -> None:
        groups = list(self._groups.values())
        tabs = self.query_one(GroupTabs)
        tabs.display = self.has_tabs
        tabs.show([ALL, *(_tab_label(group) for group in groups)], self._tab)

    # Search

    @on(Input.Changed)
    def _on_typed(self, event: Input.Changed) -> None:
        event.stop()
        self._start_search()

    def _run(self, work: Callable[[], Coroutine[None, None, None]], group: str) -> None:
        """Run a worker instead of the group's last one."""
        _: Worker[None] = self.run_worker(work, group=group, exclusive=True)

    def _start_search(self, position: int | None = None) -> None:
        """Search for what is typed, in the last result if it was for fewer letters, with the cursor at a position."""
        self._search = search = self._searcher(self._shown_groups(), self.query_text, self._search)
        search.step(SLICE)
        self._show(position)
        if not search.done:
            self._run(partial(self._search_on, search), "search")

    async def _search_on(self, search: Search[Any]) -> None:
        due = time.monotonic() + SHOW_INTERVAL
        while not search.done and search is self._search:
            await asyncio.sleep(0)
            search.step(SLICE)
            if search.done or time.monotonic() >= due:
                if search is self._search:
                    self._show()
                due = time.monotonic() + SHOW_INTERVAL

    def _show(self, position: int | None = None) -> None:
        if not self.is_complete:
            return
        search = self._search
        self.query_one(MatchList).show(search, self._empty_text(), position)
        notes = " ".join(group.note for group in self._shown_groups() if group.note and group.entries)
        self.query_one("#note", Paragraph).set_text(sanitize(notes, MAX_DESCRIPTION))
        shown = "" if not search.words else f"{len(search.found):,}{'' if search.done else '+'} of "
        self.border_subtitle = f"{shown}{search.total:,}"

    def _empty_text(self) -> str:
        search, typed = self._search, sanitize(self.query_text.strip(), 60)
        if not search.done:
            return "Searching…"
        notes = [group.note for group in self._shown_groups() if group.note]
        if not search.words or not search.total:
            return sanitize(notes[0], MAX_TITLE) if notes else self._empty
        if self._typed is not None:
            return f"Nothing matches '{typed}'; enter takes it as it is."
        return f"Nothing matches '{typed}'."

    # Groups

    @on(FilterInput.GroupSwitched)
    def _switch_by_key(self, event: FilterInput.GroupSwitched) -> None:
        event.stop()
        self._switch_to((self._tab + event.steps) % (len(self._groups) + 1))

    @on(GroupTabs.Chosen)
    def _switch_by_click(self, event: GroupTabs.Chosen) -> None:
        event.stop()
        self._switch_to(event.index)

    def _switch_to(self, tab: int) -> None:
        if self.has_tabs and tab != self._tab:
            self._tab = tab
            self._show_tabs()
            self._start_search()

    # The entry under the cursor

    @on(MatchList.Highlighted)
    def _on_highlighted(self, event: MatchList.Highlighted) -> None:
        event.stop()
        entry, matches = self.highlighted, self.query_one(MatchList)
        text = sanitize(entry.title, MAX_TITLE) if entry and matches.is_cut(entry) else ""
        self._show_description(text)
        if entry is not None and self._describe is not None:
            self._run(partial(self._ask, self._describe, entry), "describe")

    async def _ask(self, describe: Describe, entry: Entry[Any]) -> None:
        await asyncio.sleep(DESCRIBE_DELAY)
        text = await describe(entry)
        if self.is_complete and self.highlighted == entry:
            self._show_description(sanitize(text, MAX_DESCRIPTION))

    def _show_description(self, text: str) -> None:
        self.query_one("#description", Paragraph).set_text(text)

    @on(MatchList.Chosen)
    @on(Input.Submitted)
    def _take(self, event: Message) -> None:
        event.stop()
        # Letters behind the enter key may be in the input already.
        text = event.value if isinstance(event, Input.Submitted) else self.query_text
        typed = text.strip()
        self.take_query(text)
        if (entry := self.highlighted) is not None:
            self.post_message(self.Chosen(entry))
        elif self._typed is not None and typed and self._search.done:
            self.post_message(self.Chosen(Entry(typed, self._typed(typed))))


def _tab_label(group: EntryGroup[Any]) -> str:
    count = "…" if group.loading else f"{len(group.entries):,}" if group.entries else "!" if group.note else "0"
    return f"{group.name} {count}"
