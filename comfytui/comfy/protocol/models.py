"""What a ComfyUI server answers over HTTP, as typed values (shapes: ComfyUI 0.33.0, older ones tolerated)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from comfytui.comfy.protocol.events import ExecutionError, ExecutionInterrupted, Output

T = TypeVar("T")

Json = Any
"""Anything that `json.loads` gives."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The answer to an accepted prompt: its id (the server's, where that ignored ours) and place; warnings by node."""

    prompt_id: str
    number: float
    node_errors: tuple["NodeError", ...] = ()


@dataclass(frozen=True, slots=True)
class NodeError:
    """What validation says about one input of one node; `input_name` is empty where the whole node is meant."""

    node_id: str
    class_type: str
    message: str
    details: str = ""
    input_name: str = ""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One prompt in the queue; `marks` is what the client wrote to `extra_data.comfytui`.

    `graph` is the submitted one, in a queue as its JSON text, since most of them need not be read at all.
    """

    prompt_id: str
    number: float
    graph: Mapping[str, Json] | bytes = field(repr=False, default_factory=dict)
    client_id: str | None = None
    create_time: int | None = None
    marks: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue(Generic[T]):
    """The whole queue, pending in the order in which it will run: its items, or what is kept of them."""

    running: tuple[T, ...] = ()
    pending: tuple[T, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """How one prompt ended; `outcome` is None where the server wrote no status. Times in ms of the server's clock."""

    item: QueueItem
    outcome: Literal["success", "error", "interrupted"] | None
    outputs: tuple[Output, ...] = ()
    cached: tuple[str, ...] = ()
    error: ExecutionError | None = None
    interrupted: ExecutionInterrupted | None = None
    started: int | None = None
    ended: int | None = None
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One line of `/api/jobs`: light, with neither owner nor graph."""

    prompt_id: str
    status: str
    create_time: int | None = None
    started: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator; sizes in bytes."""

    name: str
    type: str
    vram_total: int
    vram_free: int


@dataclass(frozen=True, slots=True)
class SystemStats:
    """What the box is and how full it is; sizes in bytes."""

    version: str
    ram_total: int
    ram_free: int
    devices: tuple[Device, ...] = ()
    argv: tuple[str, ...] = ()
    os: str = ""
