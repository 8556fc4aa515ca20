"""One member of a JSON body without what makes it huge: its frame stays, large texts, lists and objects are emptied.

The body is taken in as it arrives, so a member of any size needs no more memory than what is kept of it.
"""

import re

from comfytui.comfy.limits import KIB, MEMBER_LIMIT, MIB, TOKENS_LIMIT, TooMuch

_TOKEN = re.compile(rb'["\[\]{}]')
_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The inside of a text, up to its end or to an escape whose second half has not arrived."""
_WHOLE = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""All up to a text whose end has not arrived."""
_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_SKIPPED = (64 * KIB, 4 * KIB)
"""Bytes that are left out at once, if the bracket that they stand in does not end there."""
_ROUNDS = 32
"""Levels of brackets in one another that are looked through for that."""
_MOST = (MIB, 512 * KIB, *(128 * KIB >> level for level in range(8)))
"""Bytes kept of what stands within so many brackets of a member; nothing is kept of what is nested deeper."""
KEPT_LIMIT = 2 * MIB
"""Bytes kept of a member."""
FRAME_LIMIT = 64 * KIB
"""Bytes of what stands before it."""


class Shortener:
    """Takes in a body that stands at `depth` in brackets, up to the end of its first member, at `outer` ones."""

    def __init__(self, depth: int, outer: int) -> None:
        self.kept = bytearray()
        """What is kept of the body."""
        self.member = 0
        """Where in it the member begins."""
        self._depth = depth
        self._outer = outer
        self._starts: list[int] = []  # of the content of each open bracket of the member, in what is kept
        self._emptied: int | None = None  # the depth of the bracket whose content is being left out
        self._in_text = False
        self._text_start: int | None = None  # of the content of the open text; None where that is left out
        self._half = b""
        self._tokens = 0

    def feed(self, data: bytes) -> int | None:
        """Take in what follows.

        Args:
            data: Bytes of the body, from where the last ones ended.

        Returns:
            Where in `data` the member ended, or None if it goes on.

        Raises:
            TooMuch: if it has too many parts to be looked through.
        """
        half = len(self._half)
        data, self._half = self._half + data, b""
        at = 0
        while at < len(data):
            if self._in_text:
                at = self._text(data, at)
                continue
            if self._emptied is not None and (skipped := self._skipped(data, at)):
                at += skipped
                continue
            token = _TOKEN.search(data, at)
            self._keep(data[at : token.start() if token else len(data)])
            if token is None:
                break
            at = token.end()
            if self._ends_with(token.group()):
                return at - half
        return None

    def _text(self, data: bytes, at: int) -> int:
        """Take in the open text as far as it has arrived; returns where the rest of the data begins."""
        inside = _TEXT.match(data, at)
        end = inside.end() if inside else at
        if self._text_start is not None:
            if len(self.kept) - self._text_start + end - at > self._most(self._depth + 1):
                del self.kept[self._text_start :]
                self._text_start = None
            else:
                self._keep(data[at:end])
        if data[end : end + 1] == b'"':
            self._in_text = False
            self._keep(b'"')
            return end + 1
        self._half = data[end:]
        return len(data)

    def _skipped(self, data: bytes, at: int) -> int:
        """Leave out bytes in which the emptied bracket cannot end; how many, 0 if it may."""
        for size in _SKIPPED:
            whole = _WHOLE.match(data, at, at + size)
            if whole is None or not whole.end() - at:
                return 0
            brackets = _TEXTS.sub(b"", whole.group()).translate(_SQUARE, _NO_BRACKET)
            for _ in range(_ROUNDS):
                shorter = brackets.replace(b"[]", b"")
                if len(shorter) == len(brackets):
                    break
                brackets = shorter
            closed = brackets.count(b"]")
            if self._emptied is not None and closed <= self._depth - self._emptied:
                self._depth += len(brackets) - 2 * closed
                return whole.end() - at
        return 0

    def _ends_with(self, token: bytes) -> bool:
        """Take in a quotation mark or a bracket outside of texts; whether the member ended with it."""
        self._tokens += 1
        if self._tokens > TOKENS_LIMIT:
            raise TooMuch(f"more than {TOKENS_LIMIT:,} texts and lists")
        if token == b'"':
            self._keep(token)
            self._in_text, self._text_start = True, None if self._emptied is not None else len(self.kept)
            return False
        if token in b"[{":
            if self._depth == self._outer:
                self.member = len(self.kept)
            self._keep(token)
            self._depth += 1
            if self._emptied is None and self._depth > self._outer:
                self._starts.append(len(self.kept))
                if self._most(self._depth) == 0:
                    self._emptied = self._depth
            return False
        if self._emptied == self._depth:
            self._emptied = None
        if self._emptied is None and self._depth > self._outer:
            self._starts.pop()
        self._depth -= 1
        self._keep(token)
        return self._depth == self._outer

    def _keep(self, data: bytes) -> None:
        if self._emptied is not None:
            return
        self.kept += data
        if self._depth > self._outer + 1 and len(self.kept) - self._starts[-1] > self._most(self._depth):
            del self.kept[self._starts[-1] :]
            self._emptied, self._text_start = self._depth, None
        if len(self.kept) > (KEPT_LIMIT if self._depth > self._outer else self.member + FRAME_LIMIT):
            raise TooMuch(f"more than {MEMBER_LIMIT >> 20} MiB of one prompt")

    def _most(self, depth: int) -> int:
        level = depth - self._outer - 1
        return _MOST[level] if 0 <= level < len(_MOST) else KEPT_LIMIT if level < 0 else 0


def end_of_members(data: bytes, depth: int, outer: int) -> int:
    """Where the last member that is whole ends in a body that stands at `depth` in brackets; 0 if there is none."""
    end, at = 0, 0
    in_text = False
    while at < len(data):
        if in_text:
            inside = _TEXT.match(data, at)
            at = (inside.end() if inside else at) + 1
            in_text = at > len(data)
            continue
        token = _TOKEN.search(data, at)
        if token is None:
            break
        at = token.end()
        match token.group():
            case b'"':
                in_text = True
            case b"[" | b"{":
                depth += 1
            case _:
                depth -= 1
                end = at if depth == outer else end
    return end
