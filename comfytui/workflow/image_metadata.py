"""The graph that ComfyUI writes into the pictures it saves.

Only the few parts of a file that can hold it are read, and none is unpacked beyond a limit: pixels are not decoded.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

TEXT_LIMIT = 8 * 2**20
"""Bytes of a graph's text once unpacked."""
GRAPH_LIMIT = 2**20
"""Characters of a graph's text that are read out of a server's picture: as values they take twenty times as much."""
MOST_PARTS = 1_000
"""Chunks or segments of one file that are looked at."""
MOST_TAGS = 200
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_EXIF_MARK = "prompt:"
"""WebP and JPEG have no text chunks: there the graph stands in an EXIF tag, behind this mark."""
_EXIF_HEAD = b"Exif\0\0"
_ASCII = 2
"""The type of EXIF tags that hold text."""

Part = tuple[bytes, bytes]
"""What a part of a file is, and its bytes."""


class UnreadablePictureError(ValueError):
    """The bytes are no picture, or one whose metadata are broken or too large."""


def is_picture(content: bytes) -> bool:
    """Tell a PNG, JPEG or WebP by its first bytes."""
    return content.startswith((_PNG, _JPEG)) or content[8:12] == b"WEBP"


def prompt_in(content: bytes) -> str | None:
    """Return the graph's JSON text as it stands in the picture, or None.

    Raises:
        UnreadablePictureError: The picture is broken, or its texts are too large.
    """
    try:
        for kind, data in _parts(content):
            if (text := _text_of(kind, data)) is not None:
                return text
    except (struct.error, zlib.error, IndexError) as error:
        raise UnreadablePictureError("broken") from error
    return None


def graph_in(content: bytes) -> Any:
    """Return what stands in the picture as its graph, any JSON value; None where there is none to be read."""
    try:
        text = prompt_in(content) or "null"
        return json.loads(text) if len(text) <= GRAPH_LIMIT else None
    except (ValueError, RecursionError):
        return None


def _parts(content: bytes) -> Iterator[Part]:
    """The parts that can hold the graph, up to the pixels of PNG and JPEG."""
    if content.startswith(_PNG):
        return _png_parts(content)
    return _jpeg_parts(content) if content.startswith(_JPEG) else _webp_parts(content)


def _png_parts(content: bytes) -> Iterator[Part]:
    at = len(_PNG)
    for number in range(MOST_PARTS):
        size, kind = struct.unpack_from(">I4s", content, at)
        if (number == 0) != (kind == b"IHDR") or at + 12 + size > len(content):
            raise UnreadablePictureError("broken PNG")
        if kind in {b"IDAT", b"IEND"}:
            return
        if kind in {b"tEXt", b"zTXt", b"iTXt", b"eXIf"}:
            yield kind, _limited(content, at + 8, size)
        at += 12 + size
    raise UnreadablePictureError("too many chunks")


def _jpeg_parts(content: bytes) -> Iterator[Part]:
    at = 2
    for _ in range(MOST_PARTS):
        batch_tag, kind, size = struct.unpack_from(">BBH", content, at)
        if batch_tag != 0xFF or size < 2:
            raise UnreadablePictureError("broken JPEG")
        if kind == 0xDA:  # the pixels
            return
        if kind == 0xE1 and content.startswith(_EXIF_HEAD, at + 4):
            yield b"eXIf", content[at + 4 : at + 2 + size]
        at += 2 + size
    raise UnreadablePictureError("too many segments")


def _webp_parts(content: bytes) -> Iterator[Part]:
    at = 12
    for _ in range(MOST_PARTS):
        kind, size = struct.unpack_from("<4sI", content, at)
        if kind == b"EXIF":
            yield b"eXIf", _limited(content, at + 8, size)
        at += 8 + size + size % 2
        if at >= len(content):
            return
    raise UnreadablePictureError("too many chunks")


def _limited(content: bytes, at: int, size: int) -> bytes:
    if size > TEXT_LIMIT:
        raise UnreadablePictureError("its texts are too large")
    return content[at : at + size]


def _text_of(kind: bytes, data: bytes) -> str | None:
    """The graph in one part of a file, if it has it."""
    if kind == b"eXIf":
        return _text_in_exif(data.removeprefix(_EXIF_HEAD))
    key, _, rest = data.partition(b"\0")
    if key != b"prompt":
        return None
    match kind:
        case b"tEXt":
            return rest.decode("latin-1")
        case b"zTXt":
            return _unpacked(rest[1:]).decode("latin-1")
    is_packed, (_, _, text) = bool(rest[0]), rest[2:].split(b"\0", 2)
    return (_unpacked(text) if is_packed else text).decode("utf-8", "replace")


def _unpacked(data: bytes) -> bytes:
    text = zlib.decompressobj().decompress(data, TEXT_LIMIT + 1)
    if len(text) > TEXT_LIMIT:
        raise UnreadablePictureError("its texts are too large")
    return text


def _text_in_exif(data: bytes) -> str | None:
    """The text behind the mark, among the tags of the first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    for number in range(min(count, MOST_TAGS)):
        _, kind, size, where = struct.unpack_from(f"{order}HHII", data, at + 2 + 12 * number)
        text = data[where : where + size] if kind == _ASCII and size > len(_EXIF_MARK) else b""
        if text.startswith(_EXIF_MARK.encode()):
            return text.rstrip(b"\0").decode("utf-8", "replace").removeprefix(_EXIF_MARK)
    return None
