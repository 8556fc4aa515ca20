"""The texts of WebM and MKV videos."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from comfytui.workflow.media.reader import MediaError, MediaReader
from comfytui.workflow.media.text import Text, is_wanted

_SEGMENT: Final = 0x18538067
_TAGS: Final = 0x1254C367
_TAG: Final = 0x7373
_SIMPLE_TAG: Final = 0x67C8
_TAG_NAME: Final = 0x45A3
_TAG_STRING: Final = 0x4487
_LONGEST_HEADER: Final = 12


class Element(NamedTuple):
    """An element: its id, and where its content begins and ends."""

    id: int
    start: int
    end: int | None
    """None if its size is unknown, as in a stream that was recorded."""


def matroska_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of the tags; frames are not read.

    Raises:
        MediaError: The file is malformed, or its texts are too large.
    """
    for element in _elements(reader, 0, reader.size):
        if element.id == _SEGMENT:
            end = reader.size if element.end is None else min(element.end, reader.size)
            for inner in _elements(reader, element.start, end):
                if inner.id == _TAGS:
                    yield from _tags(reader, inner)


def _tags(reader: MediaReader, tags: Element) -> Iterator[Text]:
    for tag in _inner(reader, tags, _TAG):
        for simple in _inner(reader, tag, _SIMPLE_TAG):
            parts = {part.id: part for part in _elements(reader, simple.start, simple.end or reader.size)}
            if _TAG_NAME in parts and _TAG_STRING in parts:
                name = _text(reader, parts[_TAG_NAME])
                if is_wanted(name):
                    yield name, _text(reader, parts[_TAG_STRING])


def _inner(reader: MediaReader, outer: Element, wanted: int) -> Iterator[Element]:
    elements = _elements(reader, outer.start, outer.end or reader.size)
    return (element for element in elements if element.id == wanted)


def _text(reader: MediaReader, element: Element) -> str:
    size = (element.end or element.start) - element.start
    return reader.read_text(element.start, size).rstrip(b"\0").decode("utf-8", "replace")


def _elements(reader: MediaReader, start: int, end: int) -> Iterator[Element]:
    """Yield the elements in a part of the file; what is in those of unknown size follows them."""
    while start < end:
        element = _element(reader, start, end)
        yield element
        start = element.start if element.end is None else element.end


def _element(reader: MediaReader, start: int, end: int) -> Element:
    header = reader.read_up_to(start, min(_LONGEST_HEADER, end - start))
    id_length = _length(header, 0, 4)
    size_length = _length(header, id_length, 8)
    mask = (1 << 7 * size_length) - 1
    size = int.from_bytes(header[id_length : id_length + size_length]) & mask
    begins = start + id_length + size_length
    return Element(int.from_bytes(header[:id_length]), begins, None if size == mask else begins + size)


def _length(header: bytes, position: int, longest: int) -> int:
    """Return how many bytes a number takes: one, and one more for each leading zero bit."""
    length = 9 - header[position].bit_length() if position < len(header) else 0
    if not 1 <= length <= longest or position + length > len(header):
        raise MediaError("it is cut off or broken")
    return length
