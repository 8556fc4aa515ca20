"""Decode the `Content-Encoding` of a response piece by piece, so that its limit holds for what it expands to."""

import zlib
from collections.abc import Iterator, Sequence

ACCEPTED = "gzip, deflate"
"""The `Accept-Encoding` of every request."""
MAX_PIECE = 2**20
"""Most bytes of one decoded piece."""
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class BadEncodingError(ValueError):
    """The body is damaged, or its encoding is one that was not requested or is applied several times."""


class ContentDecoder:
    """Decodes at most one encoding: with several, nested, a few bytes could expand without bound."""

    def __init__(self, encodings: Sequence[str]) -> None:
        """Accept the encodings of the header; raise BadEncodingError unless they are none, one gzip or one deflate."""
        names = [name for each in encodings if (name := each.strip().lower()) not in {"", "identity"}]
        if len(names) > 1 or not _WINDOWS.keys() >= set(names):
            raise BadEncodingError
        self._decompressor = zlib.decompressobj(_WINDOWS[names[0]]) if names else None
        self._started = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decode the next bytes of the body, into pieces of at most `MAX_PIECE` bytes. Raises BadEncodingError."""
        if self._decompressor is None:
            yield chunk
            return
        while chunk and not self._decompressor.eof:
            piece = self._decompress(chunk)
            chunk = self._decompressor.unconsumed_tail
            if piece:
                yield piece

    def _decompress(self, chunk: bytes) -> bytes:
        assert self._decompressor is not None
        started, self._started = self._started, True
        try:
            return self._decompressor.decompress(chunk, MAX_PIECE)
        except zlib.error:
            if started:
                raise BadEncodingError from None
        # Some servers send `deflate` as raw deflate data, without the zlib header.
        self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._decompressor.decompress(chunk, MAX_PIECE)
        except zlib.error:
            raise BadEncodingError from None
