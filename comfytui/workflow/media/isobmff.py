"""The texts of MP4 and MOV videos, and of AVIF images: files made of boxes inside boxes."""

import struct
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from comfytui.workflow.media.exif import exif_texts
from comfytui.workflow.media.reader import MediaError, MediaReader
from comfytui.workflow.media.text import COMMENT, Text, is_wanted

_COMMENT: Final = b"\xa9cmt"
_MAX_EXTENTS: Final = 100
"""Parts of an item that are read; the items with metadata have one."""
_MAX_ITEMS: Final = 10
"""Items with metadata that are read."""
_MAX_TABLE: Final = 2**20
"""Bytes of the table of places; that of an animation of 10,000 images is smaller."""


class Box(NamedTuple):
    """A box: its type, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def video_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a video's metadata, wherever they are; frames are not read.

    Raises:
        MediaError: The file is malformed, or its texts are too large.
    """
    for box in _boxes(reader, 0, reader.size):
        if box.kind == b"moov":
            for inner in _boxes(reader, box.start, box.end):
                if inner.kind == b"meta":
                    yield from _tags(reader, inner)
                elif inner.kind == b"udta":
                    yield from _user_data(reader, inner)


def image_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of an image's EXIF metadata.

    Raises:
        MediaError: The file is malformed, or its texts are too large.
    """
    for box in _boxes(reader, 0, reader.size):
        if box.kind == b"meta":
            parts = _parts(reader, box)
            if b"iinf" in parts and b"iloc" in parts:
                for item in islice(_exif_items(reader, parts[b"iinf"]), _MAX_ITEMS):
                    data = _item_data(reader, parts[b"iloc"], item)
                    (skipped,) = struct.unpack(">I", data[:4].ljust(4, b"\0"))
                    yield from exif_texts(data[4 + skipped :])


def _boxes(reader: MediaReader, start: int, end: int) -> Iterator[Box]:
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", reader.read(start, 8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", reader.read(start + 8, 8))
            header = 16
        elif size == 0:
            size = end - start
        if size < header or start + size > end:
            raise MediaError("it is cut off or broken")
        yield Box(kind, start + header, start + size)
        start += size


def _parts(reader: MediaReader, meta: Box) -> Mapping[bytes, Box]:
    """Return the boxes in a box `meta`, which has a version before them, but not in MOV."""
    has_version = reader.read_up_to(meta.start, 8)[4:] != b"hdlr"
    return {box.kind: box for box in _boxes(reader, meta.start + 4 * has_version, meta.end)}


def _user_data(reader: MediaReader, box: Box) -> Iterator[Text]:
    for inner in _boxes(reader, box.start, box.end):
        if inner.kind == b"meta":
            yield from _tags(reader, inner)
        elif inner.kind == _COMMENT and inner.end - inner.start > 4:  # with a length and a language before the text
            yield COMMENT, _decoded(reader.read_text(inner.start + 4, inner.end - inner.start - 4))


def _tags(reader: MediaReader, meta: Box) -> Iterator[Text]:
    """Yield the wanted texts of a list of tags, whose types are numbers of keys or fixed names."""
    parts = _parts(reader, meta)
    if b"ilst" not in parts:
        return
    names = _keys(reader, parts[b"keys"]) if b"keys" in parts else {}
    for tag in _boxes(reader, parts[b"ilst"].start, parts[b"ilst"].end):
        name = COMMENT if tag.kind == _COMMENT else names.get(int.from_bytes(tag.kind), "")
        if is_wanted(name):
            for data in _boxes(reader, tag.start, tag.end):
                if data.kind == b"data":  # with a type and a locale before the text
                    yield name, _decoded(reader.read_text(data.start + 8, data.end - data.start - 8))


def _keys(reader: MediaReader, box: Box) -> Mapping[int, str]:
    """Return the names of the keys by their numbers, which begin at 1."""
    entries = _boxes(reader, box.start + 8, box.end)
    return {
        number: _decoded(reader.read_text(entry.start, entry.end - entry.start))
        for number, entry in enumerate(entries, start=1)
    }


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _exif_items(reader: MediaReader, box: Box) -> Iterator[int]:
    """Yield the ids of the items that are EXIF metadata."""
    version = reader.read(box.start, 4)[0]
    for entry in _boxes(reader, box.start + (6 if version == 0 else 8), box.end):
        data = reader.read_up_to(entry.start, min(entry.end - entry.start, 14))
        form = {2: ">4xHxx4s", 3: ">4xIxx4s"}.get(data[0] if data else 0)
        if entry.kind == b"infe" and form and len(data) >= struct.calcsize(form):
            item, kind = struct.unpack_from(form, data)
            if kind == b"Exif":
                yield item


def _item_data(reader: MediaReader, box: Box, wanted: int) -> bytes:
    """Return the content of an item, or nothing if the table of places does not have it."""
    if box.end - box.start > _MAX_TABLE:
        raise MediaError("its texts are too large")
    table = _Table(reader.read_text(box.start, box.end - box.start))
    version = table.number(1)
    table.number(3)
    sizes = table.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = version >= 2
    for _ in range(table.number(4 if wide else 2)):
        item = table.number(4 if wide else 2)
        method = table.number(2) if version else 0
        table.number(2)
        base = table.number(base_size)
        count = table.number(2)
        if item == wanted and method == 0:  # offsets in the file
            places = (_place(table, version and index_size, offset_size, length_size) for _ in range(count))
            return b"".join(reader.read_text(base + start, size) for start, size in islice(places, _MAX_EXTENTS))
        table.skip(count * ((index_size if version else 0) + offset_size + length_size))
    return b""


def _place(table: "_Table", index_size: int, offset_size: int, length_size: int) -> tuple[int, int]:
    """Return where a part of an item begins, and its size."""
    table.skip(index_size)
    return table.number(offset_size), table.number(length_size)


class _Table:
    """Reads numbers one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def skip(self, size: int) -> None:
        """Leave out some bytes."""
        self._position += size

    def number(self, size: int) -> int:
        """Return the next number of `size` bytes."""
        end = self._position + size
        if end > len(self._data):
            raise MediaError("it is cut off or broken")
        value = int.from_bytes(self._data[self._position : end])
        self._position = end
        return value
