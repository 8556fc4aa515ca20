"""Events of ComfyUI's websocket, one class for each `type` (source: its server.py and execution.py).

All texts come from the server and may hold terminal escapes or markup: sanitize them before they are displayed.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Output:
    """One output file of a node, as `/view` addresses it."""

    filename: str
    subfolder: str = ""
    type: str = "output"
    """The folder that `subfolder` is in: `output`, `temp` or `input`."""
    node: str = ""
    kind: str = "images"
    """The key under which the node reported it, such as `images` or `gifs`."""


@dataclass(frozen=True, slots=True)
class Status:
    """Number of prompts running and pending; `sid`, the client id, is only in the first frame of a connection."""

    queue_remaining: int
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionStart:
    """The server began to execute a prompt; `timestamp` in milliseconds of the server's clock."""

    prompt_id: str
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionCached:
    """The nodes of a prompt that are not executed, because their results are cached."""

    prompt_id: str
    nodes: tuple[str, ...] = ()
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Executing:
    """A node began to execute; `node` is None when the prompt ended, successfully or not."""

    node: str | None
    display_node: str | None = None
    prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of one node, in steps; old servers call it `execution_progress`."""

    value: float
    max: float
    prompt_id: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node of a `ProgressState`; `state` is pending, running, finished or error."""

    node_id: str
    value: float
    max: float
    state: str
    display_node_id: str | None = None


@dataclass(frozen=True, slots=True)
class ProgressState:
    """Progress of all nodes of a prompt that are not pending."""

    prompt_id: str
    nodes: tuple[NodeProgress, ...] = ()


@dataclass(frozen=True, slots=True)
class Executed:
    """A node finished with these outputs; the prompt may go on."""

    prompt_id: str
    node: str
    display_node: str | None = None
    outputs: tuple[Output, ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionSuccess:
    """The prompt succeeded; its history entry may not be written yet."""

    prompt_id: str
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """A node raised an exception, which ended the prompt."""

    prompt_id: str
    node_id: str = ""
    node_type: str = ""
    exception_type: str = ""
    exception_message: str = ""
    traceback: tuple[str, ...] = ()
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionInterrupted:
    """The prompt was interrupted while it ran."""

    prompt_id: str
    node_id: str = ""
    node_type: str = ""
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class PreviewImage:
    """A preview of an unfinished image; ids only from frames with metadata (binary type 4)."""

    format: Literal["jpeg", "png"]
    image: bytes = field(repr=False)
    prompt_id: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class NodeText:
    """A progress text of a node (binary type 3)."""

    node: str
    text: str
    prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureFlags:
    """Names of the features that the server reports."""

    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Logs:
    """Chunks (not lines) of the server's log, with ANSI codes and carriage returns."""

    chunks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A malformed frame, or one of a type that is not handled."""

    type: str
    reason: str = ""


Event = (
    Status
    | ExecutionStart
    | ExecutionCached
    | Executing
    | Progress
    | ProgressState
    | Executed
    | ExecutionSuccess
    | ExecutionError
    | ExecutionInterrupted
    | PreviewImage
    | NodeText
    | FeatureFlags
    | Logs
    | Unknown
)
