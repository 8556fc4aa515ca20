"""Read a prompt's template: which of its braces and names stand for choices, and which are text.

A pair of braces is a choice if it has a `|` of its own, or begins with a count as in `{2$$…}`. Everything else is text
as it is typed: unclosed and empty braces, JSON, comments, addresses, unknown names. A backslash escapes braces,
bars and the names of wildcards.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

MAX_TEMPLATE: Final = 100_000
"""Characters of the longest template."""
MAX_DEPTH: Final = 20
"""Levels of choices in choices; what is deeper is text."""
MAX_PICKS: Final = 100
"""Options that one choice takes at once."""
MAX_WEIGHT: Final = 1e6

_WILDCARD: Final = re.compile(r"__(?!_)[~!@]?((?:(?!__)[\w./\\*\- ]){1,200})__(?!_)")
_BOUND: Final = re.compile(
    r"\s{0,20}[~!@]?\s{0,20}(?:(\d{1,9})\s{0,20}-\s{0,20}(\d{1,9})|-\s{0,20}(\d{1,9})|(\d{1,9})\s{0,20}(-?))\s{0,20}\$\$"
)
_SEPARATOR: Final = re.compile(r"([^${}]*)\$\$")
_SAMPLER: Final = re.compile(r"\s{0,20}[~!@]")
_WEIGHT: Final = re.compile(r"\s{0,20}(\d{0,9}\.?\d{0,9})::")
_JSON: Final = re.compile(r'\s{0,20}"[^"\n]{0,200}"\s{0,20}:')
_SYNTAX: Final = re.compile(r"\\[{}|]|[{}|]")
_BRACE: Final = re.compile(r"[{}]")
_ESCAPED: Final = re.compile(r"\\([{}])")
_ESCAPED_IN_CHOICE: Final = re.compile(r"\\([{}|])")


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The name of a wildcard."""

    name: str


@dataclass(frozen=True, slots=True)
class Option:
    """One of several texts of a choice."""

    parts: "Parts"
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A number of options, of which some are taken at random."""

    options: tuple[Option, ...]
    least: int = 1
    most: int = 1
    separator: str = ","


Parts: TypeAlias = tuple["str | Wildcard | Choice", ...]
"""What a template consists of, in its order."""


@dataclass(slots=True)
class _Braces:
    """A pair of braces, the bars between them and the pairs inside."""

    start: int
    end: int = -1
    bars: list[int] = field(default_factory=list)
    inner: "list[_Braces]" = field(default_factory=list)


def may_vary(text: str) -> bool:
    """Return whether a text may be a template, which is found out without reading it."""
    return "{" in text or "__" in text


def parse_template(text: str, is_wildcard: Callable[[str], bool]) -> Parts:
    """Return the parts of a template of at most `MAX_TEMPLATE` characters; never raises.

    Args:
        text: The template.
        is_wildcard: Whether a name between `__` is the name of a wildcard.
    """
    return tuple(_Reader(text, is_wildcard).parts(0, len(text), _pairs(text), 0))


def unknown_wildcards(text: str, is_wildcard: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the names between `__` in a text that are no wildcards, each once."""
    names = dict.fromkeys(matched[1] for matched in _WILDCARD.finditer(text[:MAX_TEMPLATE]))
    return tuple(name for name in names if not is_wildcard(name))


def escaped_text(text: str, is_wildcard: Callable[[str], bool]) -> str:
    """Return the template that becomes a text, whatever is in the text.

    Args:
        text: The text.
        is_wildcard: Whether a name between `__` is the name of a wildcard.
    """
    if not may_vary(text):
        return text
    parts = parse_template(text, is_wildcard)
    if all(isinstance(part, str) for part in parts) and "".join(map(str, parts)) == text:
        return text
    braces = _BRACE.sub(r"\\\g<0>", text)
    return _WILDCARD.sub(lambda name: f"\\{name[0]}" if is_wildcard(name[1]) else name[0], braces)


def _pairs(text: str) -> list[_Braces]:
    """Return the outermost pairs of braces; those without a partner are left out."""
    opened: list[_Braces] = [_Braces(-1)]
    for matched in _SYNTAX.finditer(text):
        match matched[0]:
            case "{":
                opened.append(_Braces(matched.start()))
            case "|":
                opened[-1].bars.append(matched.start())
            case "}" if len(opened) > 1:
                closed = opened.pop()
                closed.end = matched.start()
                opened[-1].inner.append(closed)
    # What is inside of a brace that is never closed belongs to the text around it.
    return [pair for brace in opened for pair in brace.inner]


class _Reader:
    """Reads the parts of one text."""

    def __init__(self, text: str, is_wildcard: Callable[[str], bool]) -> None:
        self._text = text
        self._is_wildcard = is_wildcard

    def parts(self, start: int, end: int, pairs: list[_Braces], depth: int) -> "Iterator[str | Wildcard | Choice]":
        """Yield the parts of a range of the text, whose outermost pairs of braces are given."""
        position = start
        for pair in pairs:
            choice = self._choice(pair, depth)
            yield from self._literals(position, pair.start if choice else pair.start + 1, depth)
            if choice:
                yield choice
                position = pair.end + 1
            else:
                inner = pair.inner if depth < MAX_DEPTH else []
                yield from self.parts(pair.start + 1, pair.end, inner, depth + 1)
                position = pair.end
        yield from self._literals(position, end, depth)

    def _literals(self, start: int, end: int, depth: int) -> Iterator[str | Wildcard]:
        """Yield the wildcards of a range without braces, and the text between them."""
        escaped = _ESCAPED_IN_CHOICE if depth else _ESCAPED
        position = start
        for matched in _WILDCARD.finditer(self._text, start, end):
            if self._is_wildcard(matched[1]):
                is_escaped = matched.start() > position and self._text[matched.start() - 1] == "\\"
                if before := self._text[position : matched.start() - is_escaped]:
                    yield escaped.sub(r"\1", before)
                yield matched[0] if is_escaped else Wildcard(matched[1])
                position = matched.end()
        if end > position:
            yield escaped.sub(r"\1", self._text[position:end])

    def _choice(self, pair: _Braces, depth: int) -> Choice | None:
        """Return the choice between two braces, or None if they are text."""
        if depth >= MAX_DEPTH or _JSON.match(self._text, pair.start + 1, pair.end):
            return None
        start = pair.start + 1
        bound = _BOUND.match(self._text, start, pair.end)
        if not bound and not pair.bars:
            return None
        separator = None
        if bound:
            start = bound.end()
            separator = _SEPARATOR.match(self._text, start, pair.end)
            start = separator.end() if separator else start
        elif sampler := _SAMPLER.match(self._text, start, pair.end):
            start = sampler.end()
        bars = [bar for bar in pair.bars if bar >= start]
        edges = [start - 1, *bars, pair.end]
        options = self._options(pairwise(edges), pair.inner, depth)
        least, most = _bounds(bound, len(options)) if bound else (1, 1)
        return Choice(options, least, most, separator[1] if separator else ",")

    def _options(self, edges: Iterator[tuple[int, int]], pairs: list[_Braces], depth: int) -> tuple[Option, ...]:
        options, remaining = [], iter([*pairs, None])
        pair = next(remaining)
        for before, end in edges:
            inner = []
            while pair and pair.start < end:
                inner.append(pair)
                pair = next(remaining)
            options.append(self._option(before + 1, end, inner, depth))
        weighted = [option for option in options if option.weight]
        return tuple(weighted or [Option(option.parts) for option in options])

    def _option(self, start: int, end: int, pairs: list[_Braces], depth: int) -> Option:
        matched = _WEIGHT.match(self._text, start, end)
        weight = _number(matched[1]) if matched else None
        if matched and weight is not None:
            start = matched.end()
        while start < end and self._text[start].isspace():
            start += 1
        parts = tuple(self.parts(start, end, pairs, depth + 1))
        return Option(parts, 1.0 if weight is None else min(weight, MAX_WEIGHT))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bounds(bound: re.Match[str], count: int) -> tuple[int, int]:
    """Return how many options a choice takes at least and at most."""
    low, high, only_high, exact, dash = bound.groups()
    if low:
        least, most = sorted((int(low), int(high)))
    elif only_high:
        least, most = 1, int(only_high)
    else:
        least, most = int(exact), count if dash else int(exact)
    return min(least, MAX_PICKS), min(max(most, least), MAX_PICKS)
