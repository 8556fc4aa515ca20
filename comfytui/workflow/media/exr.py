"""The texts of OpenEXR images: attributes of their header."""

from collections.abc import Iterator
from typing import Final

from comfytui.workflow.media.reader import MediaError, MediaReader
from comfytui.workflow.media.text import Text, is_wanted

_LONGEST_NAMES: Final = 2 * 256 + 4
"""Bytes of an attribute's name, its type and its size."""


def exr_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of an image's header.

    Raises:
        MediaError: The header is malformed, or its texts are too large.
    """
    position = 8
    while (head := reader.read_up_to(position, _LONGEST_NAMES)) and head[0]:
        parts = head.split(b"\0", 2)
        if len(parts) < 3 or len(parts[2]) < 4:
            raise MediaError("broken EXR")
        name, kind = parts[0].decode("latin-1"), parts[1]
        size = int.from_bytes(parts[2][:4], "little")
        position += len(parts[0]) + len(kind) + 6
        if kind == b"string" and is_wanted(name):
            yield name, reader.read_text(position, size).decode("utf-8", "replace")
        position += size
