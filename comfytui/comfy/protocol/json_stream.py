"""Parse a long JSON body as it arrives, in pieces that are small JSON documents of their own.

Parsing a body of hundreds of MB at once takes many times its size, and holds the interpreter while keys wait.
"""

from re import Pattern

from comfytui.comfy.limits import MEMBER_LIMIT, PIECE, LimitExceeded
from comfytui.comfy.protocol.json_readers import check_values
from comfytui.comfy.protocol.json_shortener import Shortener, end_of_members

TRIES = 8
"""False matches of the boundary in a row after which the search skips ahead."""
OVERLAP = 1_024
"""Bytes of the longest match of a boundary."""


class PieceReader:
    """Splits a body between members, where `boundary` matches.

    Each piece is parsed as a document, with `opening` before it and `closing` after it. A match within a member gives
    no valid document: then the next match is tried. A member that is too large is shortened as it arrives, and parsed
    on its own.

    Args:
        piece: Bytes of a piece at least.
        member_limit: Bytes of a member from which on it is shortened.
    """

    boundary: Pattern[bytes]
    """Matches the end of a member and the beginning of the next; its only group, what separates them, is dropped."""
    opening = b""
    """What makes the next piece a document, together with `closing`; empty before the first piece."""
    closing = b""
    outer = 1
    """How many brackets members stand in."""

    def __init__(self, piece: int = PIECE, member_limit: int = MEMBER_LIMIT) -> None:
        self._piece = piece
        self._member_limit = member_limit
        self._buffer = bytearray()
        self._search_from = piece
        self._failures = 0
        self._comma_due = False
        self._shortener: Shortener | None = None
        self.shortened = False
        """Whether the document being read is a member of which parts were left out."""

    def read_document(self, document: bytes) -> None:
        """Read the members of a document, and set `opening` for the next one.

        Raises:
            ValueError: If it is not valid; then nothing is read of it.
            LimitExceeded: If there are too many members by now.
        """
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._buffer += data

    @property
    def unread(self) -> int:
        """The number of bytes that arrived and are not read yet."""
        return len(self._buffer)

    def read(self) -> None:
        """Read all complete pieces.

        Raises:
            ValueError: If the body is not the expected JSON.
            LimitExceeded: If there is too much of it.
        """
        self._drop_comma()
        while self._read_pieces():
            self._read_oversized()

    def read_rest(self) -> None:
        """Read what is left after the last byte arrived. Raises as `read` does."""
        self.read()
        while self._shortener is None and not self._fits(self._buffer):
            self._read_oversized()
            self.read()
        if self._shortener is not None:
            raise LimitExceeded(f"more than {self._member_limit >> 20} MiB of one entry")
        self._read_document(b"".join((self.opening, self._buffer)))
        self._buffer.clear()

    def _read_pieces(self) -> bool:
        """Read all complete pieces; return whether the next one is too large for that."""
        if self._shortener is not None and not self._read_shortened(self._shortener):
            return False
        while match := self.boundary.search(self._buffer, self._search_from):
            end, begin = match.span(1)
            del match  # It references the buffer, which is cut below.
            if not self._fits(piece := self._buffer[:end]):
                return True
            try:
                self._read_document(b"".join((self.opening, piece, self.closing)))
            except LimitExceeded:
                raise
            except ValueError:
                self._failures += 1
                self._search_from = begin if self._failures < TRIES else 2 * begin
                continue
            self._cut(begin)
        self._search_from = max(self._search_from, len(self._buffer) - OVERLAP)
        return len(self._buffer) > self._member_limit

    def _read_oversized(self) -> None:
        """Read the small members that come first in the buffer; if the first one is large, begin to shorten it."""
        depth = self.outer if self.opening else 0
        end = end_of_members(bytes(self._buffer[: self._piece]), depth, self.outer)
        if not end:
            self._shortener = Shortener(depth, self.outer)
            return
        self._read_document(b"".join((self.opening, self._buffer[:end], self.closing)))
        searched = self._search_from
        self._cut(end)
        self._search_from = max(self._piece, searched - end)

    def _read_shortened(self, shortener: Shortener) -> bool:
        """Shorten what arrived of a large member; return whether it is complete."""
        at, end = 0, None
        while end is None:
            if at >= len(self._buffer):
                self._buffer.clear()
                return False
            end = shortener.feed(bytes(self._buffer[at : at + 2 * self._piece]))
            at += 2 * self._piece if end is None else end
        self._shortener = None
        self._cut(at)
        # A member that is too large even so is read as a malformed one.
        kept = shortener.kept if _has_few_values(shortener.kept) else shortener.kept[: shortener.member_start] + b"null"
        self.shortened = True
        try:
            self._read_document(b"".join((self.opening, kept, self.closing)))
        finally:
            self.shortened = False
        return True

    def _cut(self, end: int) -> None:
        """Drop what was read, up to the end of a member."""
        del self._buffer[:end]
        self._search_from, self._failures = self._piece, 0
        self._comma_due = True
        self._drop_comma()

    def _drop_comma(self) -> None:
        """Drop the comma after the member read last, as soon as it has arrived."""
        rest = self._buffer[:OVERLAP].lstrip()
        if self._comma_due and rest:
            self._comma_due = False
            if rest.startswith(b","):
                del self._buffer[: self._buffer.index(b",") + 1]

    def _fits(self, piece: bytes | bytearray) -> bool:
        """Return whether a piece is small enough to be parsed."""
        return len(piece) <= self._member_limit and _has_few_values(piece)

    def _read_document(self, document: bytes) -> None:
        try:
            self.read_document(document)
        except RecursionError:
            raise ValueError("JSON nested too deeply") from None


def _has_few_values(piece: bytes | bytearray) -> bool:
    try:
        check_values(piece)
    except LimitExceeded:
        return False
    return True
