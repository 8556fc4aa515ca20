"""Read pieces of a file at any offset, within limits on how many and how large they are."""

import zlib
from typing import BinaryIO, Final

HEAD: Final = 4_096
"""Bytes of a file that tell its format."""
MAX_TEXT: Final = 8 * 2**20
"""Bytes of one text of the metadata, decompressed."""
MAX_READS: Final = 50_000
"""Pieces that are read of one file, which is enough for hours of video."""
MAX_BYTES: Final = 64 * 2**20
"""Bytes that are read of one file, all pieces together."""


class MediaError(ValueError):
    """The metadata of a file are malformed or too large; the message is a reason such as `broken PNG`."""


class MediaReader:
    """Reads a seekable file piece by piece, so that what lies between the metadata is never in memory.

    Args:
        file: The file, which stays open.
        size: Its size in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self._reads_left = MAX_READS
        self._bytes_left = MAX_BYTES

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes.

        Raises:
            MediaError: The file ends before them, or too much of it has been read.
            OSError: The file cannot be read.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise MediaError("it is cut off or broken")
        data = self.read_up_to(offset, size)
        if len(data) < size:
            raise MediaError("it is cut off")
        return data

    def read_up_to(self, offset: int, size: int) -> bytes:
        """Return `size` bytes, or fewer where the file ends.

        Raises:
            MediaError: Too much of the file has been read.
            OSError: The file cannot be read.
        """
        self._reads_left -= 1
        self._bytes_left -= size
        if self._reads_left < 0 or self._bytes_left < 0:
            raise MediaError("its metadata are too large")
        self._file.seek(offset)
        pieces = []
        while size > 0 and (piece := self._file.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def read_text(self, offset: int, size: int) -> bytes:
        """Return a piece that is no larger than a text may be; raises like `read`."""
        if size > MAX_TEXT:
            raise MediaError("its texts are too large")
        return self.read(offset, size)


def decompress(data: bytes) -> bytes:
    """Return a text that was compressed with zlib.

    Raises:
        MediaError: It is broken, or larger than `MAX_TEXT`.
    """
    try:
        text = zlib.decompressobj().decompress(data, MAX_TEXT + 1)
    except zlib.error:
        raise MediaError("a compressed text is broken") from None
    if len(text) > MAX_TEXT:
        raise MediaError("its texts are too large")
    return text
