"""A long JSON body read in pieces as it arrives, each a small JSON document of its own.

A body of hundreds of MB read at once needs many times its size, and holds the interpreter while the keys wait.
"""

from re import Pattern

from comfytui.comfy.fields import check_values
from comfytui.comfy.limits import MEMBER_LIMIT, PIECE, TooMuch

TRIES = 8
"""Places in a row that look like the end of a member and are none, after which the next are looked for farther off."""
OVERLAP = 1_024
"""Bytes of the longest text between two members."""


class PieceReader:
    """Cuts where `boundary` matches: its only group is the text between two members, which is left out.

    What is cut off becomes a document by `opening` before it and `closing` after it. A match may also stand within a
    member, whose beginning alone is no document: then the next one is tried.
    """

    boundary: Pattern[bytes]
    opening = b""
    closing = b""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._from = PIECE
        self._failures = 0

    def read_document(self, document: bytes) -> None:
        """Read a document and set `opening` for the next; raises ValueError, and changes nothing, if it is none."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    @property
    def unread(self) -> int:
        """Bytes that arrived and are not read yet."""
        return len(self._buffer)

    def read(self) -> None:
        """Read all whole pieces; raises ValueError for what is not the expected JSON, TooMuch for too much of it."""
        while match := self.boundary.search(self._buffer, self._from):
            end, begin = match.span(1)
            del match  # it holds the buffer
            try:
                self._read_document(b"".join((self.opening, self._buffer[:end], self.closing)))
            except TooMuch:
                raise
            except ValueError:
                self._failures += 1
                self._from = begin if self._failures < TRIES else 2 * begin
                continue
            del self._buffer[:begin]
            self._from, self._failures = PIECE, 0
        self._from = max(self._from, len(self._buffer) - OVERLAP)
        self._check_size()

    def read_rest(self) -> None:
        """Read what is left after the last byte arrived; raises as `read` does."""
        self.read()
        self._read_document(b"".join((self.opening, self._buffer)))
        self._buffer.clear()

    def _read_document(self, document: bytes) -> None:
        if len(document) > 2 * PIECE:
            check_values(document)
        try:
            self.read_document(document)
        except RecursionError:
            raise ValueError("JSON nested too deeply") from None

    def _check_size(self) -> None:
        if len(self._buffer) > MEMBER_LIMIT:
            raise TooMuch(f"more than {MEMBER_LIMIT >> 20} MiB of one prompt")
