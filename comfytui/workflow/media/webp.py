"""The texts of WebP images."""

import struct
from collections.abc import Iterator
from typing import Final

from comfytui.workflow.media.exif import exif_texts
from comfytui.workflow.media.reader import MediaError, MediaReader
from comfytui.workflow.media.text import Text

MAX_CHUNKS: Final = 20_000
"""Chunks of one file: each frame of an animation is one, and the metadata are behind them."""


def webp_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a WebP's EXIF metadata.

    Raises:
        MediaError: The image is malformed.
    """
    position = 12
    for _ in range(MAX_CHUNKS):
        kind, size = struct.unpack("<4sI", reader.read(position, 8))
        if kind == b"EXIF":
            yield from exif_texts(reader.read_text(position + 8, size))
        position += 8 + size + size % 2
        if position >= reader.size:
            return
    raise MediaError("too many chunks")
