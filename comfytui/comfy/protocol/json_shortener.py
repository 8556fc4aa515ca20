"""Shorten one large member of a JSON body: its structure stays, large strings, lists and objects are emptied.

The body is consumed as it arrives, so that a member of any size takes no more memory than what is kept of it.
"""

import re

from comfytui.comfy.limits import KIB, MEMBER_LIMIT, MIB, TOKENS_LIMIT, LimitExceeded

_TOKEN = re.compile(rb'["\[\]{}]')
_STRING_BODY = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The inside of a string, up to its end or to an escape whose second half has not arrived."""
_COMPLETE = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""Everything up to a string whose end has not arrived."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_SKIP_SIZES = (64 * KIB, 4 * KIB)
"""Bytes that are skipped at once if the bracket being emptied does not close within them."""
_SKIP_LEVELS = 32
"""Nesting levels of brackets that are matched to find that out."""
_LEVEL_LIMITS = (MIB, 512 * KIB, *(128 * KIB >> level for level in range(8)))
"""Bytes kept of the content of a bracket, by its level within the member; nothing is kept of deeper ones."""
KEPT_LIMIT = 2 * MIB
"""Bytes kept of a member."""
ENVELOPE_LIMIT = 64 * KIB
"""Bytes of what precedes the member."""


class Shortener:
    """Consumes a body up to the end of its first member.

    Args:
        depth: How many brackets are open where the body begins.
        outer: How many brackets members stand in.
    """

    def __init__(self, depth: int, outer: int) -> None:
        self.kept = bytearray()
        """What is kept of the body."""
        self.member_start = 0
        """Where in `kept` the member begins."""
        self._depth = depth
        self._outer = outer
        self._starts: list[int] = []  # where in `kept` the content of each open bracket of the member begins
        self._emptied_depth: int | None = None  # depth of the bracket whose content is being left out
        self._in_string = False
        self._string_start: int | None = None  # where in `kept` the open string begins; None if it is left out
        self._partial_escape = b""
        self._tokens = 0

    def feed(self, data: bytes) -> int | None:
        """Consume the next bytes of the body.

        Returns:
            Where in `data` the member ended, or None if it continues.

        Raises:
            LimitExceeded: If the member has too many strings and brackets to scan, or too much of it would be kept.
        """
        carried = len(self._partial_escape)
        data, self._partial_escape = self._partial_escape + data, b""
        at = 0
        while at < len(data):
            if self._in_string:
                at = self._consume_string(data, at)
                continue
            if self._emptied_depth is not None and (skipped := self._skip(data, at)):
                at += skipped
                continue
            token = _TOKEN.search(data, at)
            self._keep(data[at : token.start() if token else len(data)])
            if token is None:
                break
            at = token.end()
            if self._consume_token(token.group()):
                return at - carried
        return None

    def _consume_string(self, data: bytes, at: int) -> int:
        """Consume the open string as far as it has arrived; return where the rest of the data begins."""
        inside = _STRING_BODY.match(data, at)
        end = inside.end() if inside else at
        if self._string_start is not None:
            if len(self.kept) - self._string_start + end - at > self._limit_at(self._depth + 1):
                del self.kept[self._string_start :]
                self._string_start = None
            else:
                self._keep(data[at:end])
        if data[end : end + 1] == b'"':
            self._in_string = False
            self._keep(b'"')
            return end + 1
        self._partial_escape = data[end:]
        return len(data)

    def _skip(self, data: bytes, at: int) -> int:
        """Skip bytes within which the bracket being emptied does not close; return how many, 0 if it may close."""
        for size in _SKIP_SIZES:
            complete = _COMPLETE.match(data, at, at + size)
            if complete is None or not complete.end() - at:
                return 0
            brackets = _STRING.sub(b"", complete.group()).translate(_TO_SQUARE, _NO_BRACKET)
            for _ in range(_SKIP_LEVELS):
                shorter = brackets.replace(b"[]", b"")
                if len(shorter) == len(brackets):
                    break
                brackets = shorter
            closed = brackets.count(b"]")
            if self._emptied_depth is not None and closed <= self._depth - self._emptied_depth:
                self._depth += len(brackets) - 2 * closed
                return complete.end() - at
        return 0

    def _consume_token(self, token: bytes) -> bool:
        """Consume a quotation mark or bracket outside of strings; return whether it ends the member."""
        self._tokens += 1
        if self._tokens > TOKENS_LIMIT:
            raise LimitExceeded(f"more than {TOKENS_LIMIT:,} texts and lists")
        if token == b'"':
            self._keep(token)
            self._in_string, self._string_start = True, None if self._emptied_depth is not None else len(self.kept)
            return False
        if token in b"[{":
            if self._depth == self._outer:
                self.member_start = len(self.kept)
            self._keep(token)
            self._depth += 1
            if self._emptied_depth is None and self._depth > self._outer:
                self._starts.append(len(self.kept))
                if self._limit_at(self._depth) == 0:
                    self._emptied_depth = self._depth
            return False
        if self._emptied_depth == self._depth:
            self._emptied_depth = None
        if self._emptied_depth is None and self._depth > self._outer:
            self._starts.pop()
        self._depth -= 1
        self._keep(token)
        return self._depth == self._outer

    def _keep(self, data: bytes) -> None:
        if self._emptied_depth is not None:
            return
        self.kept += data
        if self._depth > self._outer + 1 and len(self.kept) - self._starts[-1] > self._limit_at(self._depth):
            del self.kept[self._starts[-1] :]
            self._emptied_depth, self._string_start = self._depth, None
        if len(self.kept) > (KEPT_LIMIT if self._depth > self._outer else self.member_start + ENVELOPE_LIMIT):
            raise LimitExceeded(f"more than {MEMBER_LIMIT >> 20} MiB of one entry")

    def _limit_at(self, depth: int) -> int:
        """Return how many bytes are kept of the content of a bracket at this depth."""
        level = depth - self._outer - 1
        return _LEVEL_LIMITS[level] if 0 <= level < len(_LEVEL_LIMITS) else KEPT_LIMIT if level < 0 else 0


def end_of_members(data: bytes, depth: int, outer: int) -> int:
    """Return where the last complete member of a body ends; 0 if there is none.

    Args:
        data: The body.
        depth: How many brackets are open where it begins.
        outer: How many brackets members stand in.
    """
    end, at = 0, 0
    in_string = False
    while at < len(data):
        if in_string:
            inside = _STRING_BODY.match(data, at)
            at = (inside.end() if inside else at) + 1
            in_string = at > len(data)
            continue
        token = _TOKEN.search(data, at)
        if token is None:
            break
        at = token.end()
        match token.group():
            case b'"':
                in_string = True
            case b"[" | b"{":
                depth += 1
            case _:
                depth -= 1
                end = at if depth == outer else end
    return end
