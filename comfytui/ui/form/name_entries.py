"""Names as what a picker lists."""

from collections.abc import Sequence
from typing import overload

from comfytui.ui.widgets.entry_search import Entry, EntryGroup


class NameEntries(Sequence[Entry[str]]):
    """Names as entries of a picker, which are made when they are asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Entry[str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry[str]]: ...
    def __getitem__(self, index: int | slice) -> Entry[str] | list[Entry[str]]:
        if isinstance(index, slice):
            return [Entry(name, name) for name in self._names[index]]
        return Entry(self._names[index], self._names[index])


def name_group(names: Sequence[str]) -> EntryGroup[str]:
    """Return names as the only group of a picker."""
    return EntryGroup("", NameEntries(names))
