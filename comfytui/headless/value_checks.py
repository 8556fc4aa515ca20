"""Checks of single values that were given without the form, in the form's words."""

from difflib import get_close_matches
from math import isfinite
from typing import Final

from comfytui.sanitize import sanitize
from comfytui.workflow.field_keys import FieldKey, FieldValue, key_label
from comfytui.workflow.input_specs import InputSpec, parse_input, value_of

MAX_TEXT: Final = 100_000
"""Characters of the longest text that is taken."""
MAX_NAMED_CHOICES: Final = 5
"""Choices that an error names."""
MAX_COMPARED_CHOICES: Final = 2_000
"""Choices that are compared with one that the server does not have."""
NUMBERS: Final = frozenset({"int", "float"})
"""The kinds of inputs that are numbers."""


class FieldError(ValueError):
    """A value cannot be used; `message` is one sentence, and `field` the name that it was given under."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class ChoicesUnknown(FieldError):
    """A choice is left to the server, whose choices are not known."""


def check_value(key: FieldKey, value: object, spec: InputSpec) -> FieldValue:
    """Return a value that a field or an input of a node accepts.

    Args:
        key: The key, for the message.
        value: A text, or a number or a switch as JSON has it.
        spec: What is accepted.

    Raises:
        FieldError: It is not accepted.
    """
    if spec.kind in NUMBERS:
        return check_number(value, spec, key, key_label(key))
    if isinstance(value, bool) and spec.kind == "bool":
        return value
    if not isinstance(value, str):
        wanted = " or ".join(reversed(spec.switch_labels)) if spec.kind == "bool" else "text"
        raise FieldError(key, f"{key_label(key)} must be {wanted}.")
    check_text(key, value)
    return _choice(key, value, spec) if spec.kind == "choice" else _parsed(key, value, spec)


def check_text(key: FieldKey, text: str) -> None:
    """Raise FieldError if a text is too long, or cannot be sent."""
    if len(text) > MAX_TEXT:
        raise FieldError(key, f"{key_label(key)} must have at most {MAX_TEXT:,} characters.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FieldError(key, f"{key_label(key)} has a broken character: give it as UTF-8.") from None


def _parsed(key: FieldKey, text: str, spec: InputSpec) -> FieldValue:
    try:
        return parse_input(text, spec, key_label(key))
    except ValueError as error:
        raise FieldError(key, str(error)) from None


def _choice(key: FieldKey, choice: str, spec: InputSpec) -> FieldValue:
    """Return a choice that the server has: its first one for an empty text."""
    label, options = key_label(key), spec.options or ()
    if not choice:
        if spec.options is None:
            raise ChoicesUnknown(key, f"{label} is empty, and the server's choices are not known: name one.")
        if not options:
            raise FieldError(key, f"{label} has nothing to choose from: the server offers none.")
        return value_of(spec, options[0])
    if not spec.excludes(choice):
        return value_of(spec, choice)
    shown = sanitize(choice, 80)
    named = (
        get_close_matches(shown, options[:MAX_COMPARED_CHOICES], MAX_NAMED_CHOICES, 0.5) or options[:MAX_NAMED_CHOICES]
    )
    rest = " and others" if len(named) < len(options) else ""
    offered = f"choose one that is, such as {', '.join(sanitize(each, 80) for each in named)}{rest}"
    raise FieldError(key, f"{label} '{shown}' is not on the server: {offered if named else 'it offers none'}.")


def check_number(value: object, spec: InputSpec, key: str, label: str) -> int | float:
    """Return a number that a spec accepts, from text or from a number.

    Raises:
        FieldError: It is not accepted.
    """
    try:
        return parse_input(_number_text(value, spec), spec, label)  # type: ignore[return-value]
    except ValueError as error:
        raise FieldError(key, str(error)) from None


def _number_text(value: object, spec: InputSpec) -> str:
    """Return a number as it would be typed; empty, which no number is, for what cannot be typed."""
    match value:
        case str():
            return value
        case int() if not isinstance(value, bool) and value.bit_length() <= 64:
            return str(value)
        case float() if spec.kind == "int" and value.is_integer() and abs(value) <= 2**53:
            return str(int(value))
        case float() if isfinite(value):
            return repr(value)
        case _:
            return ""
