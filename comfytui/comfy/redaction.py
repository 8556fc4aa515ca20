"""Redact the user's secrets in texts: some servers echo headers and URLs in their errors and logs."""

import logging
import re

from comfytui.comfy.credentials import secret_pattern
from comfytui.comfy.server import Server
from comfytui.sanitize import is_known_safe, strip_escapes, strip_hidden

HIDDEN = "***"
_REPEATED = re.compile(r"(?:\*\*\*){2,}")
_WHITESPACE = "\t\n\v\f\r\x85\u2028\u2029"


class Redactor:
    """Redacts the secrets of one server in texts.

    Args:
        server: The server whose headers, query and cookies hold the secrets.
        previous: The redactor of its previous credentials, which are still secret.
    """

    def __init__(self, server: Server, previous: "Redactor | None" = None) -> None:
        self.server = server
        self._previous = previous
        # The cookies and the pattern made of them, replaced together: threads share them.
        self._cached: tuple[object, re.Pattern[str] | None] = (None, None)

    def text(self, text: str) -> str:
        """Return a text with `***` in place of each secret, including those that appear only once it is sanitized."""
        if self._previous is not None:
            text = self._previous.text(text)
        secrets = self._secrets()
        if secrets is None:
            return text
        text = secrets.sub(HIDDEN, text)
        if is_known_safe(text):
            return text
        without = strip_escapes(text)
        for shown in (
            strip_hidden(without, _keep_whitespace),
            strip_hidden(text, _keep_whitespace),
            _one_line(without),
        ):
            if secrets.search(shown):
                return secrets.sub(HIDDEN, strip_hidden(secrets.sub(HIDDEN, shown), _keep_whitespace))
        return text

    def _secrets(self) -> re.Pattern[str] | None:
        """Return the pattern of all secrets, made anew when the cookies changed."""
        cookies = self.server.cookies.snapshot
        if self._cached[0] is not cookies:
            self._cached = (cookies, secret_pattern(self.server, cookies))
        return self._cached[1]


_redactors: list[Redactor] = []
"""One for each server that this process has used, and for each of its credentials."""


def _keep_whitespace(char: str) -> str:
    """Return the replacement of a hidden character: line breaks and tabs are kept."""
    return char if char in _WHITESPACE else ""


def _one_line(text: str) -> str:
    """Return a text with line breaks and tabs replaced by spaces, and without hidden characters."""
    return strip_hidden(re.sub(f"[{_WHITESPACE}]+", " ", text))


def redactor_of(server: Server, previous: Server | None = None) -> Redactor:
    """Return the redactor of a server; from now on `without_secrets` redacts its secrets as well.

    Args:
        server: The server with its current credentials.
        previous: The same server with its previous credentials, if they changed.
    """
    for known in _redactors:
        if known.server is server:
            return known
    redactor = Redactor(server, redactor_of(previous) if previous else None)
    _redactors.append(redactor)
    return redactor


def without_secrets(text: str) -> str:
    """Redact, in a text of our own such as a traceback, the secrets of all servers that this process has used."""
    for redactor in tuple(_redactors):
        text = redactor.text(text)
    # Overlapping secrets of two servers leave several *** in a row.
    return _REPEATED.sub(HIDDEN, text)


class LogFormatter(logging.Formatter):
    """Formats log records, tracebacks included, with the secrets of all servers redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted text of a record."""
        return without_secrets(super().format(record))
