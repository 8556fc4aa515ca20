"""The texts of files whose header is JSON: GLB scenes, safetensors models and latents, and SVG drawings."""

import html
import json
import struct
from collections.abc import Iterator
from typing import Any

from comfytui.workflow.json_text import MAX_VALUES, count_values
from comfytui.workflow.media.reader import MAX_TEXT, MediaError, MediaReader
from comfytui.workflow.media.text import Text, is_wanted


def glb_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a binary glTF scene, which are in `asset.extras`.

    Raises:
        MediaError: The file is malformed, or its header is too large.
    """
    size, kind = struct.unpack("<I4s", reader.read(12, 8))
    if kind != b"JSON":
        raise MediaError("broken GLB")
    match _parsed(reader.read_text(20, size)):
        case {"asset": {"extras": dict() as extras}}:
            yield from _texts(extras)


def safetensors_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a model or latent in the safetensors format; its tensors are not read.

    Raises:
        MediaError: The file is malformed, or its header is too large.
    """
    (size,) = struct.unpack("<Q", reader.read(0, 8))
    match _parsed(reader.read_text(8, size)):
        case {"__metadata__": dict() as metadata}:
            yield from _texts(metadata)


def svg_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of an SVG, which are one JSON object in its metadata.

    Raises:
        MediaError: The object is malformed.
    """
    content = reader.read_up_to(0, min(reader.size, MAX_TEXT))
    _, _, content = content.partition(b"<metadata")
    text, ends, _ = content.partition(b"</metadata>")
    _, is_raw, raw = text.partition(b"<![CDATA[")
    if ends and is_raw:
        yield from _texts(_parsed(raw.rpartition(b"]]>")[0]))
    elif ends and (escaped := text.partition(b">")[2].strip()).startswith(b"{"):
        yield from _texts(_parsed(html.unescape(escaped.decode("utf-8", "replace")).encode()))


def _parsed(text: bytes) -> Any:
    if count_values(text) > MAX_VALUES:
        raise MediaError("its header has too many values")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise MediaError("its header is not JSON") from None


def _texts(entries: Any) -> Iterator[Text]:
    """Yield the wanted entries of an object, which are texts, or parsed already."""
    if isinstance(entries, dict):
        for name, value in entries.items():
            if is_wanted(name):
                yield name, value if isinstance(value, str) else json.dumps(value)
