"""What describes an operation of the relay's API: its path, parameters and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request."""

    name: str
    where: Literal["path", "query", "header"]
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a status means, and what comes with it."""

    description: str
    documents: Sequence[Any] = ()
    """The types of the JSON, any one of them."""
    media_type: str | None = None
    """That of a body which is not JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a path, with the answers that not every operation has."""

    name: str
    method: Literal["get", "post"]
    path: str
    summary: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: type | None = None
    answers: Mapping[int, Answer]
