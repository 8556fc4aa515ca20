"""A long JSON body read in pieces as it arrives, each a small JSON document of its own.

A body of hundreds of MB read at once needs many times its size, and holds the interpreter while the keys wait.
"""

from re import Pattern

from comfytui.comfy.limits import MEMBER_LIMIT, PIECE, TooMuch
from comfytui.comfy.protocol.json_readers import check_values
from comfytui.comfy.protocol.json_shortener import Shortener, end_of_members

TRIES = 8
"""Places in a row that look like the end of a member and are none, after which the next are looked for farther off."""
OVERLAP = 1_024
"""Bytes of the longest text between two members."""


class PieceReader:
    """Cuts where `boundary` matches: its only group is the text between two members, which is left out.

    What is cut off becomes a document by `opening` before it and `closing` after it. A match may also stand within a
    member, whose beginning alone is no document: then the next one is tried. Members stand within `outer` brackets. One
    that is too large is shortened as it arrives: it becomes a document of its own, with `shortened` set.
    """

    boundary: Pattern[bytes]
    opening = b""
    closing = b""
    outer = 1

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._from = PIECE
        self._failures = 0
        self._comma_due = False
        self._shortener: Shortener | None = None
        self.shortened = False
        """Whether parts of the document that is read now were left out."""

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
        self._drop_comma()
        while self._read_pieces():
            self._make_room()

    def read_rest(self) -> None:
        """Read what is left after the last byte arrived; raises as `read` does."""
        self.read()
        while self._shortener is None and not _fits(self._buffer):
            self._make_room()
            self.read()
        if self._shortener is not None:
            raise TooMuch(f"more than {MEMBER_LIMIT >> 20} MiB of one prompt")
        self._read_document(b"".join((self.opening, self._buffer)))
        self._buffer.clear()

    def _read_pieces(self) -> bool:
        """Read all whole pieces as they are; whether what comes next is too large for that."""
        if self._shortener is not None and not self._read_shortened(self._shortener):
            return False
        while match := self.boundary.search(self._buffer, self._from):
            end, begin = match.span(1)
            del match  # it holds the buffer
            if not _fits(piece := self._buffer[:end]):
                return True
            try:
                self._read_document(b"".join((self.opening, piece, self.closing)))
            except TooMuch:
                raise
            except ValueError:
                self._failures += 1
                self._from = begin if self._failures < TRIES else 2 * begin
                continue
            self._cut(begin)
        self._from = max(self._from, len(self._buffer) - OVERLAP)
        return len(self._buffer) > MEMBER_LIMIT

    def _make_room(self) -> None:
        """Read the small members that come first, or have the first one shortened if it is large."""
        depth = self.outer if self.opening else 0
        end = end_of_members(bytes(self._buffer[:PIECE]), depth, self.outer)
        if not end:
            self._shortener = Shortener(depth, self.outer)
            return
        self._read_document(b"".join((self.opening, self._buffer[:end], self.closing)))
        searched = self._from
        self._cut(end)
        self._from = max(PIECE, searched - end)

    def _read_shortened(self, shortener: Shortener) -> bool:
        """Have what arrived of a large member shortened; whether it has arrived whole."""
        at, end = 0, None
        while end is None:
            if at >= len(self._buffer):
                self._buffer.clear()
                return False
            end = shortener.feed(bytes(self._buffer[at : at + 2 * PIECE]))
            at += 2 * PIECE if end is None else end
        self._shortener = None
        self._cut(at)
        # What is too much even so is read as a malformed member.
        kept = shortener.kept if _is_countable(shortener.kept) else shortener.kept[: shortener.member] + b"null"
        self.shortened = True
        try:
            self._read_document(b"".join((self.opening, kept, self.closing)))
        finally:
            self.shortened = False
        return True

    def _cut(self, end: int) -> None:
        """Go on behind a member."""
        del self._buffer[:end]
        self._from, self._failures = PIECE, 0
        self._comma_due = True
        self._drop_comma()

    def _drop_comma(self) -> None:
        """Leave out the comma between two members, as soon as it has arrived."""
        rest = self._buffer[:OVERLAP].lstrip()
        if self._comma_due and rest:
            self._comma_due = False
            if rest.startswith(b","):
                del self._buffer[: self._buffer.index(b",") + 1]

    def _read_document(self, document: bytes) -> None:
        try:
            self.read_document(document)
        except RecursionError:
            raise ValueError("JSON nested too deeply") from None


def _fits(piece: bytes | bytearray) -> bool:
    """Whether a piece is small enough to be made Python values of."""
    return len(piece) <= MEMBER_LIMIT and _is_countable(piece)


def _is_countable(piece: bytes | bytearray) -> bool:
    try:
        check_values(piece)
    except TooMuch:
        return False
    return True
