"""The kinds of inputs that nodes have, and what is known of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias, overload

from comfytui.workflow.editor.input_definitions import InputDefinition
from comfytui.workflow.field_keys import FieldValue
from comfytui.workflow.nodes import is_number

InputKind: TypeAlias = Literal["int", "float", "bool", "text", "choice", "colour", "file"]

MediaKind: TypeAlias = Literal["image", "video", "audio", "file"]

MAX_OPTION_LENGTH: Final = 4_096
"""Characters of the longest choice that is kept; a path has no more."""


class Choices(Sequence[str]):
    """The choices of an input as texts; a list of any length costs nothing until it is looked at.

    Args:
        offered: What the server offers: texts, or numbers, which are shown as texts; anything else is left out.
    """

    def __init__(self, offered: Sequence[object] = ()) -> None:
        self._offered = offered

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The choices as texts."""
        return tuple(str(each) for each in self._offered if _is_choice(each))

    def value_of(self, name: str) -> FieldValue:
        """Return the value that a choice stands for: a number where the server offers one, else the text."""
        values = (each for each in self._offered if not isinstance(each, str) and _is_choice(each))
        return next((each for each in values if str(each) == name), name)  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.names[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __eq__(self, other: object) -> bool:
        return self.names == (other.names if isinstance(other, Choices) else other)

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"Choices({len(self):,})"


@dataclass(frozen=True, slots=True)
class Upload:
    """Where the file of an input is."""

    media: MediaKind
    folder: str = "input"
    """The folder of the server: `input`, `output` or `temp`."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input accepts."""

    kind: InputKind
    options: Sequence[str] | None = None
    """The choices, or the files that are there already; None if they are unknown."""
    minimum: float | None = None
    """The lowest value that is accepted."""
    maximum: float | None = None
    """The highest value that is accepted."""
    step: float | None = None
    default: FieldValue | None = None
    """What the server's definition proposes; see `default_of`."""
    precision: float | None = None
    """The number that values are rounded to, such as 0.01."""
    tooltip: str = ""
    """Help in one line, safe to print."""
    label: str = ""
    """The name on the screen, safe to print; empty for the input's own."""
    display: str = ""
    """How the editor shows it: `slider`, `color`, ...; empty for the usual way."""
    multiline: bool = False
    dynamic_prompts: bool = False
    """Whether the editor replaces `{a|b}` in its text by one of them."""
    is_seed: bool = False
    """Whether the editor changes the value after each prompt, as it does with seeds."""
    branches: InputDefinition | None = field(default=None, compare=False, repr=False)
    """The definition of a choice that decides which further inputs the node has; see `node_inputs.set_value`."""
    switch_labels: tuple[str, str] = ("off", "on")
    """What a switch shows."""
    upload: Upload | None = None
    """Where the file of an input of kind `file` is."""

    @property
    def is_dynamic(self) -> bool:
        """Whether the choice decides which further inputs the node has."""
        return self.branches is not None

    def excludes(self, choice: FieldValue) -> bool:
        """Whether the server surely does not have a choice; False for the empty string, which is no choice."""
        return self.kind == "choice" and choice != "" and self.options is not None and str(choice) not in self.options


def default_of(spec: InputSpec) -> FieldValue:
    """Return the value that the editor gives to a new node's input."""
    match spec.kind:
        case "int" | "float":
            return spec.default if is_number(spec.default) else 0
        case "bool":
            return spec.default is True
        case "choice" | "file":
            first = spec.options[0] if spec.options else ""
            return value_of(spec, first) if spec.default in {None, ""} else spec.default or first
        case "colour":
            return spec.default or "#000000"
        case "text":
            return str(spec.default or "")


def value_of(spec: InputSpec, name: str) -> FieldValue:
    """Return the value that the name of a choice stands for."""
    return spec.options.value_of(name) if isinstance(spec.options, Choices) else name


def _is_choice(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_OPTION_LENGTH
    return isinstance(value, bool) or is_number(value)
