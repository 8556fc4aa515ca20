"""The prompt as it would be sent: what the form changes in the workflow, what was found in it, and its JSON."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from comfytui.presentation.prompt_text import changes_text, findings_text, json_text
from comfytui.sanitize import sanitize
from comfytui.ui.widgets.text import Line
from comfytui.workflow.graph import Graph, Workflow
from comfytui.workflow.graph_changes import changed_inputs


class PromptScreen(Screen[None]):
    """Shows a prompt before it is sent.

    Args:
        workflow: The workflow, as it was opened.
        graph: The prompt.
        note: What else is to be said about it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f6", "app.pop_screen", "Back", key_display="esc", id="prompt-back"),
        Binding("c", "copy", "Copy", id="prompt-copy", tooltip="Copy the JSON"),
    ]

    def __init__(self, workflow: Workflow, graph: Graph, note: str = "") -> None:
        super().__init__()
        self._workflow = workflow
        self._graph = graph
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
        self.app.copy_to_clipboard(json_text(self._graph))
        self.notify("Copied, if the terminal lets programs copy.")
