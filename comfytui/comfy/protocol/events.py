"""What a ComfyUI server says over its socket, one class for each `type` (source: its server.py and execution.py).

Every text in here is the server's own and may hold terminal escapes or markup: it is cleaned where it is shown.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a node made, as `/view` asks for it."""

    filename: str
    subfolder: str = ""
    type: str = "output"
    node: str = ""
    kind: str = "images"


@dataclass(frozen=True, slots=True)
class Status:
    """The length of the queue, running and pending together; `sid` only in the first frame of a socket."""

    queue_remaining: int
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionStart:
    """The server took a prompt from its queue; `timestamp` in ms of the server's clock."""

    prompt_id: str
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionCached:
    """The nodes whose results the server already has."""

    prompt_id: str
    nodes: tuple[str, ...] = ()
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Executing:
    """A node begins, or, with `node` None, the prompt ended (well or badly)."""

    node: str | None
    display_node: str | None = None
    prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of one node; also read from the old name `execution_progress`."""

    value: float
    max: float
    prompt_id: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node's part in a `ProgressState`; `state` is pending, running, finished or error."""

    node_id: str
    value: float
    max: float
    state: str
    display_node_id: str | None = None


@dataclass(frozen=True, slots=True)
class ProgressState:
    """Every node of a prompt that is not pending."""

    prompt_id: str
    nodes: tuple[NodeProgress, ...] = ()


@dataclass(frozen=True, slots=True)
class Executed:
    """A node gave its outputs; not the end of the prompt."""

    prompt_id: str
    node: str
    display_node: str | None = None
    outputs: tuple[Output, ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionSuccess:
    """The prompt ended well; its history may not be written yet."""

    prompt_id: str
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """A node raised."""

    prompt_id: str
    node_id: str = ""
    node_type: str = ""
    exception_type: str = ""
    exception_message: str = ""
    traceback: tuple[str, ...] = ()
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionInterrupted:
    """Somebody stopped the prompt while it ran."""

    prompt_id: str
    node_id: str = ""
    node_type: str = ""
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class PreviewImage:
    """A picture of an unfinished image; ids only in the framing with metadata (binary type 4)."""

    format: Literal["jpeg", "png"]
    image: bytes = field(repr=False)
    prompt_id: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class NodeText:
    """A line of text about a node (binary type 3)."""

    node: str
    text: str
    prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureFlags:
    """The names of the features that the server says it has."""

    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Logs:
    """Chunks (not lines) of the server's log, ANSI codes and carriage returns included."""

    chunks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame that is broken, or of a type that means nothing here; never an error."""

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
