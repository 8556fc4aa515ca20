"""The texts of FLAC and Ogg sounds: Vorbis comments such as `prompt={...}`."""

import struct
from collections.abc import Iterator
from typing import Final

from comfytui.workflow.media.reader import MAX_TEXT, MediaError, MediaReader
from comfytui.workflow.media.text import Text, is_wanted

_COMMENTS: Final = 4
"""The type of the FLAC block with the comments."""
_LONGEST_NAME: Final = 16
_PACKET_HEADERS: Final = (b"OpusTags", b"\x03vorbis", b"\x81theora")


def flac_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of a FLAC.

    Raises:
        MediaError: The file is malformed, or its texts are too large.
    """
    position, is_last = 4, False
    while not is_last:
        header = reader.read(position, 4)
        is_last, kind, size = bool(header[0] & 0x80), header[0] & 0x7F, int.from_bytes(header[1:])
        if kind == _COMMENTS:
            yield from _comments(reader.read_text(position + 4, size))
        position += 4 + size


def ogg_texts(reader: MediaReader) -> Iterator[Text]:
    """Yield the texts of the first stream of an Ogg file: Opus, Vorbis, Theora or FLAC.

    Raises:
        MediaError: The file is malformed, or its texts are too large.
    """
    packet = _second_packet(reader)
    for header in _PACKET_HEADERS:
        if packet.startswith(header):
            yield from _comments(packet[len(header) :])
    if packet[:1] and packet[0] & 0x7F == _COMMENTS:
        yield from _comments(packet[4:])


def _second_packet(reader: MediaReader) -> bytes:
    """Return the second packet of the first stream, which may go over many pages."""
    position, stream, packets = 0, b"", 0
    packet = bytearray()
    while True:
        header = reader.read(position, 27)
        if not header.startswith(b"OggS"):
            raise MediaError("broken Ogg")
        sizes = reader.read(position + 27, header[26])
        start = position + 27 + len(sizes)
        position = start + sum(sizes)
        stream = stream or header[14:18]
        if header[14:18] != stream:
            continue
        for size in sizes:
            if packets == 1:
                packet += reader.read(start, size)
            start += size
            packets += size < 255  # the last part of a packet
            if packets == 2:
                return bytes(packet)
        if len(packet) > MAX_TEXT:
            raise MediaError("its texts are too large")


def _comments(data: bytes) -> Iterator[Text]:
    try:
        (vendor,) = struct.unpack_from("<I", data)
        (count,) = struct.unpack_from("<I", data, 4 + vendor)
        position = 8 + vendor
        for _ in range(count):
            (size,) = struct.unpack_from("<I", data, position)
            position += 4
            key, separator, _ = data[position : position + min(size, _LONGEST_NAME)].partition(b"=")
            name = key.decode("latin-1")
            if separator and is_wanted(name):
                yield name, data[position + len(key) + 1 : position + size].decode("utf-8", "replace")
            position += size
    except struct.error:
        raise MediaError("broken comments") from None
