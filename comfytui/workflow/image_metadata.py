"""Read the graph that ComfyUI writes into the metadata of the images it saves.

Only the few chunks that can hold it are read, and decompressed up to a limit; pixels are not decoded.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

MAX_CHUNK_TEXT = 8 * 2**20
"""Bytes of a graph's text, decompressed."""
MAX_GRAPH = 2**20
"""Characters of a graph's text that `extract_graph` parses: parsed, they take twenty times as much memory."""
MAX_CHUNKS = 1_000
"""PNG or WebP chunks, or JPEG segments, that are read of one file."""
MAX_TAGS = 200
"""EXIF tags that are read of one file."""
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_EXIF_PREFIX = "prompt:"
"""Begins the EXIF tag that holds the graph in WebP and JPEG, which have no text chunks."""
_EXIF_HEADER = b"Exif\0\0"
_ASCII = 2
"""The EXIF type of tags that hold text."""

Chunk = tuple[bytes, bytes]
"""The type of a chunk, in PNG's names, and its data."""


class ImageMetadataError(ValueError):
    """The metadata of an image are malformed or too large, or it is not an image."""


def is_image(content: bytes) -> bool:
    """Whether the first bytes are those of a PNG, JPEG or WebP."""
    return content.startswith((_PNG, _JPEG)) or content[8:12] == b"WEBP"


def extract_prompt(content: bytes) -> str | None:
    """Return the JSON text of the graph in an image, or None without one.

    Raises:
        ImageMetadataError: The image is malformed, or its texts are too large.
    """
    try:
        for kind, data in _chunks(content):
            if (text := _graph_text(kind, data)) is not None:
                return text
    except (struct.error, zlib.error, IndexError) as error:
        raise ImageMetadataError("broken") from error
    return None


def extract_graph(content: bytes) -> Any:
    """Return the graph in an image, which may be any JSON value; None without one, or if it cannot be read."""
    try:
        text = extract_prompt(content) or "null"
        return json.loads(text) if len(text) <= MAX_GRAPH else None
    except (ValueError, RecursionError):
        return None


def _chunks(content: bytes) -> Iterator[Chunk]:
    """Return the chunks that can hold the graph; in PNG and JPEG, only those before the pixels."""
    if content.startswith(_PNG):
        return _png_chunks(content)
    return _jpeg_chunks(content) if content.startswith(_JPEG) else _webp_chunks(content)


def _png_chunks(content: bytes) -> Iterator[Chunk]:
    position = len(_PNG)
    for number in range(MAX_CHUNKS):
        size, kind = struct.unpack_from(">I4s", content, position)
        if (number == 0) != (kind == b"IHDR") or position + 12 + size > len(content):
            raise ImageMetadataError("broken PNG")
        if kind in {b"IDAT", b"IEND"}:
            return
        if kind in {b"tEXt", b"zTXt", b"iTXt", b"eXIf"}:
            yield kind, _chunk_data(content, position + 8, size)
        position += 12 + size
    raise ImageMetadataError("too many chunks")


def _jpeg_chunks(content: bytes) -> Iterator[Chunk]:
    position = 2
    for _ in range(MAX_CHUNKS):
        marker, kind, size = struct.unpack_from(">BBH", content, position)
        if marker != 0xFF or size < 2:
            raise ImageMetadataError("broken JPEG")
        if kind == 0xDA:  # the pixels
            return
        if kind == 0xE1 and content.startswith(_EXIF_HEADER, position + 4):
            yield b"eXIf", content[position + 4 : position + 2 + size]
        position += 2 + size
    raise ImageMetadataError("too many segments")


def _webp_chunks(content: bytes) -> Iterator[Chunk]:
    position = 12
    for _ in range(MAX_CHUNKS):
        kind, size = struct.unpack_from("<4sI", content, position)
        if kind == b"EXIF":
            yield b"eXIf", _chunk_data(content, position + 8, size)
        position += 8 + size + size % 2
        if position >= len(content):
            return
    raise ImageMetadataError("too many chunks")


def _chunk_data(content: bytes, position: int, size: int) -> bytes:
    if size > MAX_CHUNK_TEXT:
        raise ImageMetadataError("its texts are too large")
    return content[position : position + size]


def _graph_text(kind: bytes, data: bytes) -> str | None:
    """Return the JSON text of the graph in one chunk, or None if it is not there."""
    if kind == b"eXIf":
        return _exif_text(data.removeprefix(_EXIF_HEADER))
    key, _, rest = data.partition(b"\0")
    if key != b"prompt":
        return None
    match kind:
        case b"tEXt":
            return rest.decode("latin-1")
        case b"zTXt":
            return _decompress(rest[1:]).decode("latin-1")
    is_compressed, (_, _, text) = bool(rest[0]), rest[2:].split(b"\0", 2)
    return (_decompress(text) if is_compressed else text).decode("utf-8", "replace")


def _decompress(data: bytes) -> bytes:
    text = zlib.decompressobj().decompress(data, MAX_CHUNK_TEXT + 1)
    if len(text) > MAX_CHUNK_TEXT:
        raise ImageMetadataError("its texts are too large")
    return text


def _exif_text(data: bytes) -> str | None:
    """Return the text after `_EXIF_PREFIX` in a tag of the first directory, or None."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    for number in range(min(count, MAX_TAGS)):
        _, kind, size, offset = struct.unpack_from(f"{order}HHII", data, directory + 2 + 12 * number)
        text = data[offset : offset + size] if kind == _ASCII and size > len(_EXIF_PREFIX) else b""
        if text.startswith(_EXIF_PREFIX.encode()):
            return text.rstrip(b"\0").decode("utf-8", "replace").removeprefix(_EXIF_PREFIX)
    return None
