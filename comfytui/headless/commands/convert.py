"""`comfytui convert`: workflows of the editor become prompts, which are written as JSON."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.server import Server
from comfytui.garbage_pause import garbage_collection_paused
from comfytui.headless.commands.connecting import connected, request_error
from comfytui.headless.commands.output import write_bytes, write_lines, write_note
from comfytui.headless.conversion import definitions_of
from comfytui.new_files import SaveError, new_file
from comfytui.sanitize import sanitize
from comfytui.workflow.conversion import obstacles, workflow_from
from comfytui.workflow.documents import WorkflowDocument, load_document
from comfytui.workflow.editor.class_types import class_types
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph

Definitions = Mapping[str, Mapping[str, Any]]
"""Definitions of node classes by class."""

MESSAGE_LIMIT: Final = 1_000
"""Characters of a message that are shown."""


class ConvertCommand:
    """Files that are written as prompts, and what is said about them.

    Args:
        files: Each file, with its name for messages.
        output: The folder to write in; None for standard output.
    """

    def __init__(self, files: Iterable[tuple[str, Path]], output: Path | None) -> None:
        self._output = output
        self._succeeded = True
        self._documents = [(name, document) for name, path in files if (document := self._load(name, path))]

    @property
    def needs_definitions(self) -> bool:
        """Whether one of the files is in the editor's format only."""
        return any(document.graph is None for _, document in self._documents)

    async def write_for(self, server: Server) -> bool:
        """Write the prompts as a server takes them; return whether all files are written and can be queued.

        Raises:
            ConnectError: There is no session with the server.
        """
        editors = (document.editor for _, document in self._documents if document.graph is None)
        types = frozenset[str]().union(*map(class_types, editors))
        async with connected(server, observe=True) as session:
            try:
                definitions = await definitions_of(session.service, types)
            except ComfyError as error:
                raise request_error(error) from None
        return await self.write(definitions)

    async def write(self, definitions: Definitions) -> bool:
        """Write the prompts; return whether all files are written and can be queued.

        Args:
            definitions: The definitions of the nodes in files of the editor's format.

        Raises:
            BrokenPipeError: Nobody reads standard output any more.
        """
        for name, document in self._documents:
            if (graph := await asyncio.to_thread(self._convert, name, document, definitions)) is not None:
                await asyncio.to_thread(self._write, name, document.name, graph)
        return self._succeeded

    def _load(self, name: str, path: Path) -> WorkflowDocument | None:
        try:
            return load_document(path)
        except WorkflowError as error:
            self._fail(str(error))  # It names the file.
            return None

    def _convert(self, name: str, document: WorkflowDocument, definitions: Definitions) -> Graph | None:
        """Return the prompt of a file, and say what is wrong with it; None if there is none."""
        try:
            with garbage_collection_paused():
                workflow = workflow_from(document, definitions, datetime.now(), SystemRandom())
        except WorkflowError as error:
            self._fail(f"{name}: {error}")
            return None
        for obstacle in obstacles(workflow):
            self._fail(f"{name}: cannot be queued: {obstacle}")
        for finding in workflow.findings:
            if not finding.blocks:
                _say(f"{name}: {finding.message}")
        return workflow.graph or None

    def _write(self, name: str, stem: str, graph: Graph) -> None:
        if self._output is None:
            write_bytes(_json_of(graph, printable=sys.stdout is not None and sys.stdout.isatty()))
            return
        try:
            with new_file(self._output) as file:
                file.write(_json_of(graph))
                path = file.commit(f"{sanitize(stem, MESSAGE_LIMIT).strip('. ') or 'workflow'}.json")
        except SaveError as error:
            self._fail(f"{name}: {error}")
        else:
            write_lines([sanitize(str(path), MESSAGE_LIMIT)], sys.stdout)

    def _fail(self, message: str) -> None:
        self._succeeded = False
        _say(message)


def _say(message: str) -> None:
    write_note(sanitize(message, MESSAGE_LIMIT))


def _json_of(graph: Graph, *, printable: bool = False) -> bytes:
    """Return a graph as JSON in UTF-8, or in ASCII that is safe to print."""
    text = json.dumps(graph, ensure_ascii=printable, indent=2)
    return (text.replace("\x7f", "\\u007f") + "\n").encode()
