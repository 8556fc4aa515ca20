"""A JSON object of long lists, read item by item: what an item is boiled down to stays, the item itself does not.

A queue of 10,000 graphs read at once is a hundred MB of Python values, and keeps other threads from running meanwhile.
"""

import re
from collections.abc import Callable
from json import JSONDecoder
from typing import Any, TypeVar

T = TypeVar("T")

_value_at = JSONDecoder().raw_decode
_gap_at = re.compile(r"[ \t\n\r]*").match


def read_lists(raw: bytes, boil: Callable[[Any], T | None]) -> dict[str, list[T]]:
    """The lists of a JSON object by name, each item boiled, without those that boil down to None.

    A value that is no list counts as an empty one; anything but an object is a ValueError.
    """
    try:
        return _object(raw.decode(), boil)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def _object(text: str, boil: Callable[[Any], T | None]) -> dict[str, list[T]]:
    lists: dict[str, list[T]] = {}
    at = _past(text, 0, "{")
    more = not text.startswith("}", at)
    while more:
        name, at = _value_at(text, at)
        if not isinstance(name, str):
            raise ValueError(f"no name in JSON before character {at}")
        at = _past(text, at, ":")
        if text.startswith("[", at):
            lists[name], at = _list(text, _past(text, at, "["), boil)
        else:
            lists[name], (_, at) = [], _value_at(text, at)
        at, more = _next(text, at, "}")
    return lists


def _list(text: str, at: int, boil: Callable[[Any], T | None]) -> tuple[list[T], int]:
    """The list whose first item is at `at`, and the place after it."""
    kept: list[T] = []
    if text.startswith("]", at):
        return kept, at + 1
    more = True
    while more:
        value, at = _value_at(text, at)
        if (boiled := boil(value)) is not None:
            kept.append(boiled)
        at, more = _next(text, at, "]")
    return kept, at


def _next(text: str, at: int, end: str) -> tuple[int, bool]:
    """The place of the next member and True, or the place after the end and False."""
    at = _skip(text, at)
    if text.startswith(end, at):
        return at + 1, False
    return _past(text, at, ","), True


def _past(text: str, at: int, sign: str) -> int:
    """The place of what follows a sign that has to be there."""
    at = _skip(text, at)
    if not text.startswith(sign, at):
        raise ValueError(f"no {sign} in JSON at character {at}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    gap = _gap_at(text, at)
    return gap.end() if gap else at
