"""What inputs accept, by the node definitions of the server, and how typed text becomes a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite
from typing import Any, Final, Literal, TypeAlias

from comfytui.sanitize import sanitize
from comfytui.workflow.fields import Field, FieldKey, FieldValue, field_of
from comfytui.workflow.nodes import Slot, is_number
from comfytui.workflow.seeds import MAX_SEED, SeedRange

InputKind: TypeAlias = Literal["int", "float", "text", "choice"]

MAX_BOUND: Final = 2.0**64
"""Bounds beyond this are ignored."""

MAX_OPTIONS: Final = 1_000
"""Choices of one input that are kept: a longer drop-down takes too long to open."""

MAX_OPTION_LENGTH: Final = 4_096
"""Characters of the longest choice that is kept; a path has no more."""

MAX_NUMBER_LENGTH: Final = 40
"""Characters of the longest number that is parsed."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input accepts."""

    kind: InputKind
    options: tuple[str, ...] | None = None
    """The choices; None if they are unknown."""
    minimum: float | None = None
    """The lowest value that is accepted."""
    maximum: float | None = None
    """The highest value that is accepted."""
    step: float | None = None
    default: FieldValue | None = None
    omitted: int = 0
    """How many more choices the server has than `options`."""

    def excludes(self, choice: str) -> bool:
        """Whether the server surely does not have a choice; False for the empty string, which is no choice."""
        return bool(choice) and self.options is not None and not self.omitted and choice not in self.options


_SIZE = InputSpec("int", minimum=16, maximum=16_384, step=8, default=512)
_ANY_CHOICE = InputSpec("choice")
_ANY_TEXT = InputSpec("text")

FALLBACK_SPECS: Final[Mapping[Field, InputSpec]] = {
    Field.MODEL: _ANY_CHOICE,
    Field.PROMPT: _ANY_TEXT,
    Field.NEGATIVE: _ANY_TEXT,
    Field.WIDTH: _SIZE,
    Field.HEIGHT: _SIZE,
    Field.STEPS: InputSpec("int", minimum=1, maximum=10_000, default=20),
    Field.CFG: InputSpec("float", minimum=0, maximum=100, step=0.1, default=7.0),
    Field.GUIDANCE: InputSpec("float", minimum=0, maximum=100, step=0.1, default=3.5),
    Field.SAMPLER: _ANY_CHOICE,
    Field.SCHEDULER: _ANY_CHOICE,
    Field.SEED: InputSpec("int", minimum=0, maximum=MAX_SEED, default=0),
}
"""What ComfyUI's own nodes accept, until the definitions of the server are known."""


def fallback_spec(key: FieldKey) -> InputSpec:
    """Return what a field accepts until the definitions of the server are known."""
    return FALLBACK_SPECS[field_of(key)]


def input_spec_of(object_info: Mapping[str, Any], slot: Slot) -> InputSpec | None:
    """Return what an input accepts, or None if the definitions do not say.

    Args:
        object_info: The server's response to `/object_info` or `/object_info/{class}`.
        slot: The input.
    """
    # A node that only provides a value does not know the bounds of the input that uses it.
    if slot.input_name == "value":
        return None
    match object_info:
        case {slot.class_type: {"input": {"required": {slot.input_name: definition}}}}:
            return _read_spec(definition)
        case {slot.class_type: {"input": {"optional": {slot.input_name: definition}}}}:
            return _read_spec(definition)
        case _:
            return None


def intersect_specs(specs: Sequence[InputSpec]) -> InputSpec:
    """Return what all inputs of one field accept: the choices and step of the first, and the bounds of all."""
    lows = [spec.minimum for spec in specs if spec.minimum is not None]
    highs = [spec.maximum for spec in specs if spec.maximum is not None]
    return replace(specs[0], minimum=max(lows, default=None), maximum=min(highs, default=None))


def seed_range(spec: InputSpec) -> SeedRange:
    """Return the seeds that a spec accepts, but no negative ones: they have a special meaning where they are valid."""
    low = int(max(spec.minimum or 0, 0))
    return SeedRange(low, max(int(min(spec.maximum or MAX_SEED, MAX_SEED)), low))


def parse_input(text: str, spec: InputSpec, label: str = "This") -> FieldValue:
    """Parse text that a user typed.

    A comma is accepted as the decimal separator. As on the server, steps are not enforced: see `step_hint`.

    Args:
        text: The text.
        spec: What the input accepts.
        label: The name of the field, for the message.

    Raises:
        ValueError: The text is not accepted; the message is one sentence.
    """
    match spec.kind:
        case "text":
            return text
        case "choice":
            return _parse_choice(text, spec, label)
        case "int" | "float":
            value = _parse_number(text.strip(), spec.kind)
            low, high = spec.minimum, spec.maximum
            if value is None or (low is not None and value < low) or (high is not None and value > high):
                raise ValueError(f"{label} must be a {_requirement(spec)}.")
            return value


def unknown_choice_error(choice: str, spec: InputSpec, label: str) -> str:
    """Return an error if the server does not have a choice, or an empty text."""
    return f"{label} '{choice}' is not on the server: choose one that is." if spec.excludes(choice) else ""


def step_hint(value: FieldValue, spec: InputSpec, label: str = "This") -> str | None:
    """Return a hint if an integer is off its step, else None; the server accepts it, but rounds the image size down."""
    if spec.kind != "int" or not isinstance(value, int) or not spec.step or spec.step <= 1:
        return None
    remainder = int((value - (spec.minimum or 0)) % spec.step)
    if not remainder:
        return None
    start = (spec.minimum or 0) % spec.step
    multiple = f"{_format_number(start)} plus a multiple" if start else "a multiple"
    return f"{label} should be {multiple} of {_format_number(spec.step)}, e.g. {value - remainder}"


def _read_spec(definition: object) -> InputSpec | None:
    """Read a definition `[type, options]`; in the older format, the type of a combo is the list of its choices."""
    match definition:
        case [list() | tuple() as names, *_] | ["COMBO", {"options": list() | tuple() as names}, *_]:
            return _choice_spec(names)
        case ["INT" | "FLOAT" as kind, *rest]:
            return _number_spec("int" if kind == "INT" else "float", rest)
        case ["COMBO" | "STRING" as kind, *_]:
            return _ANY_CHOICE if kind == "COMBO" else _ANY_TEXT
        case _:
            return None


def _choice_spec(names: Sequence[object]) -> InputSpec:
    texts = (name for name in names if isinstance(name, str) and len(name) <= MAX_OPTION_LENGTH)
    kept = tuple(islice(texts, MAX_OPTIONS))
    return InputSpec("choice", options=kept, omitted=sum(isinstance(name, str) for name in names) - len(kept))


def _number_spec(kind: InputKind, rest: list[Any]) -> InputSpec:
    options = rest[0] if rest and isinstance(rest[0], Mapping) else {}
    low, high, step, default = (_valid_bound(options.get(name)) for name in ("min", "max", "step", "default"))
    return InputSpec(kind, minimum=low, maximum=high, step=step, default=default)


def _valid_bound(value: object) -> int | float | None:
    return value if is_number(value) and abs(value) <= MAX_BOUND else None


def _parse_choice(text: str, spec: InputSpec, label: str) -> str:
    if text and (spec.options is None or spec.omitted):
        return text
    if not spec.options:
        raise ValueError(f"{label} has nothing to choose from: the server offers none.")
    if text not in spec.options:
        raise ValueError(f"{label} '{sanitize(text, 80)}' is not on the server: choose one that is.")
    return text


def _parse_number(text: str, kind: InputKind) -> int | float | None:
    if len(text) > MAX_NUMBER_LENGTH:
        return None
    try:
        value = int(text) if kind == "int" else float(text.replace(",", "."))
    except ValueError:
        return None
    return value if isfinite(value) else None


def _requirement(spec: InputSpec) -> str:
    name = "whole number" if spec.kind == "int" else "number"
    match spec.minimum, spec.maximum:
        case None, None:
            return name
        case None, float() | int() as high:
            return f"{name} of at most {_format_number(high)}"
        case float() | int() as low, None:
            return f"{name} of at least {_format_number(low)}"
        case low, high:
            return f"{name} from {_format_number(low)} to {_format_number(high)}"


def _format_number(number: float | None) -> str:
    """Return a number as text, without a fraction of zero."""
    return str(int(number)) if number is not None and number == int(number) else str(number)
