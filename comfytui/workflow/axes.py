"""Axes of a batch: a field with several values, `20, 30`, `5..8:1` or `euler, heun`, makes an image of each.

The cells of a batch are all combinations of the values of its axes.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from typing import Final

from comfytui.sanitize import sanitize
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.input_specs import MAX_NUMBER_LENGTH, InputSpec, parse_input

MAX_VALUES: Final = 100
"""Values of one axis."""
MAX_NAMED_COUNT: Final = 10**12
"""Numbers of values from which on a message does not name them."""
MAX_AXIS_TEXT: Final = 20_000
"""Characters of the longest text of an axis."""
_KINDS: Final = frozenset({"int", "float", "choice"})
"""Kinds of inputs that may have several values."""
_RANGE: Final = re.compile(r"([^:]+?)\.\.(?!\.)([^:]+?)(?::([^:]+))?")
_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?\d*,\d+\s*")

Axes = Mapping[FieldKey, tuple[FieldValue, ...]]
"""The values of each field that has several."""


def parse_axis(text: str, spec: InputSpec, label: str = "This") -> tuple[FieldValue, ...]:
    """Parse a text that is one value or several: a list, or for numbers also ranges `from..to:step`.

    A single comma without a space is the decimal separator of a number with a fraction: `7,5` is one value.

    Args:
        text: The text.
        spec: What the input accepts; only numbers and choices may be several.
        label: The name of the field, for the message.

    Returns:
        The values, each once and in their order.

    Raises:
        ValueError: The text is not accepted; the message is one sentence.
    """
    if spec.kind not in _KINDS or (spec.kind == "choice" and _is_choice(text, spec)):
        return (parse_input(text, spec, label),)
    if len(text) > MAX_AXIS_TEXT:
        raise ValueError(f"{label} can have at most {MAX_VALUES} values.")
    values: dict[FieldValue, None] = {}
    for part in _parts(text, spec):
        texts = _range(part.strip(), spec, label) if spec.kind != "choice" and ".." in part else [part.strip()]
        values.update(dict.fromkeys(parse_input(each, spec, label) for each in texts))
        if len(values) > MAX_VALUES:
            raise ValueError(f"{label} can have at most {MAX_VALUES} values.")
    return tuple(values)


def comma_hint(text: str, spec: InputSpec) -> str:
    """Return how to write two values where a comma was taken for a decimal separator, or an empty text."""
    if spec.kind != "float" or not _DECIMAL_COMMA.fullmatch(text):
        return ""
    whole, _, fraction = text.strip().partition(",")
    return f"This is {whole or 0}.{fraction}; two values have a space after the comma." if whole else ""


def _is_choice(text: str, spec: InputSpec) -> bool:
    """Return whether a text is one choice: names of files may have commas."""
    return "," not in text or text in (spec.options or ()) or not text.strip(" ,")


def _parts(text: str, spec: InputSpec) -> list[str]:
    if spec.kind == "float" and _DECIMAL_COMMA.fullmatch(text):
        return [text]
    parts = text.split(",")
    # A comma at the end is one that another value is about to follow.
    return parts[:-1] if len(parts) > 1 and not parts[-1].strip() else parts


def _range(text: str, spec: InputSpec, label: str) -> list[str]:
    """Return the numbers of `from..to:step` as texts; the step is 1 if it is left out."""
    matched = _RANGE.fullmatch(text)
    bounds = [_decimal(part) for part in matched.groups("1")] if matched else []
    if len(bounds) != 3 or None in bounds:
        step_text = "2" if spec.kind == "int" else "0.5"
        raise ValueError(f"{label}: '{sanitize(text, 40)}' is no range: write it as 5..8 or 5..8:{step_text}.")
    start, end, step = (bound for bound in bounds if bound is not None)
    if not step:
        raise ValueError(f"{label}: the step of a range cannot be 0.")
    step = abs(step) if start <= end else -abs(step)
    count = int((end - start) / step) + 1
    if count > MAX_VALUES:
        would_be = f": these would be {count:,}" if count < MAX_NAMED_COUNT else ""
        raise ValueError(f"{label} can have at most {MAX_VALUES} values{would_be}.")
    return [_plain(start + index * step) for index in range(count)]


def _decimal(text: str) -> Decimal | None:
    if len(text) > MAX_NUMBER_LENGTH:
        return None
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) <= MAX_NUMBER_LENGTH else None


def _plain(value: Decimal) -> str:
    """Return a number without an exponent and without a fraction of zero."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cells_of(axes: Axes) -> list[dict[FieldKey, FieldValue]]:
    """Return all combinations of the values of axes, the last axis changing first; one empty cell without axes."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def count_cells(axes: Axes) -> int:
    """Return the number of cells."""
    return prod(len(values) for values in axes.values())


def product_text(images: int, axes: Axes) -> str:
    """Return the number of images of a batch, and what it is the product of: `24 (4 × 3 × 2)`."""
    factors: Sequence[int] = [images, *(len(values) for values in axes.values())]
    total = prod(factors)
    return f"{total} ({' × '.join(map(str, factors))})" if len(factors) > 1 else str(total)
