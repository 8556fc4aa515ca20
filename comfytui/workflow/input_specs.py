"""What a field may hold, from the server's node definitions, and how typed text becomes a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite
from typing import Any, Final, Literal, TypeAlias

from comfytui.sanitize import sanitize
from comfytui.workflow.fields import Field, Key, Value, field_of
from comfytui.workflow.nodes import Slot, is_number
from comfytui.workflow.seeds import MAX_SEED, SeedRange

Kind: TypeAlias = Literal["int", "float", "text", "choice"]

MAX_BOUND: Final = 2.0**64
"""Bounds beyond it are none."""

MAX_OPTIONS: Final = 1_000
"""Choices of one input that are kept: a drop-down of more takes too long to open."""

MAX_OPTION: Final = 4_096
"""Characters of a choice; a path has no more."""

MAX_TYPED: Final = 40
"""Characters of a number that are worth parsing."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input takes; bounds are inclusive, `options` None where the choices are not known."""

    kind: Kind
    options: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    default: Value | None = None
    left_out: int = 0
    """How many choices the server has beside the `options`."""

    def lacks(self, choice: str) -> bool:
        """Whether a choice is surely none of the server's; an empty one is none at all."""
        return bool(choice) and self.options is not None and not self.left_out and choice not in self.options


_SIZE = InputSpec("int", minimum=16, maximum=16_384, step=8, default=512)
_CHOICE = InputSpec("choice")
_TEXT = InputSpec("text")

FALLBACK: Final[Mapping[Field, InputSpec]] = {
    Field.MODEL: _CHOICE,
    Field.PROMPT: _TEXT,
    Field.NEGATIVE: _TEXT,
    Field.WIDTH: _SIZE,
    Field.HEIGHT: _SIZE,
    Field.STEPS: InputSpec("int", minimum=1, maximum=10_000, default=20),
    Field.CFG: InputSpec("float", minimum=0, maximum=100, step=0.1, default=7.0),
    Field.GUIDANCE: InputSpec("float", minimum=0, maximum=100, step=0.1, default=3.5),
    Field.SAMPLER: _CHOICE,
    Field.SCHEDULER: _CHOICE,
    Field.SEED: InputSpec("int", minimum=0, maximum=MAX_SEED, default=0),
}
"""What ComfyUI's own nodes demand, for as long as the server's definitions are not known."""


def fallback(key: Key) -> InputSpec:
    """Return what a field takes as long as the server has not said so."""
    return FALLBACK[field_of(key)]


def input_spec_of(object_info: Mapping[str, Any], slot: Slot) -> InputSpec | None:
    """Return what the server says of an input, or None; `object_info` is its answer for all classes or for one."""
    # The bounds of a node that just holds a value say nothing about what the value is for.
    if slot.input_name == "value":
        return None
    match object_info:
        case {slot.class_type: {"input": {"required": {slot.input_name: definition}}}}:
            return _spec(definition)
        case {slot.class_type: {"input": {"optional": {slot.input_name: definition}}}}:
            return _spec(definition)
        case _:
            return None


def narrowest(specs: Sequence[InputSpec]) -> InputSpec:
    """Return what all inputs of one field take: the first one's choices and steps, within the bounds of each."""
    lows = [spec.minimum for spec in specs if spec.minimum is not None]
    highs = [spec.maximum for spec in specs if spec.maximum is not None]
    return replace(specs[0], minimum=max(lows, default=None), maximum=min(highs, default=None))


def seeds_of(spec: InputSpec) -> SeedRange:
    """Return the seeds that a spec admits; to those nodes that take negative ones they mean something else."""
    low = int(max(spec.minimum or 0, 0))
    return SeedRange(low, max(int(min(spec.maximum or MAX_SEED, MAX_SEED)), low))


def check(text: str, spec: InputSpec, label: str = "This") -> Value:
    """Return the value that a person typed; raise ValueError with one sentence about `label`.

    A comma serves as the decimal sign. Steps are not enforced, as the server does not: see `hint`.
    """
    match spec.kind:
        case "text":
            return text
        case "choice":
            return _chosen(text, spec, label)
        case "int" | "float":
            value = _number(text.strip(), spec.kind)
            low, high = spec.minimum, spec.maximum
            if value is None or (low is not None and value < low) or (high is not None and value > high):
                raise ValueError(f"{label} must be a {_demand(spec)}.")
            return value


def hint(value: Value, spec: InputSpec, label: str = "This") -> str | None:
    """Return a sentence if a whole number is off its step: the server takes it and rounds the picture down."""
    if spec.kind != "int" or not isinstance(value, int) or not spec.step or spec.step <= 1:
        return None
    off = int((value - (spec.minimum or 0)) % spec.step)
    if not off:
        return None
    start = (spec.minimum or 0) % spec.step
    multiple = f"{_bare(start)} plus a multiple" if start else "a multiple"
    return f"{label} should be {multiple} of {_bare(spec.step)}, e.g. {value - off}"


def _spec(definition: object) -> InputSpec | None:
    """Read `[type, options]`, where the type of an older combo is the list of its choices."""
    match definition:
        case [list() | tuple() as names, *_] | ["COMBO", {"options": list() | tuple() as names}, *_]:
            return _choice(names)
        case ["INT" | "FLOAT" as kind, *rest]:
            return _bounded("int" if kind == "INT" else "float", rest)
        case ["COMBO" | "STRING" as kind, *_]:
            return _CHOICE if kind == "COMBO" else _TEXT
        case _:
            return None


def _choice(names: Sequence[object]) -> InputSpec:
    texts = (name for name in names if isinstance(name, str) and len(name) <= MAX_OPTION)
    kept = tuple(islice(texts, MAX_OPTIONS))
    return InputSpec("choice", options=kept, left_out=sum(isinstance(name, str) for name in names) - len(kept))


def _bounded(kind: Kind, rest: list[Any]) -> InputSpec:
    options = rest[0] if rest and isinstance(rest[0], Mapping) else {}
    low, high, step, default = (_bound(options.get(name)) for name in ("min", "max", "step", "default"))
    return InputSpec(kind, minimum=low, maximum=high, step=step, default=default)


def _bound(value: object) -> int | float | None:
    return value if is_number(value) and abs(value) <= MAX_BOUND else None


def _chosen(text: str, spec: InputSpec, label: str) -> str:
    if text and (spec.options is None or spec.left_out):
        return text
    if not spec.options:
        raise ValueError(f"{label} has nothing to choose from: the server offers none.")
    if text not in spec.options:
        raise ValueError(f"{label} '{sanitize(text, 80)}' is not on the server: choose one that is.")
    return text


def _number(text: str, kind: Kind) -> int | float | None:
    if len(text) > MAX_TYPED:
        return None
    try:
        value = int(text) if kind == "int" else float(text.replace(",", "."))
    except ValueError:
        return None
    return value if isfinite(value) else None


def _demand(spec: InputSpec) -> str:
    name = "whole number" if spec.kind == "int" else "number"
    match spec.minimum, spec.maximum:
        case None, None:
            return name
        case None, float() | int() as high:
            return f"{name} of at most {_bare(high)}"
        case float() | int() as low, None:
            return f"{name} of at least {_bare(low)}"
        case low, high:
            return f"{name} from {_bare(low)} to {_bare(high)}"


def _bare(number: float | None) -> str:
    """Return a number without a needless point."""
    return str(int(number)) if number is not None and number == int(number) else str(number)
