"""Redact the user's secrets in what a server sends: some servers echo headers and URLs in their errors and logs.

Values that are sent back to the server or compared (prompts, files, models, ids, numbers) are left as they are.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from comfytui.comfy.credentials import secret_pattern
from comfytui.comfy.protocol.events import Event, Executed, ExecutionError, Logs, NodeText
from comfytui.comfy.protocol.models import HistoryEntry, Json, NodeError
from comfytui.comfy.server import Server
from comfytui.sanitize import is_known_safe, strip_escapes, strip_hidden

HIDDEN = "***"
_REPEATED = re.compile(r"(?:\*\*\*){2,}")
_WHITESPACE = "\t\n\v\f\r\x85\u2028\u2029"
NO_NODES: Mapping[str, Json] = MappingProxyType({})


class Redactor:
    """Redacts the secrets of one server in texts, and in the texts of events and responses.

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

    def event(self, event: Event) -> Event:
        """Return an event with its texts redacted; the same object if it has none."""
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
        """Return the error of a node with its texts redacted."""
        return replace(
            error,
            node_id=self.text(error.node_id),
            node_type=self.text(error.node_type),
            exception_type=self.text(error.exception_type),
            exception_message=self.text(error.exception_message),
            traceback=self._texts(error.traceback),
        )

    def entry(self, entry: HistoryEntry) -> HistoryEntry:
        """Return a history entry with its texts redacted."""
        return replace(entry, error=self.error(entry.error) if entry.error else None, text=self._texts(entry.text))

    def node_errors(self, errors: Iterable[NodeError], graph: Mapping[str, Json] = NO_NODES) -> tuple[NodeError, ...]:
        """Return validation errors with their texts redacted.

        Args:
            errors: The errors.
            graph: The graph that they are about; its own names are left as they are, since they are compared.
        """
        names = frozenset(_names(graph))
        return tuple(
            replace(
                error,
                node_id=self._unless_in(names, error.node_id),
                class_type=self._unless_in(names, error.class_type),
                input_name=self._unless_in(names, error.input_name),
                message=self.text(error.message),
                details=self.text(error.details),
            )
            for error in errors
        )

    def _unless_in(self, names: Set[str], name: str) -> str:
        return name if name in names else self.text(name)

    def _texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self.text, texts))

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


def _names(graph: Mapping[str, Json]) -> Iterator[str]:
    """Yield the node ids, class names and input names of a graph."""
    for node_id, node in graph.items():
        yield node_id
        if isinstance(node, Mapping):
            yield str(node.get("class_type"))
            inputs = node.get("inputs")
            yield from map(str, inputs if isinstance(inputs, Mapping) else ())


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
