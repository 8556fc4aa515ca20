"""The prompt as it would be sent: what the form changes in the workflow, what was found in it, and its JSON."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker

from comfytui.new_files import SaveError, new_file
from comfytui.presentation.prompt_text import changes_text, findings_text, json_text
from comfytui.sanitize import sanitize
from comfytui.ui.widgets.footer import KeyFooter
from comfytui.ui.widgets.text import Line
from comfytui.workflow.graph import Graph, Workflow
from comfytui.workflow.graph_changes import changed_inputs

MAX_MESSAGE = 600
"""Characters of a message."""


class SentPromptScreen(Screen[None]):
    """Shows a prompt before it is sent.

    Args:
        workflow: The workflow, as it was opened.
        read: Returns the prompt, and what else is to be said about it; it may take its time.
        folder: Where the JSON is saved.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f6", "app.pop_screen", "Back", key_display="esc", id="prompt-back"),
        Binding("c", "copy", "Copy", id="prompt-copy", tooltip="Copy the JSON"),
        Binding("s", "save", "Save", id="prompt-save", tooltip="Save the JSON as a file"),
    ]

    def __init__(self, workflow: Workflow, read: Callable[[], Awaitable[tuple[Graph, str]]], folder: Path) -> None:
        super().__init__()
        self._workflow = workflow
        self._read = read
        self._folder = folder
        self._graph: Graph = {}
        self._is_read = asyncio.Event()

    def compose(self) -> ComposeResult:
        """Compose the sections that are known, which scroll with the others as one text."""
        workflow = self._workflow
        with VerticalScroll():
            yield Line(f"The prompt of {sanitize(workflow.name, 60)}", classes="title")
            yield Static("", markup=False, classes="help", id="note")
            if workflow.findings:
                yield Line("Found in the workflow", classes="heading")
                yield Static(findings_text(workflow.findings), markup=False)
            yield Line("Changed in the form", classes="heading")
            yield Static("", markup=False, id="changes")
            yield Line("JSON", classes="heading")
            yield Static("", markup=False, id="json")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Let the arrow keys scroll the text, and read the prompt."""
        self.query_one(VerticalScroll).focus()
        _: Worker[None] = self.run_worker(self._show, group="read-prompt")

    async def _show(self) -> None:
        graph, note = await self._read()
        self._graph = graph
        self._is_read.set()
        if self.query("#json"):  # Not while it closes.
            texts = {"note": note, "changes": changes_text(changed_inputs(self._workflow.graph, graph))}
            for name, text in {**texts, "json": json_text(graph)}.items():
                self.query_one(f"#{name}", Static).update(text)

    def action_copy(self) -> None:
        """Copy the JSON to the clipboard of the terminal."""
        _: Worker[None] = self.run_worker(self._copy, group="copy-json", exclusive=True)

    async def _copy(self) -> None:
        self.app.copy_to_clipboard(await self._json())
        self.notify("Copied, if the terminal lets programs copy.")

    async def _json(self) -> str:
        """Return the whole JSON, once it is read; `json_text` is cut and made safe to be shown."""
        await self._is_read.wait()
        return json.dumps(self._graph, indent=2)

    def action_save(self) -> None:
        """Save the JSON as a new file in the folder for saved files."""
        _: Worker[None] = self.run_worker(self._save, group="save-json", exclusive=True)

    async def _save(self) -> None:
        try:
            path = await asyncio.to_thread(self._write, await self._json())
        except SaveError as error:
            self.notify(sanitize(str(error), MAX_MESSAGE), severity="error", markup=False)
        else:
            self.notify(sanitize(f"Saved as {path}.", MAX_MESSAGE), markup=False)

    def _write(self, text: str) -> Path:
        with new_file(self._folder) as file:
            file.write(text.encode())
            return file.commit(f"{self._workflow.name}.json")
