"""The texts of JPEG images."""

import struct
from collections.abc import Iterator
from typing import Final

from comfytui.workflow.media.exif import exif_texts
from comfytui.workflow.media.reader import MediaError, MediaReader
from comfytui.workflow.media.text import Text

MAX_SEGMENTS: Final = 1_000
"""Segments that are read of one file."""
_PIXELS: Final = 0xDA
_METADATA: Final = 0xE1


def jpeg_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a JPEG's EXIF metadata.

    Raises:
        MediaError: The image is malformed.
    """
    position = 2
    for _ in range(MAX_SEGMENTS):
        marker, kind, size = struct.unpack(">BBH", reader.read(position, 4))
        if marker != 0xFF or size < 2:
            raise MediaError("broken JPEG")
        if kind == _PIXELS:
            return
        if kind == _METADATA:
            data = reader.read(position + 4, size - 2)
            if data.startswith(b"Exif\0\0"):
                yield from exif_texts(data)
        position += 2 + size
    raise MediaError("too many segments")
