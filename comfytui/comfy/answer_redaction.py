"""Redact the user's secrets in the texts of events and responses.

Values that are sent back to the server or compared (prompts, files, models, ids, numbers) are left as they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from comfytui.comfy.protocol.events import Event, Executed, ExecutionError, Logs, NodeText
from comfytui.comfy.protocol.models import HistoryEntry, Json, NodeError
from comfytui.comfy.redaction import Redactor

NO_NODES: Mapping[str, Json] = MappingProxyType({})


def redacted_event(redactor: Redactor, event: Event) -> Event:
    """Return an event with its texts redacted; the same object if it has none."""
    match event:
        case ExecutionError():
            return _redacted_error(redactor, event)
        case Executed(text=text) if text:
            return replace(event, text=_redacted_texts(redactor, text))
        case NodeText(text=text):
            return replace(event, text=redactor.text(text))
        case Logs(chunks=chunks):
            return replace(event, chunks=_redacted_texts(redactor, chunks))
        case _:
            return event


def redacted_entry(redactor: Redactor, entry: HistoryEntry) -> HistoryEntry:
    """Return a history entry with its texts redacted."""
    error = _redacted_error(redactor, entry.error) if entry.error else None
    return replace(entry, error=error, text=_redacted_texts(redactor, entry.text))


def redacted_node_errors(
    redactor: Redactor, errors: Iterable[NodeError], graph: Mapping[str, Json] = NO_NODES
) -> tuple[NodeError, ...]:
    """Return validation errors with their texts redacted.

    Args:
        redactor: The redactor of the server.
        errors: The errors.
        graph: The graph that they are about; its own names are left as they are, since they are compared.
    """
    names = frozenset(_names(graph))
    return tuple(
        replace(
            error,
            node_id=_unless_in(names, error.node_id, redactor),
            class_type=_unless_in(names, error.class_type, redactor),
            input_name=_unless_in(names, error.input_name, redactor),
            message=redactor.text(error.message),
            details=redactor.text(error.details),
        )
        for error in errors
    )


def _redacted_error(redactor: Redactor, error: ExecutionError) -> ExecutionError:
    return replace(
        error,
        node_id=redactor.text(error.node_id),
        node_type=redactor.text(error.node_type),
        exception_type=redactor.text(error.exception_type),
        exception_message=redactor.text(error.exception_message),
        traceback=_redacted_texts(redactor, error.traceback),
    )


def _redacted_texts(redactor: Redactor, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(redactor.text, texts))


def _unless_in(names: Set[str], name: str, redactor: Redactor) -> str:
    return name if name in names else redactor.text(name)


def _names(graph: Mapping[str, Json]) -> Iterator[str]:
    """Yield the node ids, class names and input names of a graph."""
    for node_id, node in graph.items():
        yield node_id
        if isinstance(node, Mapping):
            yield str(node.get("class_type"))
            inputs = node.get("inputs")
            yield from map(str, inputs if isinstance(inputs, Mapping) else ())
