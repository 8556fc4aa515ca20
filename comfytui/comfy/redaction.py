"""The user's secrets taken out of what a server says: some echo headers and addresses in their errors and logs.

What is sent back to the server, or compared (prompts, files, models, ids, figures), stays as it is.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import replace

from comfytui.comfy.credentials import finder_of
from comfytui.comfy.events import Event, Executed, ExecutionError, Logs, NodeText
from comfytui.comfy.replies import HistoryEntry, NodeError
from comfytui.comfy.server import Server

HIDDEN = "***"


class Redactor:
    """Hides the secrets of one server in texts, and in whatever carries texts to be read."""

    def __init__(self, server: Server) -> None:
        self.server = server
        # Replaced as a whole: threads share it.
        self._finder: tuple[object, re.Pattern[str] | None] = (None, None)

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
        """What finds every secret; cookies come and go."""
        cookies = self.server.cookies.newest
        if self._finder[0] is not cookies:
            self._finder = (cookies, finder_of(self.server, cookies))
        return self._finder[1]


_redactors: list[Redactor] = []
"""One for each server that this process has used, and for each login to it."""


def redactor_of(server: Server) -> Redactor:
    """The redactor of a server, whose secrets `without_secrets` hides from now on."""
    for known in _redactors:
        if known.server is server:
            return known
    redactor = Redactor(server)
    _redactors.append(redactor)
    return redactor


def without_secrets(text: str) -> str:
    """A text of our own, such as a traceback, without the secrets of any server that this process has used."""
    for redactor in tuple(_redactors):
        text = redactor.text(text)
    return text


class LogFormatter(logging.Formatter):
    """Formats records, their tracebacks included, without the secrets of any server that this process has used."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return without_secrets(super().format(record))
