"""Decode the JSON messages of ComfyUI, `{"type", "data"}`, into events.

The websocket sends them as text frames; a history entry holds those of its prompt.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from comfytui.comfy.limits import NODES_LIMIT
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.events import (
    Event,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    Logs,
    NodeProgress,
    Progress,
    ProgressState,
    Status,
    Unknown,
)

REASON_LIMIT = 200
"""Characters kept of the type and the reason of an `Unknown`."""

UNKNOWN_TYPE = "not a type that is handled"
"""Reason of an `Unknown` of a type that is not handled."""

Data = Mapping[str, Any]


def event_of(kind: str, data: object) -> Event:
    """Decode one message; an `Unknown` if its type or its data is not understood.

    Args:
        kind: The `type` of the message.
        data: Its `data`, as parsed from JSON.
    """
    read = _READERS.get(kind)
    if read is None:
        return unknown(kind, UNKNOWN_TYPE)
    if not isinstance(data, dict):
        return unknown(kind, "data is not an object")
    try:
        return read(data)
    except ValueError as error:
        return unknown(kind, str(error))


def unknown(kind: str, reason: str) -> Unknown:
    """Return an `Unknown` with its texts cut to `REASON_LIMIT`."""
    return Unknown(json_readers.text(kind, REASON_LIMIT), json_readers.text(reason, REASON_LIMIT))


def _required(data: Data, key: str) -> str:
    value = json_readers.identifier(data.get(key))
    if value is None:
        raise ValueError(f"no {key}")
    return value


def _required_number(data: Data, key: str) -> float:
    value = json_readers.number(data.get(key))
    if value is None:
        raise ValueError(f"no number in {key}")
    return value


def _timestamp(data: Data) -> int | None:
    return json_readers.integer(data.get("timestamp"))


def _status(data: Data) -> Event:
    info = json_readers.mapping(json_readers.mapping(data.get("status")).get("exec_info"))
    return Status(int(_required_number(info, "queue_remaining")), json_readers.identifier(data.get("sid")))


def _execution_cached(data: Data) -> Event:
    return ExecutionCached(_required(data, "prompt_id"), json_readers.identifiers(data.get("nodes")), _timestamp(data))


def _executing(data: Data) -> Event:
    # Only an explicit null means that the prompt ended; a missing or malformed node does not.
    node = None if data.get("node", ...) is None else _required(data, "node")
    return Executing(
        node, json_readers.identifier(data.get("display_node")), json_readers.identifier(data.get("prompt_id"))
    )


def _progress(data: Data) -> Event:
    return Progress(
        value=_required_number(data, "value"),
        max=_required_number(data, "max"),
        prompt_id=json_readers.identifier(data.get("prompt_id")),
        node=json_readers.identifier(data.get("node")),
    )


def _progress_state(data: Data) -> Event:
    states = json_readers.mapping(data.get("nodes"))
    nodes = (
        _node_progress(node, json_readers.mapping(state))
        for node, state in states.items()
        if json_readers.identifier(node)
    )
    return ProgressState(_required(data, "prompt_id"), tuple(islice(nodes, NODES_LIMIT)))


def _node_progress(node: str, state: Data) -> NodeProgress:
    return NodeProgress(
        node_id=json_readers.text(node),
        value=json_readers.number(state.get("value")) or 0,
        max=json_readers.number(state.get("max")) or 0,
        state=json_readers.text(state.get("state"), REASON_LIMIT) or "running",
        display_node_id=json_readers.identifier(state.get("display_node_id")),
    )


def _executed(data: Data) -> Event:
    node, output = _required(data, "node"), json_readers.mapping(data.get("output"))
    return Executed(
        prompt_id=_required(data, "prompt_id"),
        node=node,
        display_node=json_readers.identifier(data.get("display_node")),
        outputs=json_readers.prompt_outputs({node: output}),
        text=json_readers.texts(output.get("text")),
    )


def _execution_error(data: Data) -> Event:
    return ExecutionError(
        prompt_id=_required(data, "prompt_id"),
        node_id=json_readers.identifier(data.get("node_id")) or "",
        node_type=json_readers.text(data.get("node_type"), json_readers.CLASS_LIMIT),
        exception_type=json_readers.text(data.get("exception_type"), json_readers.CLASS_LIMIT),
        exception_message=json_readers.text(data.get("exception_message"), json_readers.MESSAGE_LIMIT),
        traceback=json_readers.texts(data.get("traceback"), size=json_readers.TRACEBACK_LIMIT),
        timestamp=_timestamp(data),
    )


def _execution_interrupted(data: Data) -> Event:
    return ExecutionInterrupted(
        prompt_id=_required(data, "prompt_id"),
        node_id=json_readers.identifier(data.get("node_id")) or "",
        node_type=json_readers.text(data.get("node_type"), json_readers.CLASS_LIMIT),
        timestamp=_timestamp(data),
    )


def _feature_flags(data: Data) -> Event:
    return FeatureFlags(json_readers.flags(data))


def _logs(data: Data) -> Event:
    if not isinstance(data.get("entries"), list):
        raise ValueError("no entries")
    return Logs(json_readers.texts([json_readers.mapping(entry).get("m") for entry in data["entries"]]))


_READERS: dict[str, Callable[[Data], Event]] = {
    "status": _status,
    "execution_start": lambda data: ExecutionStart(_required(data, "prompt_id"), _timestamp(data)),
    "execution_cached": _execution_cached,
    "executing": _executing,
    "progress": _progress,
    "execution_progress": _progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": lambda data: ExecutionSuccess(_required(data, "prompt_id"), _timestamp(data)),
    "execution_error": _execution_error,
    "execution_interrupted": _execution_interrupted,
    "feature_flags": _feature_flags,
    "logs": _logs,
}
