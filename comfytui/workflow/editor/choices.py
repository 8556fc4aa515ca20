"""Choices that the server does not offer, and the nearest that it does."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.document import Document
from comfytui.workflow.editor.input_definitions import InputDefinition
from comfytui.workflow.editor.json_values import as_list, as_mapping, as_text

_MAX_SCANNED: Final = 20_000
"""Choices that are looked through for similar ones."""

_MAX_COMPARED: Final = 200
"""Choices that are compared letter by letter."""

_MAX_LENGTH: Final = 200
_ANNOTATED: Final = re.compile(r" \[(input|output|temp)\]$")
_WORDS: Final = re.compile(r"[a-z0-9]+")


def is_offered(value: object, definition: InputDefinition) -> bool:
    """Whether the server surely or possibly takes a choice."""
    if definition.choices is None or not isinstance(value, str | int | float):
        return True
    if isinstance(value, str) and is_file_input(definition):
        return _is_possible_file(value, definition)
    return value in definition.offered


def _is_possible_file(value: str, definition: InputDefinition) -> bool:
    """Whether a file is listed, or is where none are: in another folder than the input folder, or below that."""
    mark = _ANNOTATED.search(value)
    if mark and mark[1] != "input":
        return True
    name = value[: mark.start()] if mark else value
    return "/" in name or name in definition.offered


def is_file_input(definition: InputDefinition) -> bool:
    """Whether the choices are files that a user uploads."""
    return definition.is_upload or any(definition.options.get(flag) for flag in ("audio_upload", "file_upload"))


def nearest_choices(value: str, definition: InputDefinition) -> list[str]:
    """Return up to three choices with a name like the missing one, the most similar first; the effort is bounded."""
    wanted = _file_name(value[:_MAX_LENGTH])
    words = set(_WORDS.findall(wanted))
    names = dict[str, str]()
    for choice in islice(definition.choices or (), _MAX_SCANNED):
        if isinstance(choice, str) and len(choice) <= _MAX_LENGTH:
            names.setdefault(_file_name(choice), choice)
    if wanted in names:
        return [names[wanted]]
    by_words = sorted(names, key=lambda name: -len(words.intersection(_WORDS.findall(name))))
    return [names[name] for name in get_close_matches(wanted, by_words[:_MAX_COMPARED], cutoff=0.6)]


class KnownModels:
    """Where the models that a workflow needs are to be had, as its nodes say."""

    def __init__(self, document: Document | None) -> None:
        self._by_name = dict[str, Mapping[str, Any]]()
        if document is None:
            return
        for graph in (document.root, *document.subgraphs.values()):
            for node in graph.nodes:
                self._add(as_list(node.properties.get("models")))
        self._add(document.models)

    def _add(self, models: Iterable[object]) -> None:
        for model in map(as_mapping, models):
            if name := as_text(model.get("name")):
                self._by_name.setdefault(_file_name(name), model)

    def source_of(self, value: str) -> Iterator[str]:
        """Yield what a user can do to get a model, each as a part of a sentence."""
        model = self._by_name.get(_file_name(value[:_MAX_LENGTH]), {})
        if folder := as_text(model.get("directory")):
            yield f"it belongs into models/{sanitize(folder, 60)}"
        if url := as_text(model.get("url")):
            yield f"it can be loaded from {sanitize(url, 300)}"


def _file_name(path: str) -> str:
    return re.split(r"[/\\]", path)[-1].lower()
