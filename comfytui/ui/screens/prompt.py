"""The prompt as it would be sent: what the form changes in the workflow, what was found in it, and its JSON."""

import asyncio
import json
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker

from comfytui.new_files import SaveError, new_file
from comfytui.presentation.prompt_text import changes_text, findings_text, json_text
from comfytui.sanitize import sanitize
from comfytui.ui.widgets.text import Line
from comfytui.workflow.graph import Graph, Workflow
from comfytui.workflow.graph_changes import changed_inputs

MAX_MESSAGE = 600
"""Characters of a message."""


class PromptScreen(Screen[None]):
    """Shows a prompt before it is sent.

    Args:
        workflow: The workflow, as it was opened.
        graph: The prompt.
        folder: Where the JSON is saved.
        note: What else is to be said about it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f6", "app.pop_screen", "Back", key_display="esc", id="prompt-back"),
        Binding("c", "copy", "Copy", id="prompt-copy", tooltip="Copy the JSON"),
        Binding("s", "save", "Save", id="prompt-save", tooltip="Save the JSON as a file"),
    ]

    def __init__(self, workflow: Workflow, graph: Graph, folder: Path, note: str = "") -> None:
        super().__init__()
        self._workflow = workflow
        self._graph = graph
        self._folder = folder
        self._note = note

    def compose(self) -> ComposeResult:
        """Compose the sections, which scroll as one text."""
        workflow = self._workflow
        with VerticalScroll():
            yield Line(f"The prompt of {sanitize(workflow.name, 60)}", classes="title")
            if self._note:
                yield Static(self._note, markup=False, classes="help")
            if workflow.findings:
                yield Line("Found in the workflow", classes="heading")
                yield Static(findings_text(workflow.findings), markup=False)
            yield Line("Changed in the form", classes="heading")
            yield Static(changes_text(changed_inputs(workflow.graph, self._graph)), markup=False)
            yield Line("JSON", classes="heading")
            yield Static(json_text(self._graph), markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Let the arrow keys scroll the text."""
        self.query_one(VerticalScroll).focus()

    def action_copy(self) -> None:
        """Copy the JSON to the clipboard of the terminal."""
        self.app.copy_to_clipboard(self._json)
        self.notify("Copied, if the terminal lets programs copy.")

    @property
    def _json(self) -> str:
        """The whole JSON; `json_text` is cut and made safe to be shown."""
        return json.dumps(self._graph, indent=2)

    def action_save(self) -> None:
        """Save the JSON as a new file in the folder for saved files."""
        _: Worker[None] = self.run_worker(self._save, group="save-json", exclusive=True)

    async def _save(self) -> None:
        try:
            path = await asyncio.to_thread(self._write)
        except SaveError as error:
            self.notify(sanitize(str(error), MAX_MESSAGE), severity="error", markup=False)
        else:
            self.notify(sanitize(f"Saved as {path}.", MAX_MESSAGE), markup=False)

    def _write(self) -> Path:
        with new_file(self._folder) as file:
            file.write(self._json.encode())
            return file.commit(f"{self._workflow.name}.json")
