"""Frames of the socket → events: pure, and total, since anything unknown or broken is an `Unknown`.

Text frames are JSON `{"type", "data"}`. Binary frames begin with a big-endian u32:

    1  a preview     [1][1 = JPEG, 2 = PNG][image]
    3  a node's text [3][length][node id][text]
    4  a preview     [4][length][JSON: node_id, prompt_id, image_type, …][image]
"""

from collections.abc import Callable, Mapping
from itertools import islice
from struct import unpack_from
from typing import Any, Literal

from comfytui.comfy.limits import FRAME_VALUES, KIB, NODES_LIMIT, PREVIEW_LIMIT, TooMuch
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
    NodeText,
    PreviewImage,
    Progress,
    ProgressState,
    Status,
    Unknown,
)

REASON_LIMIT = 200
"""Characters of the type and the reason that an `Unknown` keeps."""
U32 = 4
"""Bytes of one header field in a binary frame."""
HEAD_LIMIT = 256 * KIB
"""Bytes of the metadata, or of the node id, before the body of a binary frame."""

Data = Mapping[str, Any]


def decode(frame: str | bytes) -> Event:
    """One frame as an event; never an error."""
    return _text_frame(frame) if isinstance(frame, str) else _binary_frame(frame)


def event_of(kind: str, data: object) -> Event:
    """The event of a `type` and its `data`, as frames and the history's messages have them."""
    read = _READERS.get(kind)
    if read is None:
        return _unknown(kind, "no type that means something here")
    if not isinstance(data, dict):
        return _unknown(kind, "its data is no object")
    try:
        return read(data)
    except ValueError as defect:
        return _unknown(kind, str(defect))


def _text_frame(frame: str) -> Event:
    try:
        message = json_readers.loads(frame, FRAME_VALUES)
    except TooMuch as excess:
        return _unknown("text", str(excess))
    except ValueError as defect:
        return _unknown("text", f"not JSON: {defect}")
    kind = json_readers.mapping(message).get("type")
    if not isinstance(kind, str):
        return _unknown("text", "no type")
    return event_of(kind, message.get("data"))


def _binary_frame(frame: bytes) -> Event:
    if len(frame) < U32:
        return _unknown("binary", "too short")
    (kind,) = unpack_from(">I", frame)
    read = _BINARY_READERS.get(kind)
    if read is None:
        return _unknown(f"binary {kind}", "no type that means something here")
    try:
        return read(memoryview(frame)[U32:])
    except ValueError as defect:
        return _unknown(f"binary {kind}", str(defect))


def _unknown(kind: str, reason: str) -> Unknown:
    return Unknown(json_readers.text(kind, REASON_LIMIT), json_readers.text(reason, REASON_LIMIT))


def _required(data: Data, key: str) -> str:
    value = json_readers.ident(data.get(key))
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
    return Status(int(_required_number(info, "queue_remaining")), json_readers.ident(data.get("sid")))


def _execution_cached(data: Data) -> Event:
    return ExecutionCached(_required(data, "prompt_id"), json_readers.idents(data.get("nodes")), _timestamp(data))


def _executing(data: Data) -> Event:
    # Only a stated null is the end of a prompt: a missing or broken node must not be read as one.
    node = None if data.get("node", ...) is None else _required(data, "node")
    return Executing(node, json_readers.ident(data.get("display_node")), json_readers.ident(data.get("prompt_id")))


def _progress(data: Data) -> Event:
    return Progress(
        value=_required_number(data, "value"),
        max=_required_number(data, "max"),
        prompt_id=json_readers.ident(data.get("prompt_id")),
        node=json_readers.ident(data.get("node")),
    )


def _progress_state(data: Data) -> Event:
    states = json_readers.mapping(data.get("nodes"))
    nodes = (
        _node_progress(node, json_readers.mapping(state)) for node, state in states.items() if json_readers.ident(node)
    )
    return ProgressState(_required(data, "prompt_id"), tuple(islice(nodes, NODES_LIMIT)))


def _node_progress(node: str, state: Data) -> NodeProgress:
    return NodeProgress(
        node_id=json_readers.text(node),
        value=json_readers.number(state.get("value")) or 0,
        max=json_readers.number(state.get("max")) or 0,
        state=json_readers.text(state.get("state"), REASON_LIMIT) or "running",
        display_node_id=json_readers.ident(state.get("display_node_id")),
    )


def _executed(data: Data) -> Event:
    node, output = _required(data, "node"), json_readers.mapping(data.get("output"))
    return Executed(
        prompt_id=_required(data, "prompt_id"),
        node=node,
        display_node=json_readers.ident(data.get("display_node")),
        outputs=json_readers.outputs_of_all({node: output}),
        text=json_readers.texts(output.get("text")),
    )


def _execution_error(data: Data) -> Event:
    return ExecutionError(
        prompt_id=_required(data, "prompt_id"),
        node_id=json_readers.ident(data.get("node_id")) or "",
        node_type=json_readers.text(data.get("node_type"), json_readers.CLASS_LIMIT),
        exception_type=json_readers.text(data.get("exception_type"), json_readers.CLASS_LIMIT),
        exception_message=json_readers.text(data.get("exception_message"), json_readers.MESSAGE_LIMIT),
        traceback=json_readers.texts(data.get("traceback"), size=json_readers.TRACEBACK_LIMIT),
        timestamp=_timestamp(data),
    )


def _execution_interrupted(data: Data) -> Event:
    return ExecutionInterrupted(
        prompt_id=_required(data, "prompt_id"),
        node_id=json_readers.ident(data.get("node_id")) or "",
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


def _preview(body: memoryview) -> Event:
    formats: dict[bytes, Literal["jpeg", "png"]] = {b"\0\0\0\1": "jpeg", b"\0\0\0\2": "png"}
    declared = bytes(body[:U32])
    if declared not in formats:
        raise ValueError("no JPEG or PNG picture")
    return PreviewImage(formats[declared], _image(body[U32:]))


def _preview_with_metadata(body: memoryview) -> Event:
    head, rest = _counted(body)
    metadata = json_readers.mapping(json_readers.loads(bytes(head), FRAME_VALUES))
    if metadata.get("image_type", "image/jpeg") not in ("image/jpeg", "image/png"):
        raise ValueError("no JPEG or PNG picture")
    return PreviewImage(
        format="png" if metadata.get("image_type") == "image/png" else "jpeg",
        image=_image(rest),
        prompt_id=json_readers.ident(metadata.get("prompt_id")),
        node=json_readers.ident(metadata.get("node_id")),
    )


def _image(body: memoryview) -> bytes:
    if not body:
        raise ValueError("no JPEG or PNG picture")
    if len(body) > PREVIEW_LIMIT:
        raise ValueError("a picture too large for a preview")
    return bytes(body)


def _node_text(body: memoryview) -> Event:
    node, rest = _counted(body)
    name = json_readers.ident(bytes(node).decode(errors="replace"))
    if name is None:
        raise ValueError("no node id")
    # A character takes 4 bytes at most.
    return NodeText(name, json_readers.text(bytes(rest[: 4 * json_readers.TEXT_LIMIT]).decode(errors="replace")))


def _counted(body: memoryview) -> tuple[memoryview, memoryview]:
    """The part whose length stands before it, and what follows."""
    if len(body) < U32:
        raise ValueError("too short")
    end = U32 + int(unpack_from(">I", body)[0])
    if end > len(body):
        raise ValueError("shorter than its header says")
    if end > HEAD_LIMIT:
        raise ValueError("a header too large")
    return body[U32:end], body[end:]


_BINARY_READERS: dict[int, Callable[[memoryview], Event]] = {1: _preview, 3: _node_text, 4: _preview_with_metadata}
