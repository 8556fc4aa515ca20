"""Weights in a prompt, `(word:1.05)`: change the one at the cursor as ComfyUI's editor does.

An escaped parenthesis, `\\(`, is text, as it is for the server.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

WEIGHT_STEP: Final = 0.05
"""How much one key changes a weight, as in ComfyUI's editor."""

MAX_WEIGHT: Final = 1e6
"""The largest weight that is changed, positive or negative."""

_DELIMITERS: Final = frozenset(" .,\\/!?%^*;:{}=-_`~()\r\n\t")
"""Characters that end a word."""
_NUMBER: Final = r"[+-]?(?:\d*\.)?\d+(?:[eE][+-]?\d+)?"
_WEIGHTED: Final = re.compile(rf"\((.*):({_NUMBER})\)", re.DOTALL)
_TIME: Final = re.compile(r"(?:^|.*\s)\d{1,2}:\d{2}", re.DOTALL)
"""A text that ends in a time such as `12:30`, which is no weight."""


class Edit(NamedTuple):
    """A part of a text that is replaced, and then selected."""

    start: int
    end: int
    replacement: str

    def apply(self, text: str) -> str:
        """Return the text with the part replaced."""
        return text[: self.start] + self.replacement + text[self.end :]


def change_weight(text: str, start: int, end: int, delta: float) -> Edit | None:
    """Return the edit that changes the weight of the selection, or of the parenthesis or word at the cursor.

    Args:
        text: The whole text.
        start: Where the selection starts; the cursor if it is empty.
        end: Where it ends.
        delta: What is added to the weight. Text without a weight has 1; a weight of 1 is removed.

    Returns:
        The edit, or None if there is nothing whose weight could change.
    """
    if start == end:
        start, end = _parenthesis_at(text, start) or _word_at(text, start)
    elif text[end - 1] == " ":
        end -= 1
    if not text[start:end].strip():
        return None
    if _is_parenthesis(text, start - 1, "(") and _is_parenthesis(text, end, ")"):
        start, end = start - 1, end + 1
    replacement = _reweighted(text[start:end], delta)
    return Edit(start, end, replacement) if replacement is not None else None


def _reweighted(part: str, delta: float) -> str | None:
    if not _is_enclosed(part):
        part = f"({part})"
    matched = _WEIGHTED.fullmatch(part)
    inner, weight = (matched[1], matched[2]) if matched and not _TIME.fullmatch(part[1:-1]) else (part[1:-1], "1")
    changed = _format_weight(float(weight) + delta)
    if changed is None:
        return None
    return inner if changed == "1" else f"({inner}:{changed})"


def _format_weight(weight: float) -> str | None:
    """Return a weight without trailing zeros, or None if it is out of any sensible range."""
    if not abs(weight) <= MAX_WEIGHT:
        return None
    return f"{round(weight, 10) + 0:.10f}".rstrip("0").rstrip(".")


def _is_parenthesis(text: str, index: int, character: str) -> bool:
    """Return whether a character is a parenthesis that is not escaped."""
    return 0 <= index < len(text) and text[index] == character and not text.endswith("\\", 0, index)


def _is_enclosed(part: str) -> bool:
    """Return whether one pair of parentheses encloses all of a text."""
    return _is_parenthesis(part, 0, "(") and _closing(part, 1) == len(part) - 1


def _closing(text: str, index: int) -> int | None:
    """Return the index of the first unmatched closing parenthesis from an index on."""
    return _unmatched(text, range(index, len(text)), ")", "(")


def _opening(text: str, index: int) -> int | None:
    """Return the index of the last unmatched opening parenthesis before an index."""
    return _unmatched(text, range(index - 1, -1, -1), "(", ")")


def _unmatched(text: str, indices: Iterable[int], wanted: str, partner: str) -> int | None:
    """Return the first of these indices with a parenthesis whose partner is not among those before it."""
    depth = 0
    for at in indices:
        if _is_parenthesis(text, at, wanted):
            if not depth:
                return at
            depth -= 1
        elif _is_parenthesis(text, at, partner):
            depth += 1
    return None


def _parenthesis_at(text: str, cursor: int) -> tuple[int, int] | None:
    """Return the range inside the innermost parentheses around the cursor, or of those that open at it."""
    before = cursor if _is_parenthesis(text, cursor, "(") else _opening(text, cursor)
    if before is None:
        return None
    after = _closing(text, max(cursor, before + 1))
    return (before + 1, after) if after is not None else None


def _word_at(text: str, cursor: int) -> tuple[int, int]:
    start = end = cursor
    while start > 0 and text[start - 1] not in _DELIMITERS:
        start -= 1
    while end < len(text) and text[end] not in _DELIMITERS:
        end += 1
    return start, end
