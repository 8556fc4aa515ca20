"""Find the secrets of a server (in its headers, query and cookies) in a text, in whatever encoding."""

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus

from comfytui.comfy.server import Server
from comfytui.sanitize import strip_hidden

MIN_LENGTH = 4
"""Characters of a secret; shorter values occur in ordinary texts."""
LONG = 8
"""Characters from which on a secret is also found within a longer word, and a value of any name may be one."""
MAX_WORD = 20
"""Letters of an ordinary word; longer ones are taken for random values."""
PHRASE_WORDS = 4
"""Words of a passphrase: no text has so many in the same order by chance."""

_SECRET_NAME = re.compile(
    r"auth(?!ors?(?:$|[^a-z]))|key|token|secret|passw|passphrase|passcode|credential|cookie|session|signature|jwt|assertion"
    r"|(?:^|[^a-z])(?:pass|pwd|sid|sig|pin|otp|code|sas)(?:$|[^a-z])|sessid|\.sid",
    re.IGNORECASE,
)
"""Names of headers, cookies and query parameters whose values are secrets, whatever they look like."""
_SCHEME = re.compile(r"(?:Basic|Bearer|Token|Digest|Negotiate)\s+(.*)", re.IGNORECASE | re.DOTALL)
_ORDINARY_WORD = re.compile(rf"[a-z]{{1,{MAX_WORD}}}|[A-Z]{{1,{MAX_WORD}}}|[A-Z][a-z]{{1,{MAX_WORD}}}|[0-9]{{1,4}}")

# A word begins after anything but a letter or digit, or after an escape that ends in one: of a URL, a literal or a
# terminal. Each alternative has a fixed width, as lookbehinds require.
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


def secret_pattern(server: Server, cookies: Iterable[tuple[str, str]]) -> re.Pattern[str] | None:
    """Return a pattern that matches every secret of a server, longer ones first; None if it has none.

    Args:
        server: Its headers and query are searched for secrets.
        cookies: Names and values of the cookies that it set.
    """
    anywhere, as_words = set[str](), set[str]()
    for value in _certain_secrets(server):
        for form in _encodings(value):
            (anywhere if len(form) >= LONG else as_words).add(form)
    for name, value in cookies:
        if len(value) >= LONG and (_SECRET_NAME.search(name) or not _is_ordinary(value)):
            anywhere.update(_encodings(value))
    for value in _possible_secrets(server):
        if len(value) >= LONG and not _is_ordinary(value):
            as_words.update(_encodings(value))
    forms = sorted((form for form in anywhere | as_words if len(form) >= MIN_LENGTH), key=len, reverse=True)
    if not forms:
        return None
    return re.compile(
        "|".join(re.escape(form) if form in anywhere else _word_pattern(form) for form in forms), re.IGNORECASE
    )


def _certain_secrets(server: Server) -> Iterator[str]:
    """Yield values that are secrets by their name, as given and as a server may decode them."""
    for name, value in server.headers.items():
        if _SECRET_NAME.search(name):
            yield value
            if scheme := _SCHEME.fullmatch(value):
                yield scheme[1]
                yield from _decode_login(scheme[1])
        if name.lower() == "cookie":
            yield from (value for name, value in _parse_cookies(value) if _SECRET_NAME.search(name))
    query = parse_qsl(server.query)
    secrets = [value for name, value in query if _SECRET_NAME.search(name)]
    yield from secrets
    if secrets:
        yield server.query


def _possible_secrets(server: Server) -> Iterator[str]:
    """Yield values that are secrets if they look like one."""
    for name, value in server.headers.items():
        yield value
        if scheme := _SCHEME.fullmatch(value):
            yield scheme[1]
        if name.lower() == "cookie":
            yield from (value for _, value in _parse_cookies(value))
    yield server.query
    yield from (value for _, value in parse_qsl(server.query))


def _parse_cookies(header: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a Cookie header."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value


def _decode_login(encoded: str) -> Iterator[str]:
    """Yield the `user:password` of a Basic header, and the password alone."""
    try:
        login = b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
    except (Base64Error, ValueError):
        return
    yield login
    yield login.partition(":")[2]


def _is_ordinary(value: str) -> bool:
    """Return whether a value consists of a few ordinary words: `default`, `image/png`, `team-2`."""
    words = re.findall(r"[^\W_]+", value)
    return len(words) < PHRASE_WORDS and all(map(_ORDINARY_WORD.fullmatch, words))


def _word_pattern(form: str) -> str:
    """Return a pattern that matches a form as a whole word."""
    escaped = re.escape(form)
    before = f"(?:{_BEFORE})" if form[0].isalnum() else ""
    return f"(?={escaped}){before}{escaped}{_AFTER if form[-1].isalnum() else ''}"


def _encodings(secret: str) -> Iterator[str]:
    """Yield a secret as it is and as displayed, encoded for a URL, in base64, and as in a JSON or Python literal."""
    yield secret
    yield strip_hidden(secret)
    raw = secret.encode("utf-8", "surrogateescape")
    yield quote(raw, safe="")
    yield quote(raw, safe="!*'()")  # like JavaScript's encodeURIComponent
    yield quote(raw)
    yield quote_plus(raw)
    for encoded in (b64encode(raw).decode(), urlsafe_b64encode(raw).decode()):
        yield encoded
        yield encoded.rstrip("=")
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield repr(secret)[1:-1]
