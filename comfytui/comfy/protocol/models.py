"""The responses of ComfyUI's HTTP API as typed values (shapes of ComfyUI 0.33.0; older ones are tolerated)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, Literal, TypeVar

from comfytui.comfy.protocol.events import ExecutionError, ExecutionInterrupted, Output

T = TypeVar("T")

Json = Any
"""Any value that `json.loads` returns."""


@dataclass(frozen=True, slots=True)
class AcceptedPrompt:
    """The response to a prompt that the server queued."""

    prompt_id: str
    """The id in the queue: ours, or the server's own if it ignores ours."""
    number: float
    """The key by which pending prompts are ordered; the smallest runs first."""
    node_errors: tuple["NodeError", ...] = ()
    """Warnings: errors of nodes that do not keep the prompt from running."""


@dataclass(frozen=True, slots=True)
class NodeError:
    """A validation error of one input of a node; `input_name` is empty if it concerns the whole node."""

    node_id: str
    class_type: str
    message: str
    details: str = ""
    input_name: str = ""


class Obstacle(Enum):
    """Why a running prompt was not interrupted."""

    NOT_TARGETED = auto()
    """The server can only interrupt whatever runs."""
    OTHERS_RUNNING = auto()
    """It can only interrupt whatever runs, and that is more than this prompt."""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One prompt in the queue, or as the history has it."""

    prompt_id: str
    number: float
    graph: Mapping[str, Json] | bytes = field(repr=False, default_factory=dict)
    """The submitted graph; from a queue as unparsed JSON, since most graphs are never looked at."""
    client_id: str | None = None
    create_time: int | None = None
    """In milliseconds of the server's clock."""
    tag: Mapping[str, Json] = field(default_factory=dict)
    """What the client wrote to `extra_data.comfytui`."""


@dataclass(frozen=True, slots=True)
class Queue(Generic[T]):
    """The queue: its items, or what they were converted to; `pending` in the order of execution."""

    running: tuple[T, ...] = ()
    pending: tuple[T, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """How one prompt ended. Times are in milliseconds of the server's clock."""

    item: QueueItem
    outcome: Literal["success", "error", "interrupted"] | None
    """None if the server wrote no status."""
    outputs: tuple[Output, ...] = ()
    cached: tuple[str, ...] = ()
    """Ids of the nodes that were not executed, because their results were cached."""
    error: ExecutionError | None = None
    interrupted: ExecutionInterrupted | None = None
    started: int | None = None
    ended: int | None = None
    text: tuple[str, ...] = ()
    """Texts that nodes output."""


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One job of `/api/jobs`, which gives neither its client id nor its graph. Times in ms of the server's clock."""

    prompt_id: str
    status: str
    create_time: int | None = None
    started: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator of the server's machine; sizes in bytes."""

    name: str
    type: str
    vram_total: int
    vram_free: int


@dataclass(frozen=True, slots=True)
class SystemStats:
    """Version of the server, and memory of its machine; sizes in bytes."""

    version: str
    ram_total: int
    ram_free: int
    devices: tuple[Device, ...] = ()
    argv: tuple[str, ...] = ()
    """The command line of the server."""
    os: str = ""
