"""What can be completed at the cursor in a prompt: an embedding, a LoRA, a wildcard or a tag."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from enum import Enum
from heapq import nsmallest
from typing import Final, NamedTuple

from comfytui.workflow.prompt_text.tag_list import Tag, spoken

MAX_LINE: Final = 2_000
"""Characters before the cursor that are looked at."""
MAX_FOUND: Final = 50
"""Entries that are offered."""
MIN_TAG: Final = 2
"""Characters of a tag that are typed before tags are offered."""
_MODEL_SUFFIX: Final = re.compile(r"\.(safetensors|pt|ckpt|pth|bin|sft)\Z", re.IGNORECASE)


class Kind(Enum):
    """What is completed."""

    EMBEDDING = re.compile(r"embedding:([^\s,():<>]*)\Z", re.IGNORECASE)
    LORA = re.compile(r"<lora:([^<>:\n]*)\Z", re.IGNORECASE)
    WILDCARD = re.compile(r"__((?:(?!__)[\w./\- ])*)\Z")
    TAG = re.compile(r"(?:^|[,(){}|\[\]\n])[ \t]*([^,(){}|<>:\[\]\n]+)\Z")


class Query(NamedTuple):
    """What was typed of an entry, up to the cursor."""

    kind: Kind
    text: str
    start: int
    """Where it starts in the line."""


class Entry(NamedTuple):
    """An entry that is offered."""

    name: str
    insert: str
    """What takes the place of what was typed."""
    detail: str = ""
    title: str = ""
    """What is shown in place of the name."""


def query_at(before: str) -> Query | None:
    """Return what could be completed after a line's text, or None."""
    cut = max(0, len(before) - MAX_LINE)
    text = before[cut:]
    for kind in Kind:
        matched = kind.value.search(text)
        if not matched or (kind is Kind.WILDCARD and text.count("__") % 2 == 0):
            continue
        if kind is Kind.TAG and (len(matched[1].strip()) < MIN_TAG or "__" in matched[1]):
            continue
        return Query(kind, matched[1], cut + matched.start(1))
    return None


class NameIndex:
    """Names of which some are found as something is typed: those that begin with it first.

    Args:
        kind: What the names are of.
        names: The names.
    """

    def __init__(self, kind: Kind, names: Sequence[str]) -> None:
        self._kind = kind
        self._names = names
        self._folded = [name.casefold().replace("\\", "/") for name in names]

    def find(self, text: str) -> list[Entry]:
        """Return the entries for what was typed, the best first."""
        typed = text.casefold().strip()
        ranked = ((_rank(folded, typed), index) for index, folded in enumerate(self._folded) if typed in folded)
        return [self._entry(self._names[index]) for _, index in nsmallest(MAX_FOUND, ranked)]

    def _entry(self, name: str) -> Entry:
        if self._kind is Kind.WILDCARD:
            return Entry(name, f"{name}__")
        title = _MODEL_SUFFIX.sub("", name)
        return Entry(name, f"{title}:1>" if self._kind is Kind.LORA else title, title=title)


def _rank(folded: str, typed: str) -> int:
    """Return 0 for a name or file name that begins with what was typed, and else 1."""
    return 0 if folded.startswith(typed) or folded.rpartition("/")[2].startswith(typed) else 1


class TagIndex:
    """Tags of which the most frequent are found that begin with what is typed, also under another name.

    It keeps texts and numbers only: as many other objects would be searched for garbage, which takes longer
    than a key may.

    Args:
        tags: The tags.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        ordered = sorted(tags, key=lambda tag: -tag.uses)
        self._names = [tag.name for tag in ordered]
        self._uses = array("Q", (tag.uses for tag in ordered))
        self._aliases = [",".join(tag.aliases) for tag in ordered]
        forms = [(_folded(form), index) for index, tag in enumerate(ordered) for form in (tag.name, *tag.aliases)]
        forms.sort()
        self._forms = [form for form, _ in forms]
        self._indices = array("L", (index for _, index in forms))
        """The tag of each form; those of frequent tags are the lowest."""
        self._text = "\n".join(self._forms)
        self._starts = array("Q")
        position = 0
        for form in self._forms:
            self._starts.append(position)
            position += len(form) + 1

    def find(self, text: str) -> list[Entry]:
        """Return the entries for what was typed, the most frequent first; those that only contain it last."""
        typed = _folded(text)
        if not typed:
            return []
        first = bisect_left(self._forms, typed)
        last = bisect_left(self._forms, f"{typed}\U0010ffff")
        found = nsmallest(MAX_FOUND, set(self._indices[first:last]))
        if len(found) < MAX_FOUND:
            inside = nsmallest(MAX_FOUND, {self._indices[place] for place in self._containing(typed)})
            found += [index for index in inside if index not in set(found)]
        return [self._entry(index, typed) for index in found[:MAX_FOUND]]

    def _containing(self, typed: str) -> list[int]:
        """Return the places of forms that have the typed text inside."""
        places: list[int] = []
        at = self._text.find(typed)
        while at >= 0 and len(places) < 5_000:
            place = bisect_left(self._starts, at + 1) - 1
            places.append(place)
            at = self._text.find(typed, self._starts[place] + len(self._forms[place]))
        return places

    def _entry(self, index: int, typed: str) -> Entry:
        name, uses, aliases = self._names[index], self._uses[index], self._aliases[index].split(",")
        alias = "" if typed in _folded(name) else next((each for each in aliases if typed in _folded(each)), "")
        count = f"{uses:,}" if uses else ""
        return Entry(spoken(name), f"{spoken(name, escape=True)}, ", f"{alias and f'{alias} → '}{count}")


def _folded(text: str) -> str:
    return text.strip().casefold().replace("_", " ")
