"""The beginnings of ids that stand for them."""

from collections.abc import Collection, Iterable

SHORT_ID = 8
"""Characters of an id that stand for it, if no other id begins with them."""


def short_length(ids: Collection[str]) -> int:
    """Return how many characters of these ids tell them apart."""
    longest = max([SHORT_ID, *map(len, ids)])
    lengths = range(SHORT_ID, longest)
    return next((length for length in lengths if len({each[:length] for each in ids}) == len(ids)), longest)


def beginning_with(given: str, ids: Iterable[str]) -> list[str]:
    """Return the ids that begin as the given one, in upper or lower case; none if that is too short."""
    return [each for each in ids if each.lower().startswith(given.lower())] if len(given) >= SHORT_ID else []
