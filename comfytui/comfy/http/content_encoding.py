"""The `Content-Encoding` of an answer undone piece by piece, so that no answer grows beyond what is taken of it."""

import zlib
from collections.abc import Iterator, Sequence

ACCEPTED = "gzip, deflate"
"""The `Accept-Encoding` of every request."""
STEP = 2**20
"""Bytes that are made of one piece at once."""
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class BadEncodingError(ValueError):
    """The body is compressed in a way that was not asked for, more than once, or is damaged."""


class Inflater:
    """Undoes at most one encoding: several, one around the other, multiply what few bytes become."""

    def __init__(self, encodings: Sequence[str]) -> None:
        """Take the names of the header; raises BadEncodingError for any but one gzip or deflate, or none."""
        names = [name for each in encodings if (name := each.strip().lower()) not in {"", "identity"}]
        if len(names) > 1 or not _WINDOWS.keys() >= set(names):
            raise BadEncodingError
        self._decoder = zlib.decompressobj(_WINDOWS[names[0]]) if names else None
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes of the answer become, in pieces of bounded size. Raises BadEncodingError."""
        if self._decoder is None:
            yield chunk
            return
        while chunk and not self._decoder.eof:
            piece = self._inflated(chunk)
            chunk = self._decoder.unconsumed_tail
            if piece:
                yield piece

    def _inflated(self, chunk: bytes) -> bytes:
        assert self._decoder is not None
        begun, self._begun = self._begun, True
        try:
            return self._decoder.decompress(chunk, STEP)
        except zlib.error:
            if begun:
                raise BadEncodingError from None
        # Some servers send `deflate` without the header that belongs to it.
        self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._decoder.decompress(chunk, STEP)
        except zlib.error:
            raise BadEncodingError from None
