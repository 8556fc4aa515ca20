"""JSON values of any kind as the type that is expected: a malformed one counts as missing, and nothing raises."""

from collections.abc import Mapping
from math import isfinite
from typing import Any


def as_list(value: object) -> list[Any]:
    """Return a list, or an empty one for any other value."""
    return value if isinstance(value, list) else []


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one for any other value."""
    # Whether something is a `Mapping` takes far longer to find out, and nearly all values are one of these.
    if type(value) is dict:
        return value
    return value if value is not None and isinstance(value, Mapping) else {}


def as_text(value: object) -> str | None:
    """Return a text, or None for any other value."""
    return value if isinstance(value, str) else None


def node_number(value: object) -> int | None:
    """Return the number that an id is, or None."""
    if type(value) is int and value.bit_length() <= 64:
        return value
    key = id_text(value)
    digits = key.removeprefix("-") if key else ""
    return int(digits) * (-1 if key and key[0] == "-" else 1) if digits.isascii() and digits.isdigit() else None


def id_text(value: object) -> str | None:
    """Return the id of a node or link as text, or None if it is no id."""
    match value:
        case bool():
            return None
        case int() if value.bit_length() <= 64:
            return str(value)
        case float() if isfinite(value) and value == int(value) and abs(value) < 2**64:
            return str(int(value))
        case str() if 0 < len(value) <= 200:
            return value
        case _:
            return None
