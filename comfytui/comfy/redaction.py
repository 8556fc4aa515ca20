"""The user's secrets taken out of what a server says: some echo headers and addresses in their errors and logs.

What is sent back to the server, or compared (prompts, files, models, ids, figures), stays as it is.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from comfytui.comfy.credentials import finder_of
from comfytui.comfy.protocol.events import Event, Executed, ExecutionError, Logs, NodeText
from comfytui.comfy.protocol.models import HistoryEntry, Json, NodeError
from comfytui.comfy.server import Server
from comfytui.sanitize import is_common, without_escapes, without_hidden

HIDDEN = "***"
_SEVERAL = re.compile(r"(?:\*\*\*){2,}")
BREAKS = "\t\n\v\f\r\x85\u2028\u2029"
EMPTY: Mapping[str, Json] = MappingProxyType({})


class Redactor:
    """Hides the secrets of one server in texts, and in whatever carries texts to be read.

    Args:
        server: Whose headers, query and cookies hold the secrets.
        before: The redactor of an earlier login to it, whose secrets are still secrets.
    """

    def __init__(self, server: Server, before: "Redactor | None" = None) -> None:
        self.server = server
        self._before = before
        # Replaced as a whole: threads share it.
        self._finder: tuple[object, re.Pattern[str] | None] = (None, None)

    def text(self, text: str) -> str:
        """The text with *** in the place of each secret, also of one that shows only once the text is made harmless."""
        if self._before is not None:
            text = self._before.text(text)
        secrets = self._pattern()
        if secrets is None:
            return text
        text = secrets.sub(HIDDEN, text)
        if is_common(text):
            return text
        without = without_escapes(text)
        for shown in (without_hidden(without, _breaks), without_hidden(text, _breaks), _one_line(without)):
            if secrets.search(shown):
                return secrets.sub(HIDDEN, without_hidden(secrets.sub(HIDDEN, shown), _breaks))
        return text

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
            node_id=self.text(error.node_id),
            node_type=self.text(error.node_type),
            exception_type=self.text(error.exception_type),
            exception_message=self.text(error.exception_message),
            traceback=self._texts(error.traceback),
        )

    def entry(self, entry: HistoryEntry) -> HistoryEntry:
        """An entry of the history without secrets in what it says."""
        return replace(entry, error=self.error(entry.error) if entry.error else None, text=self._texts(entry.text))

    def node_errors(self, errors: Iterable[NodeError], graph: Mapping[str, Json] = EMPTY) -> tuple[NodeError, ...]:
        """What validation says of a graph without secrets; the graph's own names stay, they are compared."""
        own = frozenset(_names(graph))
        return tuple(
            replace(
                error,
                node_id=self._unless(own, error.node_id),
                class_type=self._unless(own, error.class_type),
                input_name=self._unless(own, error.input_name),
                message=self.text(error.message),
                details=self.text(error.details),
            )
            for error in errors
        )

    def _unless(self, own: Set[str], name: str) -> str:
        return name if name in own else self.text(name)

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


def _breaks(char: str) -> str:
    """What stands in the place of a character that is taken out: line breaks and tabs stay."""
    return char if char in BREAKS else ""


def _one_line(text: str) -> str:
    """The text with a space in the place of line breaks and tabs, and without what shows nothing."""
    return without_hidden(re.sub(f"[{BREAKS}]+", " ", text))


def _names(graph: Mapping[str, Json]) -> Iterator[str]:
    """The ids of the nodes of a graph, their classes and the names of their inputs."""
    for node_id, node in graph.items():
        yield node_id
        if isinstance(node, Mapping):
            yield str(node.get("class_type"))
            inputs = node.get("inputs")
            yield from map(str, inputs if isinstance(inputs, Mapping) else ())


def redactor_of(server: Server, before: Server | None = None) -> Redactor:
    """The redactor of a server, whose secrets `without_secrets` hides from now on, and those of a login `before`."""
    for known in _redactors:
        if known.server is server:
            return known
    redactor = Redactor(server, redactor_of(before) if before else None)
    _redactors.append(redactor)
    return redactor


def without_secrets(text: str) -> str:
    """A text of our own, such as a traceback, without the secrets of any server that this process has used."""
    for redactor in tuple(_redactors):
        text = redactor.text(text)
    # Two servers whose secrets share a part each hide theirs.
    return _SEVERAL.sub(HIDDEN, text)


class LogFormatter(logging.Formatter):
    """Formats records, their tracebacks included, without the secrets of any server that this process has used."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return without_secrets(super().format(record))
