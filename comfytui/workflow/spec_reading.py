"""Read what an input accepts from its definition by the server."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.input_definitions import InputDefinition
from comfytui.workflow.field_keys import FieldValue
from comfytui.workflow.input_kinds import Choices, InputKind, InputSpec, MediaKind, Upload
from comfytui.workflow.input_types import DYNAMIC_COMBO
from comfytui.workflow.nodes import is_number

MAX_BOUND: Final = 2.0**64
"""Bounds beyond this are ignored."""

MAX_TOOLTIP: Final = 500
"""Characters of a tooltip that are kept."""

MAX_LABEL: Final = 60
"""Characters of an input's name on the screen that are kept."""

_UPLOADS: Final[Mapping[str, MediaKind]] = {
    "image_upload": "image",
    "animated_image_upload": "image",
    "video_upload": "video",
    "audio_upload": "audio",
    "file_upload": "file",
}
_FOLDERS: Final = frozenset({"input", "output", "temp"})


def read_spec(definition: InputDefinition | None) -> InputSpec | None:
    """Return what an input accepts, or None if its values are neither texts, numbers, switches nor choices."""
    if definition is None:
        return None
    options, kind = definition.options, definition.widget_type
    match kind:
        case "COMBO":
            spec = _choice(definition)
        case _ if kind == DYNAMIC_COMBO:
            spec = InputSpec("choice", options=Choices(definition.choices or ()), branches=definition)
        case "INT" | "FLOAT":
            spec = _number("int" if kind == "INT" else "float", options)
        case "BOOLEAN":
            labels = (_line(options.get("label_off"), "off"), _line(options.get("label_on"), "on"))
            spec = InputSpec("bool", switch_labels=labels)
        case "COLOR":
            spec = InputSpec("colour")
        case "STRING" | "MARKDOWN" | "TEXTAREA":
            multiline = kind != "STRING" or options.get("multiline") is True
            spec = InputSpec("text", multiline=multiline, dynamic_prompts=options.get("dynamicPrompts") is True)
        case _:
            return None
    return replace(
        spec,
        default=_default(options.get("default"), spec.kind),
        tooltip=_line(options.get("tooltip"), "", MAX_TOOLTIP),
        label=_line(options.get("display_name"), ""),
        display=_line(options.get("display"), ""),
        is_seed=bool(options.get("control_after_generate")),
    )


def _choice(definition: InputDefinition) -> InputSpec:
    options = definition.options
    choices = Choices(definition.choices) if definition.choices is not None else None
    media = next((media for name, media in _UPLOADS.items() if options.get(name)), None)
    if media is None:
        return InputSpec("choice", options=choices)
    folder = options.get("image_folder")
    upload = Upload(media, folder if isinstance(folder, str) and folder in _FOLDERS else "input")
    return InputSpec("file", options=choices, upload=upload)


def _number(kind: InputKind, options: Mapping[str, Any]) -> InputSpec:
    low, high, step, precision = (_valid_bound(options.get(name)) for name in ("min", "max", "step", "round"))
    return InputSpec(kind, minimum=low, maximum=high, step=step, precision=precision)


def _default(value: object, kind: InputKind) -> FieldValue | None:
    """Return the default of a definition, or None if it has not the type of the input's values."""
    match kind:
        case "int" | "float":
            return _valid_bound(value)
        case "bool":
            return value if isinstance(value, bool) else None
        case "choice" | "file":
            return value if isinstance(value, str) or is_number(value) else None
        case "text" | "colour":
            return value if isinstance(value, str) else None


def _line(text: object, fallback: str, limit: int = MAX_LABEL) -> str:
    return (sanitize(text, limit) if isinstance(text, str) else "") or fallback


def _valid_bound(value: object) -> int | float | None:
    return value if is_number(value) and abs(value) <= MAX_BOUND else None
