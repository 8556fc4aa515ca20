"""The texts of PNG images, before and behind the pixels."""

import struct
from collections.abc import Iterator
from typing import Final

from comfytui.workflow.media.exif import exif_texts
from comfytui.workflow.media.reader import MediaError, MediaReader, decompress
from comfytui.workflow.media.text import Text, is_wanted

_SIGNATURE_SIZE: Final = 8
MAX_CHUNKS: Final = 20_000
"""Chunks of one file: ComfyUI splits pixels into chunks of 64 KB, and writes an animation's texts behind them."""
_LONGEST_KEY: Final = 79
_TEXT_CHUNKS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"comf"})
"""`comf` is ComfyUI's own for animations; it is written like `tEXt`."""


def png_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a PNG, in the file's order.

    Raises:
        MediaError: It is malformed, or its texts are too large.
    """
    position = _SIGNATURE_SIZE
    for number in range(MAX_CHUNKS):
        size, kind = struct.unpack(">I4s", reader.read(position, 8))
        if (number == 0) != (kind == b"IHDR"):
            raise MediaError("broken PNG")
        if kind == b"IEND":
            return
        if kind in _TEXT_CHUNKS:
            yield from _text(reader, kind, position + 8, size)
        elif kind == b"eXIf":
            yield from exif_texts(reader.read_text(position + 8, size))
        position += 12 + size
    raise MediaError("too many chunks")


def _text(reader: MediaReader, kind: bytes, start: int, size: int) -> Iterator[Text]:
    """Yield the text of a chunk, if it is wanted; others are not read."""
    key, separator, _ = reader.read(start, min(size, _LONGEST_KEY + 1)).partition(b"\0")
    name = key.decode("latin-1")
    if separator and is_wanted(name):
        data = reader.read_text(start, size)[len(key) + 1 :]
        yield name, _decoded(kind, data)


def _decoded(kind: bytes, data: bytes) -> str:
    match kind:
        case b"zTXt":
            return decompress(data[1:]).decode("latin-1")
        case b"iTXt":
            parts = data[2:].split(b"\0", 2)
            if len(parts) < 3:
                raise MediaError("broken PNG")
            return (decompress(parts[2]) if data[0] else parts[2]).decode("utf-8", "replace")
        case _:
            return data.decode("latin-1")
