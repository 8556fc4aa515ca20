"""What a column has to hold: a bad disk, or another program, may have put a value of any type and size there."""

from math import isfinite

from comfytui.service.journal.text import LARGEST, unescaped
from comfytui.session.model import JobStatus

MOST_IMAGES = 1_000_000
"""Images that a batch may claim to have."""
SEED_DIGITS = 40
"""Digits of a seed: more than any server takes."""


def text(value: object) -> str:
    """A text as it was given to `escaped`. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return unescaped(value)


def text_or_none(value: object) -> str | None:
    """The same, or nothing."""
    return None if value is None else text(value)


def json_text(value: object) -> str | None:
    """A text as it stands there, or nothing. Raises ValueError for anything else."""
    if value is not None and not isinstance(value, str):
        raise ValueError("no text")
    return value


def blob(value: object) -> bytes | None:
    """Bytes or nothing. Raises ValueError for anything else."""
    if value is not None and not isinstance(value, bytes):
        raise ValueError("no bytes")
    return value


def number(value: object) -> float | None:
    """A number that can be calculated with, or nothing. Raises ValueError for anything else."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not isfinite(value) or abs(value) > LARGEST:
        raise ValueError("no number")
    return value


def whole(value: object, least: int, most: int) -> int:
    """A whole number between these two. Raises ValueError for anything else."""
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError("no such number")
    return value


def seed(value: object) -> int | None:
    """A seed, which is kept as text, or nothing. Raises ValueError for anything else."""
    if value is None:
        return None
    digits = text(value)
    if len(digits) > SEED_DIGITS:
        raise ValueError("no seed")
    return int(digits)


def status(value: object) -> JobStatus:
    """The status of a prompt. Raises ValueError for what is none."""
    return JobStatus(text(value))
