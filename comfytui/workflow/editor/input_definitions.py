"""Which inputs a class has by the server's definitions, in the editor's order, and which of them are widgets.

A definition is `[type, options]`; in the older format, the type of a choice is the list of its options.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from comfytui.workflow.editor.json_values import as_list, as_mapping, as_text
from comfytui.workflow.input_types import DYNAMIC_COMBO, WIDGET_TYPES

MATCH_TYPE: Final = "COMFY_MATCHTYPE_V3"
"""The type of an input whose type follows what is linked to it."""

ANY_TYPE: Final = "*"

_EMPTY_DEFAULTS: Final[Mapping[str, object]] = {
    "INT": 0,
    "FLOAT": 0,
    "BOOLEAN": False,
    "STRING": "",
    "COLOR": "#000000",
}


_IMAGE_UPLOADS: Final = ("image_upload", "video_upload", "animated_image_upload")


class Missing:
    """The type of `MISSING`."""


MISSING: Final = Missing()
"""The value of a widget that has none: it is not sent, while null is."""


@dataclass(frozen=True)
class InputDefinition:
    """One input of a class."""

    name: str
    type: str
    """The type that links are compared by."""
    options: Mapping[str, Any] = field(repr=False)
    is_required: bool
    listed: list[Any] | None = field(default=None, repr=False)
    """The choices, where the type of the input is their list."""
    follows_link: bool = False
    """Whether the input takes the type of what is linked to it, so that `type` has only those that are allowed."""

    @cached_property
    def widget_type(self) -> str:
        """The type that says how to show a widget."""
        return as_text(self.options.get("widgetType")) or self.type

    @cached_property
    def is_forced(self) -> bool:
        """Whether the class wants a link, though the type has a widget."""
        return bool(self.options.get("forceInput") or (self.options.get("defaultInput") and not self.is_required))

    @cached_property
    def is_widget(self) -> bool:
        """Whether the editor shows a widget for the input."""
        return self.widget_type in WIDGET_TYPES and not self.is_forced

    @cached_property
    def choices(self) -> list[Any] | None:
        """The choices, or None where the definition does not list them."""
        if self.widget_type == DYNAMIC_COMBO:
            return [as_mapping(each).get("key") for each in as_list(self.options.get("options"))]
        if self.widget_type != "COMBO":
            return None
        listed = self.options.get("options") if self.listed is None else self.listed
        return listed if isinstance(listed, list) else None

    @cached_property
    def offered(self) -> frozenset[object]:
        """The choices that are texts or numbers, for quick look-up."""
        return frozenset(each for each in self.choices or () if isinstance(each, str | int | float))

    @cached_property
    def default(self) -> object:
        """The value of a new widget; `MISSING` if the definition gives none."""
        default = self.options.get("default")
        if self.choices is not None:
            return default or next(iter(self.choices), MISSING)
        return default if default is not None else _EMPTY_DEFAULTS.get(self.widget_type, MISSING)

    @cached_property
    def is_upload(self) -> bool:
        """Whether the choices are images or videos that can be uploaded."""
        return any(self.options.get(flag) for flag in _IMAGE_UPLOADS)

    @cached_property
    def has_control(self) -> bool:
        """Whether the widget that changes the value after each run stands behind it."""
        control = self.options.get("control_after_generate")
        if control is None:
            return self.widget_type == "INT" and self.name in {"seed", "noise_seed"}
        return bool(control) and self.widget_type in {"INT", "FLOAT", "COMBO"}


@dataclass(frozen=True)
class ClassDefinition:
    """What the server says of one class."""

    name: str
    display_name: str
    inputs: tuple[InputDefinition, ...]
    """In the editor's order."""
    outputs: tuple[str, ...]
    """The type of each output."""
    is_deprecated: bool
    is_paid: bool
    declared: tuple[InputDefinition, ...]
    """The same inputs in the order in which the class declares them."""

    @cached_property
    def forced_places(self) -> tuple[bool, ...]:
        """For each value that an old file has: whether it is of an input that can only be linked by now."""
        return tuple(
            is_forced
            for each in self.declared
            if each.is_widget or each.is_forced
            for is_forced in (each.is_forced, *([False] if each.options.get("control_after_generate") else []))
        )

    @cached_property
    def has_upload(self) -> bool:
        """Whether the editor adds a button to upload a file."""
        return any(
            each.is_required
            and each.widget_type == "COMBO"
            and (each.is_upload or (each.name == "audio" and bool(each.options.get("audio_upload"))))
            for each in self.declared
        )


class ClassDefinitions:
    """The definitions of a server, each read when it is first asked for."""

    def __init__(self, object_info: Mapping[str, Any]) -> None:
        self._object_info = object_info
        self._read = dict[str, ClassDefinition | None]()

    def get(self, class_type: str) -> ClassDefinition | None:
        """Return the definition of a class, or None if the server has none."""
        if class_type not in self._read:
            source = self._object_info.get(class_type)
            self._read[class_type] = _read_class(class_type, source) if isinstance(source, Mapping) else None
        return self._read[class_type]


def read_inputs(source: object, prefix: str = "") -> tuple[InputDefinition, ...]:
    """Return the inputs of a class or of a part of one: first the required ones, then the optional ones.

    Args:
        source: An object with `required` and `optional`.
        prefix: What to put before each name.
    """
    parts = as_mapping(source)
    return tuple(
        read_input(f"{prefix}{name}", definition, is_required=part == "required")
        for part in ("required", "optional")
        for name, definition in as_mapping(parts.get(part)).items()
        if isinstance(name, str)
    )


def read_input(name: str, definition: object, *, is_required: bool = True) -> InputDefinition:
    """Return one input by its definition; one that is malformed can be linked to anything, and has no widget."""
    kind, options = [*(definition if isinstance(definition, list | tuple) else ()), None, None][:2]
    options = as_mapping(options)
    if isinstance(kind, list | tuple):
        return InputDefinition(name, "COMBO", options, is_required, kind if isinstance(kind, list) else list(kind))
    if kind == MATCH_TYPE:
        allowed = as_text(as_mapping(options.get("template")).get("allowed_types"))
        return InputDefinition(name, allowed or ANY_TYPE, options, is_required, follows_link=True)
    return InputDefinition(name, as_text(kind) or ANY_TYPE, options, is_required)


def _read_class(class_type: str, source: Mapping[str, Any]) -> ClassDefinition:
    declared = read_inputs(source.get("input"))
    by_name = {each.name: each for each in declared}
    ordered = dict.fromkeys(name for name in _ordered_names(source) if name in by_name) | dict.fromkeys(by_name)
    return ClassDefinition(
        class_type,
        as_text(source.get("display_name")) or class_type,
        tuple(by_name[name] for name in ordered),
        tuple(each if isinstance(each, str) else "COMBO" for each in as_list(source.get("output"))),
        bool(source.get("deprecated")),
        bool(source.get("api_node")),
        declared,
    )


def _ordered_names(source: Mapping[str, Any]) -> Iterator[str]:
    order = as_mapping(source.get("input_order"))
    for part in ("required", "optional"):
        yield from (name for name in as_list(order.get(part)) if isinstance(name, str))
