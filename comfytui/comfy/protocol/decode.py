"""Decode websocket frames into events. A malformed frame or one of an unknown type is an `Unknown`, never an error.

Text frames are JSON messages, `{"type", "data"}`. Binary frames begin with a big-endian u32:

    1  preview                [1][1 = JPEG, 2 = PNG][image]
    3  text of a node         [3][length][node id][text]
    4  preview with metadata  [4][length][JSON: node_id, prompt_id, image_type, …][image]
"""

from collections.abc import Callable
from struct import unpack_from
from typing import Literal

from comfytui.comfy.limits import FRAME_VALUES, KIB, PREVIEW_LIMIT, LimitExceeded
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.events import Event, NodeText, PreviewImage
from comfytui.comfy.protocol.messages import UNKNOWN_TYPE, event_of, unknown

U32 = 4
"""Bytes of one header field of a binary frame."""
HEADER_LIMIT = 256 * KIB
"""Bytes of the metadata, or of the node id, before the body of a binary frame."""


def decode(frame: str | bytes) -> Event:
    """Decode one frame; never raises."""
    return _decode_text(frame) if isinstance(frame, str) else _decode_binary(frame)


def _decode_text(frame: str) -> Event:
    try:
        message = json_readers.loads(frame, FRAME_VALUES)
    except LimitExceeded as error:
        return unknown("text", str(error))
    except ValueError as error:
        return unknown("text", f"not JSON: {error}")
    kind = json_readers.mapping(message).get("type")
    if not isinstance(kind, str):
        return unknown("text", "no type")
    return event_of(kind, message.get("data"))


def _decode_binary(frame: bytes) -> Event:
    if len(frame) < U32:
        return unknown("binary", "too short")
    (kind,) = unpack_from(">I", frame)
    read = _BINARY_READERS.get(kind)
    if read is None:
        return unknown(f"binary {kind}", UNKNOWN_TYPE)
    try:
        return read(memoryview(frame)[U32:])
    except ValueError as error:
        return unknown(f"binary {kind}", str(error))


def _preview(body: memoryview) -> Event:
    formats: dict[bytes, Literal["jpeg", "png"]] = {b"\0\0\0\1": "jpeg", b"\0\0\0\2": "png"}
    declared = bytes(body[:U32])
    if declared not in formats:
        raise ValueError("no JPEG or PNG image")
    return PreviewImage(formats[declared], _image(body[U32:]))


def _preview_with_metadata(body: memoryview) -> Event:
    header, rest = _split_header(body)
    metadata = json_readers.mapping(json_readers.loads(bytes(header), FRAME_VALUES))
    if metadata.get("image_type", "image/jpeg") not in ("image/jpeg", "image/png"):
        raise ValueError("no JPEG or PNG image")
    return PreviewImage(
        format="png" if metadata.get("image_type") == "image/png" else "jpeg",
        image=_image(rest),
        prompt_id=json_readers.identifier(metadata.get("prompt_id")),
        node=json_readers.identifier(metadata.get("node_id")),
    )


def _image(body: memoryview) -> bytes:
    if not body:
        raise ValueError("no JPEG or PNG image")
    if len(body) > PREVIEW_LIMIT:
        raise ValueError("an image too large for a preview")
    return bytes(body)


def _node_text(body: memoryview) -> Event:
    header, rest = _split_header(body)
    node = json_readers.identifier(bytes(header).decode(errors="replace"))
    if node is None:
        raise ValueError("no node id")
    # A character takes 4 bytes at most.
    return NodeText(node, json_readers.text(bytes(rest[: 4 * json_readers.TEXT_LIMIT]).decode(errors="replace")))


def _split_header(body: memoryview) -> tuple[memoryview, memoryview]:
    """Return the length-prefixed header and what follows it.

    Raises:
        ValueError: If the header is cut off or larger than `HEADER_LIMIT`.
    """
    if len(body) < U32:
        raise ValueError("too short")
    end = U32 + int(unpack_from(">I", body)[0])
    if end > len(body):
        raise ValueError("shorter than its header says")
    if end > HEADER_LIMIT:
        raise ValueError("a header too large")
    return body[U32:end], body[end:]


_BINARY_READERS: dict[int, Callable[[memoryview], Event]] = {1: _preview, 3: _node_text, 4: _preview_with_metadata}
