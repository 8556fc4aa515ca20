"""Which values of a server's settings are secrets, and how to find them in a text."""

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus

from comfytui.comfy.server import Server
from comfytui.sanitize import without_hidden

SHORTEST = 4
"""Characters of a secret; a shorter value would be found in every other text."""
LONG = 8
"""Characters from which on a secret is found within a longer word too, and a value under any name may be one."""
LONGEST_WORD = 20
"""Letters of an ordinary word; more are taken for a random value."""
WORDS_OF_A_PHRASE = 4
"""Ordinary words that no text has in this order by chance."""

_SECRET_NAME = re.compile(
    r"auth(?!ors?(?:$|[^a-z]))|key|token|secret|passw|passphrase|passcode|credential|cookie|session|signature|jwt|assertion"
    r"|(?:^|[^a-z])(?:pass|pwd|sid|sig|pin|otp|code|sas)(?:$|[^a-z])|sessid|\.sid",
    re.IGNORECASE,
)
"""Names of headers, cookies and query parameters whose value is a secret whatever it looks like."""
_SCHEME = re.compile(r"(?:Basic|Bearer|Token|Digest|Negotiate)\s+(.*)", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(rf"[a-z]{{1,{LONGEST_WORD}}}|[A-Z]{{1,{LONGEST_WORD}}}|[A-Z][a-z]{{1,{LONGEST_WORD}}}|[0-9]{{1,4}}")

# Before a word there may be anything but a letter or a digit, and what ends in one: an escape of a URL, a literal or a
# terminal. Each alternative has a fixed width, as lookbehinds must.
_BEFORE = "|".join(
    (
        r"(?<![^\W_])",
        r"(?<=%[0-9a-f]{2})",
        r"(?<=\\[abefnrtv])",
        r"(?<=\\x[0-9a-f]{2})",
        r"(?<=\\u[0-9a-f]{4})",
        *(rf"(?<=\x1b\[[0-9;:]{{{width}}}[a-z])" for width in range(20)),
    )
)
_AFTER = r"(?![^\W_])"


def finder_of(server: Server, cookies: Iterable[tuple[str, str]]) -> re.Pattern[str] | None:
    """A pattern that finds every secret of a server, the longest first.

    Args:
        server: Its headers and query are searched for secrets.
        cookies: Names and values of the cookies that it set.

    Returns:
        The pattern; None where there are no secrets.
    """
    anywhere, as_words = set[str](), set[str]()
    for value in _certain(server):
        for form in _forms(value):
            (anywhere if len(form) >= LONG else as_words).add(form)
    for name, value in cookies:
        if len(value) >= LONG and (_SECRET_NAME.search(name) or not _is_ordinary(value)):
            anywhere.update(_forms(value))
    for value in _likely(server):
        if len(value) >= LONG and not _is_ordinary(value):
            as_words.update(_forms(value))
    forms = sorted((form for form in anywhere | as_words if len(form) >= SHORTEST), key=len, reverse=True)
    if not forms:
        return None
    return re.compile(
        "|".join(re.escape(form) if form in anywhere else _as_word(form) for form in forms), re.IGNORECASE
    )


def _certain(server: Server) -> Iterator[str]:
    """Values that are secrets by where they stand, as they were given and as a server may decode them."""
    for name, value in server.headers.items():
        if _SECRET_NAME.search(name):
            yield value
            if scheme := _SCHEME.fullmatch(value):
                yield scheme[1]
                yield from _login(scheme[1])
        if name.lower() == "cookie":
            yield from (value for name, value in _cookies(value) if _SECRET_NAME.search(name))
    query = parse_qsl(server.query)
    secrets = [value for name, value in query if _SECRET_NAME.search(name)]
    yield from secrets
    if secrets:
        yield server.query


def _likely(server: Server) -> Iterator[str]:
    """Values that are secrets if they look like one."""
    for name, value in server.headers.items():
        yield value
        if scheme := _SCHEME.fullmatch(value):
            yield scheme[1]
        if name.lower() == "cookie":
            yield from (value for _, value in _cookies(value))
    yield server.query
    yield from (value for _, value in parse_qsl(server.query))


def _cookies(header: str) -> Iterator[tuple[str, str]]:
    """Names and values of a Cookie header."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value


def _login(encoded: str) -> Iterator[str]:
    """The user:password that a Basic header holds, and the password alone."""
    try:
        login = b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
    except (Base64Error, ValueError):
        return
    yield login
    yield login.partition(":")[2]


def _is_ordinary(value: str) -> bool:
    """Whether a value is made of a few words such as other texts have too: `default`, `image/png`, `team-2`."""
    words = re.findall(r"[^\W_]+", value)
    return len(words) < WORDS_OF_A_PHRASE and all(map(_WORD.fullmatch, words))


def _as_word(form: str) -> str:
    """What finds a form that stands by itself."""
    escaped = re.escape(form)
    before = f"(?:{_BEFORE})" if form[0].isalnum() else ""
    return f"(?={escaped}){before}{escaped}{_AFTER if form[-1].isalnum() else ''}"


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is and as it is shown, encoded for a URL, in base64 and within a JSON or Python literal."""
    yield secret
    yield without_hidden(secret)
    raw = secret.encode("utf-8", "surrogateescape")
    yield quote(raw, safe="")
    yield quote(raw, safe="!*'()")  # as JavaScript does
    yield quote(raw)
    yield quote_plus(raw)
    for encoded in (b64encode(raw).decode(), urlsafe_b64encode(raw).decode()):
        yield encoded
        yield encoded.rstrip("=")
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield repr(secret)[1:-1]
