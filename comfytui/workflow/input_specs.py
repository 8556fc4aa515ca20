"""What inputs accept, by the node definitions of the server, and how typed text becomes a value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.declared_inputs import declared_inputs
from comfytui.workflow.editor.input_definitions import read_input
from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, field_of
from comfytui.workflow.input_kinds import Choices, InputKind, InputSpec, Upload, default_of, value_of
from comfytui.workflow.nodes import Slot
from comfytui.workflow.seeds import MAX_SEED, SeedRange
from comfytui.workflow.spec_reading import read_spec

__all__ = [
    "FALLBACK_SPECS",
    "Choices",
    "InputKind",
    "InputSpec",
    "Upload",
    "default_of",
    "fallback_spec",
    "input_spec_of",
    "intersect_specs",
    "parse_input",
    "seed_range",
    "step_hint",
    "unknown_choice_error",
    "value_of",
]

MAX_NUMBER_LENGTH: Final = 40
"""Characters of the longest number that is parsed."""

MAX_COMPARED: Final = 200
"""Choices among which the nearest one is looked for."""

_TRUE: Final = frozenset({"true", "on", "yes", "1"})
_FALSE: Final = frozenset({"false", "off", "no", "0"})
_match_colour = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})").fullmatch

_SIZE = InputSpec("int", minimum=16, maximum=16_384, step=8, default=512)
_ANY_CHOICE = InputSpec("choice")
_ANY_TEXT = InputSpec("text", multiline=True)
_STRENGTH = InputSpec("float", minimum=-100, maximum=100, step=0.01, default=1.0)
_FRACTION = InputSpec("float", minimum=0, maximum=1, step=0.01)

FALLBACK_SPECS: Final[Mapping[Field, InputSpec]] = {
    Field.MODEL: _ANY_CHOICE,
    Field.PROMPT: _ANY_TEXT,
    Field.NEGATIVE: _ANY_TEXT,
    Field.LYRICS: _ANY_TEXT,
    Field.IMAGE: InputSpec("file", upload=Upload("image")),
    Field.MASK: InputSpec("file", upload=Upload("image")),
    Field.VIDEO: InputSpec("file", upload=Upload("video")),
    Field.AUDIO: InputSpec("file", upload=Upload("audio")),
    Field.MODEL_FILE: InputSpec("file"),
    Field.WIDTH: _SIZE,
    Field.HEIGHT: _SIZE,
    Field.ASPECT_RATIO: _ANY_CHOICE,
    Field.MEGAPIXELS: InputSpec("float", minimum=0.01, maximum=100, step=0.1, default=1.0),
    Field.RESOLUTION: _ANY_CHOICE,
    Field.LENGTH: InputSpec("int", minimum=1, maximum=16_384, default=25),
    Field.FPS: InputSpec("float", minimum=0.01, maximum=1_000, step=1, default=24.0),
    Field.DURATION: InputSpec("float", minimum=0, maximum=86_400, step=0.1, default=10.0),
    Field.STEPS: InputSpec("int", minimum=1, maximum=10_000, default=20),
    Field.CFG: InputSpec("float", minimum=0, maximum=100, step=0.1, default=7.0),
    Field.GUIDANCE: InputSpec("float", minimum=0, maximum=100, step=0.1, default=3.5),
    Field.SAMPLER: _ANY_CHOICE,
    Field.SCHEDULER: _ANY_CHOICE,
    Field.DENOISE: replace(_FRACTION, default=1.0),
    Field.SEED: InputSpec("int", minimum=0, maximum=MAX_SEED, default=0),
    Field.LORA: _ANY_CHOICE,
    Field.LORA_ON: InputSpec("bool", default=True),
    Field.LORA_STRENGTH: _STRENGTH,
    Field.LORA_CLIP_STRENGTH: _STRENGTH,
    Field.CONTROLNET_STRENGTH: InputSpec("float", minimum=0, maximum=10, step=0.01, default=1.0),
    Field.CONTROLNET_START: replace(_FRACTION, default=0.0),
    Field.CONTROLNET_END: replace(_FRACTION, default=1.0),
    Field.VAE: _ANY_CHOICE,
    Field.TEXT_ENCODER: _ANY_CHOICE,
    Field.FILENAME_PREFIX: InputSpec("text"),
}
"""What ComfyUI's own nodes accept, until the definitions of the server are known."""


def fallback_spec(key: FieldKey) -> InputSpec:
    """Return what a field accepts until the definitions of the server are known."""
    return FALLBACK_SPECS[field_of(key)]


def input_spec_of(
    object_info: Mapping[str, Any], slot: Slot, inputs: Mapping[str, Any] = MappingProxyType({})
) -> InputSpec | None:
    """Return what an input accepts, or None if the definitions do not say.

    Args:
        object_info: The server's response to `/object_info` or `/object_info/{class}`.
        slot: The input.
        inputs: All inputs of its node, whose choices decide which inputs a dynamic combo adds.
    """
    # A node that only provides a value does not know the bounds of the input that uses it.
    if slot.input_name == "value" or slot.member:
        return None
    match object_info:
        case {slot.class_type: {"input": {"required": {slot.input_name: definition}}}}:
            return read_spec(read_input(slot.input_name, definition))
        case {slot.class_type: {"input": {"optional": {slot.input_name: definition}}}}:
            return read_spec(read_input(slot.input_name, definition))
        case _ if "." in slot.input_name:
            return read_spec(declared_inputs(object_info, slot.class_type, inputs).get(slot.input_name))
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


def text_of(value: FieldValue) -> str:
    """Return a value as it is typed, the reverse of `parse_input`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


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
        case "file":
            return _parse_file(text, label)
        case "choice":
            return _parse_choice(text, spec, label)
        case "bool":
            return _parse_switch(text.strip(), spec, label)
        case "colour":
            return _parse_colour(text.strip(), label)
        case "int" | "float":
            value = _parse_number(text.strip(), spec)
            low, high = spec.minimum, spec.maximum
            if value is None or (low is not None and value < low) or (high is not None and value > high):
                raise ValueError(f"{label} must be a {_requirement(spec)}.")
            return value


def unknown_choice_error(choice: str, spec: InputSpec, label: str) -> str:
    """Return an error if the server does not have a choice, with the nearest that it has, or an empty text."""
    if not spec.excludes(choice):
        return ""
    near = _nearest(choice, tuple((spec.options or ())[:MAX_COMPARED]))
    return f"{label} '{choice}' is not on the server: " + (f"there is '{near}'." if near else "choose one that is.")


@lru_cache(maxsize=64)
def _nearest(choice: str, options: tuple[str, ...]) -> str:
    """Return the choice that is most alike, or an empty text."""
    from difflib import get_close_matches  # Imported late: the first paint does not need it.

    return sanitize(next(iter(get_close_matches(choice, options, 1)), ""), 80)


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


def _parse_choice(text: str, spec: InputSpec, label: str) -> FieldValue:
    if text and spec.options is None:
        return text
    if not spec.options:
        raise ValueError(f"{label} has nothing to choose from: the server offers none.")
    if text not in spec.options:
        raise ValueError(f"{label} '{sanitize(text, 80)}' is not on the server: choose one that is.")
    return value_of(spec, text)


def _parse_file(text: str, label: str) -> str:
    """Return the name of a file, which the server may have although it did not list it."""
    if not text.strip():
        raise ValueError(f"{label} is empty: name a file of the server, or upload one.")
    return text


def _parse_switch(text: str, spec: InputSpec, label: str) -> bool:
    off, on = spec.switch_labels
    lower = text.lower()
    if lower in _TRUE or lower == on.lower():
        return True
    if lower in _FALSE or lower == off.lower():
        return False
    raise ValueError(f"{label} must be {on} or {off}.")


def _parse_colour(text: str, label: str) -> str:
    if not (match := _match_colour(text)):
        raise ValueError(f"{label} must be a colour such as #ff8800.")
    digits = match[1].lower()
    return "#" + ("".join(each * 2 for each in digits) if len(digits) == 3 else digits)


def _parse_number(text: str, spec: InputSpec) -> int | float | None:
    if len(text) > MAX_NUMBER_LENGTH:
        return None
    try:
        if spec.display == "color" and text.startswith("#"):
            return int(_parse_colour(text, "")[1:7], 16)
        value = int(text) if spec.kind == "int" else float(text.replace(",", "."))
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
