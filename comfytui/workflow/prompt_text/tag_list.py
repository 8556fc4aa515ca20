"""The user's list of tags: a CSV file as A1111's tag completion has it, `tag,category,count,"alias,alias"`."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from comfytui.sanitize import is_known_safe, sanitize

MAX_TAGS: Final = 200_000
"""Tags that are kept."""
MAX_TAG: Final = 200
"""Characters of the longest tag."""
MAX_ALIASES: Final = 20
"""Other names of one tag that are kept."""
MAX_CSV_BYTES: Final = 32 * 2**20
"""Bytes of the largest file that is read."""
_FACES: Final = 3
"""Up to this length, a tag such as `>_<` or `^_^` keeps its underscores."""


class Tag(NamedTuple):
    """A tag, and how often it is used."""

    name: str
    uses: int = 0
    aliases: tuple[str, ...] = ()


def load_tags(path: Path) -> list[Tag]:
    """Read the tags of a file, which may be missing; takes seconds for a long one, so not on the screen's thread.

    Lines that are none are left out.
    """
    try:
        if not path.is_file():  # A pipe would wait for its writer.
            return []
        with path.open("rb") as file:
            data = file.read(MAX_CSV_BYTES)
    except OSError:
        return []
    tags: list[Tag] = []
    rows = csv.reader(data.decode("utf-8-sig", "replace").splitlines())
    while len(tags) < MAX_TAGS:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error:
            continue
        if row and (name := _name(row[0])):
            tags.append(Tag(name, _count(row), tuple(_aliases(row))))
    return tags


def _count(row: list[str]) -> int:
    text = row[2].strip() if len(row) > 2 else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _aliases(row: list[str]) -> Iterator[str]:
    names = row[3].split(",")[:MAX_ALIASES] if len(row) > 3 else []
    return filter(None, map(_name, names))


def _name(text: str) -> str:
    """Return a name without what a prompt cannot show; empty if nothing is left of it, or it is too long."""
    text = text.strip()
    return "" if len(text) > MAX_TAG else text if is_known_safe(text) else sanitize(text)


def spoken(tag: str, *, escape: bool = False) -> str:
    """Return a tag as a prompt has it: with spaces, and where it is inserted, with escaped parentheses."""
    text = tag.replace("_", " ") if len(tag) > _FACES else tag
    return text.replace("(", r"\(").replace(")", r"\)") if escape else text
