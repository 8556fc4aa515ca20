"""Find the workflow in the JSON objects that programs put around it."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

MAX_WRAPPERS: Final = 4
"""Objects around a workflow that are looked into."""


class Contents(NamedTuple):
    """What may be a workflow in a document, unchecked; a string is JSON that is not parsed yet."""

    prompt: Any = None
    """In the API format."""
    workflow: Any = None
    """In the editor's format."""


def unwrap(document: object, wrappers: int = MAX_WRAPPERS) -> Contents:
    """Return what may be a workflow in a document.

    It may be the workflow itself, the body of `POST /prompt`, an answer of `/history/{id}` or `/api/jobs/{id}`, or an
    object with the texts that ComfyUI writes into images.
    """
    match document:
        case {"nodes": list()}:
            return Contents(workflow=document)
        case dict() if wrappers and (found := list(_wrapped(document, wrappers - 1))):
            return _merge(found)
        case _:
            return Contents(prompt=document)


def _wrapped(document: dict[str, Any], wrappers: int) -> Iterable[Contents]:
    """Yield what an object wraps, first what is to be preferred; nothing if it is no wrapper."""
    match document:
        case {"prompt": {"class_type": _}} | {"workflow": {"class_type": _}}:
            return  # a graph with a node of this id
        case {"prompt": [_, _, dict() as graph, *rest]}:
            yield unwrap(graph, wrappers)
            yield from _pnginfo(*rest[:1])
        case {"prompt": dict() as inner}:
            yield unwrap(inner, wrappers)
        case {"prompt": str(text)} if _is_object(text):
            yield Contents(prompt=text)
    match document:
        case {"workflow": dict() as inner}:
            yield unwrap(inner, wrappers)
        case {"workflow": str(text)} if _is_object(text):
            yield Contents(workflow=text)
        case {"extra_data": extra, "prompt": dict()}:
            yield from _pnginfo(extra)
        case {**entries} if len(entries) == 1:
            (entry,) = entries.values()
            if isinstance(entry, dict) and isinstance(entry.get("prompt"), list):
                yield unwrap(entry, wrappers)


def _pnginfo(extra: object = None) -> Iterable[Contents]:
    """Yield the editor's format that the web page sends along with a prompt."""
    match extra:
        case {"extra_pnginfo": {"workflow": dict() as workflow}}:
            yield Contents(workflow=workflow)


def _is_object(text: str) -> bool:
    return text.lstrip().startswith("{")


def _merge(found: list[Contents]) -> Contents:
    """Return the first of each format."""
    prompts = (each.prompt for each in found if each.prompt is not None)
    workflows = (each.workflow for each in found if each.workflow is not None)
    return Contents(next(prompts, None), next(workflows, None))
