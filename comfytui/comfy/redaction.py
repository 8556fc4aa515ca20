"""The user's secrets taken out of what a server says: some echo headers and addresses in their errors and logs.

What is sent back to the server, or compared (prompts, files, models, ids, figures), stays as it is.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, quote, quote_plus

from comfytui.comfy.events import Event, Executed, ExecutionError, Logs, NodeText
from comfytui.comfy.replies import HistoryEntry, NodeError
from comfytui.comfy.server import Server

HIDDEN = "***"
SHORTEST = 4
"""Characters of a secret; a shorter value would be found in every other text."""
SHORTEST_COOKIE = 8
"""Characters of a cookie that a server set; shorter ones are settings such as `theme=dark`."""
_SCHEME = re.compile(r"(?:Basic|Bearer|Token|Digest|Negotiate)\s+(.*)", re.IGNORECASE | re.DOTALL)


class Redactor:
    """Hides the secrets of one server in texts, and in whatever carries texts to be read."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._found: re.Pattern[str] | None = None
        self._cookies: tuple[str, ...] | None = None

    def text(self, text: str) -> str:
        """The text with *** in the place of each secret."""
        secrets = self._pattern()
        return secrets.sub(HIDDEN, text) if secrets else text

    def event(self, event: Event) -> Event:
        """An event without secrets in what it says; one that has none is the very same."""
        match event:
            case ExecutionError():
                return self.error(event)
            case Executed(text=text) if text:
                return replace(event, text=self._texts(text))
            case NodeText(text=text):
                return replace(event, text=self.text(text))
            case Logs(chunks=chunks):
                return replace(event, chunks=self._texts(chunks))
            case _:
                return event

    def error(self, error: ExecutionError) -> ExecutionError:
        """A node's error without secrets."""
        return replace(
            error,
            exception_type=self.text(error.exception_type),
            exception_message=self.text(error.exception_message),
            traceback=self._texts(error.traceback),
        )

    def entry(self, entry: HistoryEntry) -> HistoryEntry:
        """An entry of the history without secrets in what it says."""
        return replace(entry, error=self.error(entry.error) if entry.error else None, text=self._texts(entry.text))

    def node_errors(self, errors: Iterable[NodeError]) -> tuple[NodeError, ...]:
        """What validation says without secrets."""
        return tuple(
            replace(error, message=self.text(error.message), details=self.text(error.details)) for error in errors
        )

    def _texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self.text, texts))

    def _pattern(self) -> re.Pattern[str] | None:
        """What finds every secret, the longest first; cookies come and go."""
        cookies = tuple(value for cookie in self._server.cookies if len(value := cookie.value or "") >= SHORTEST_COOKIE)
        if cookies != self._cookies:
            self._cookies = cookies
            forms = {form for secret in {*_secrets(self._server), *cookies} for form in _forms(secret)}
            worth = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)
            self._found = re.compile("|".join(map(re.escape, worth)), re.IGNORECASE) if worth else None
        return self._found


def _secrets(server: Server) -> Iterator[str]:
    """The values that let the user in, as they were given and as a server may decode them."""
    for name, value in server.headers.items():
        yield value
        if scheme := _SCHEME.fullmatch(value):
            yield scheme[1]
            yield from _login(scheme[1])
        if name.lower() == "cookie":
            yield from (part.partition("=")[2].strip() for part in value.split(";"))
    yield server.query
    yield from (value for _, value in parse_qsl(server.query))


def _login(encoded: str) -> Iterator[str]:
    """The user:password that a Basic header holds, and the password alone."""
    try:
        login = b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
    except (Base64Error, ValueError):
        return
    yield login
    yield login.partition(":")[2]


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is, encoded for a URL in two ways, in base64 and within a JSON or Python literal."""
    yield secret
    raw = secret.encode("utf-8", "surrogateescape")
    yield quote(raw, safe="")
    yield quote_plus(raw)
    yield b64encode(raw).decode()
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield repr(secret)[1:-1]
