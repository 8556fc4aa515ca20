"""The texts of EXIF metadata, which WebP, JPEG and AVIF have, and PNG may have."""

import struct
from collections.abc import Iterator
from typing import Final

from comfytui.workflow.media.reader import MediaError
from comfytui.workflow.media.text import PROMPT, WORKFLOW, Text

MAX_TAGS: Final = 200
"""Tags that are read of one file."""
_HEADER: Final = b"Exif\0\0"
_TEXT_TYPES: Final = frozenset({1, 2, 7})
"""The types of tags that hold text: bytes, ASCII and undefined."""
_LONGEST_MARK: Final = len(WORKFLOW) + 1


def exif_texts(data: bytes) -> Iterator[Text]:
    """Yield the texts of the first directory that begin with `prompt:` or `workflow:`, whatever their tags.

    Raises:
        MediaError: The directory is malformed.
    """
    data = data.removeprefix(_HEADER)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return
    try:
        (directory,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, directory)
        for number in range(min(count, MAX_TAGS)):
            _, kind, size, offset = struct.unpack_from(f"{order}HHII", data, directory + 2 + 12 * number)
            if kind in _TEXT_TYPES and size > _LONGEST_MARK:
                yield from _marked(data, offset, size)
    except struct.error:
        raise MediaError("broken EXIF") from None


def _marked(data: bytes, offset: int, size: int) -> Iterator[Text]:
    """Yield the text of a tag, if it begins with a mark; its mark is its name."""
    mark, separator, _ = data[offset : offset + _LONGEST_MARK].partition(b":")
    name = mark.decode("latin-1").lower()
    if separator and name in {PROMPT, WORKFLOW}:
        text = data[offset + len(mark) + 1 : offset + size]
        yield name, text.rstrip(b"\0").decode("utf-8", "replace")
