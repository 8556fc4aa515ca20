"""The texts of MP3 sounds: the ID3 frames `TXXX`."""

import io
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from comfytui.workflow.media.reader import MediaReader
from comfytui.workflow.media.text import Text, is_wanted

_ENCODINGS: Final = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_UNSYNCHRONISED: Final = 0x80
_EXTENDED: Final = 0x40


def id3_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of the ID3 tag at the beginning of a file; pictures in it are not read.

    Raises:
        MediaError: The tag is malformed, or its texts are too large.
    """
    header = reader.read(0, 10)
    version, flags, end = header[3], header[5], 10 + _seven_bits(header[6:])
    start = 10
    if flags & _UNSYNCHRONISED and version < 4:
        tag = _synchronised(reader.read_text(start, end - start))
        reader, start, end = MediaReader(io.BytesIO(tag), len(tag)), 0, len(tag)
    if flags & _EXTENDED:
        size = reader.read(start, 4)
        start += _seven_bits(size) if version >= 4 else 4 + int.from_bytes(size)
    while start < end and (frame := _frame(reader, start, version)):
        if frame.is_text:
            yield from _text(reader.read_text(frame.start, frame.end - frame.start), frame.flags)
        start = frame.end


class _Frame(NamedTuple):
    is_text: bool
    flags: int
    """Those of version 4."""
    start: int
    end: int


def _frame(reader: MediaReader, start: int, version: int) -> _Frame | None:
    """Return the frame at a place, or None where the padding begins."""
    header_size = 6 if version == 2 else 10
    header = reader.read(start, header_size)
    if not header[0]:
        return None
    size = _seven_bits(header[4:8]) if version >= 4 else int.from_bytes(header[3:6] if version == 2 else header[4:8])
    start += header_size
    is_text = header.startswith(b"TXX" if version == 2 else b"TXXX")
    return _Frame(is_text, header[9] if version >= 4 else 0, start, start + size)


def _seven_bits(data: bytes) -> int:
    """Return a number of which each byte holds seven bits."""
    number = 0
    for byte in data:
        number = number << 7 | byte & 0x7F
    return number


def _synchronised(data: bytes) -> bytes:
    return data.replace(b"\xff\0", b"\xff")


def _text(frame: bytes, flags: int) -> Iterator[Text]:
    """Yield the text of a frame, if it is wanted; the flags are those of version 4."""
    if flags & 0x0C:  # compressed or encrypted
        return
    if flags & 0x01:  # preceded by its length
        frame = frame[4:]
    if flags & 0x02:
        frame = _synchronised(frame)
    encoding = frame[0] if frame else 0
    if encoding >= len(_ENCODINGS):
        return
    is_wide = encoding in {1, 2}
    end = re.compile(rb"(?s)(?:..)*?(\0\0)" if is_wide else rb"(?s)[^\0]*(\0)").match(frame, 1)
    if end:
        name = frame[1 : end.start(1)].decode(_ENCODINGS[encoding], "replace")
        if is_wanted(name):
            text = frame[end.end(1) :].decode(_ENCODINGS[encoding], "replace")
            yield name, text.rstrip("\0")
