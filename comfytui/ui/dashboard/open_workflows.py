"""The workflows that are open, each with the draft of its form, and which of them the form shows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from comfytui.sanitize import sanitize
from comfytui.ui.drafts import DraftFolder, DraftWriter
from comfytui.workflow.graph import Workflow
from comfytui.workflow.unconverted import document_to_convert

if TYPE_CHECKING:
    from comfytui.workflow.documents import WorkflowDocument

MAX_NAME = 60
"""Characters of a workflow's name in the form's title, which is cut at the form's width."""


@dataclass(eq=False, slots=True)
class OpenWorkflow:
    """A workflow whose form can be shown."""

    workflow: Workflow
    """What the form shows: without a graph until it is converted for a server."""
    draft: DraftWriter
    source: "WorkflowDocument | None" = None
    """What the workflow is converted from, None if it has a graph of its own."""
    opened: float = field(default_factory=time.time)
    """The wall clock when it was opened."""
    note: str = ""
    """Why it is not converted yet."""
    is_due: bool = False
    """Whether it is to be converted as soon as the server answers, and no dialog is above its form."""
    has_findings: bool = False
    """Whether a workflow with a graph of its own came with findings, which no check replaces."""


class OpenWorkflows:
    """The list of open workflows, the first one opened first. One of them is shown.

    Args:
        first: The workflow to begin with.
        folder: Where drafts are kept.
    """

    def __init__(self, first: Workflow, folder: DraftFolder) -> None:
        self._folder = folder
        self._list = [self._entry(first)]
        self.shown = self._list[0]
        """The workflow that the form shows."""

    def __iter__(self) -> Iterator[OpenWorkflow]:
        return iter(self._list)

    def __len__(self) -> int:
        return len(self._list)

    def find(self, workflow: Workflow) -> OpenWorkflow | None:
        """Return the entry of a workflow that is open: one that was made of the same, whatever its name."""
        return next((each for each in self._list if _is_same(each, workflow)), None)

    def add(self, workflow: Workflow) -> OpenWorkflow:
        """Open a workflow without showing it."""
        self._list.append(entry := self._entry(workflow))
        return entry

    def remove(self, entry: OpenWorkflow) -> None:
        """Close a workflow that is not shown."""
        self._list.remove(entry)

    def title(self) -> Text:
        """Return the title of the form: the name of the workflow that it shows, and how many are open."""
        name = sanitize(self.shown.workflow.name, MAX_NAME)
        if len(self._list) == 1:
            return Text(f"Prompt · {name}")
        return Text(f"{self._list.index(self.shown) + 1}/{len(self._list)} · {name}")

    def _entry(self, workflow: Workflow) -> OpenWorkflow:
        draft = DraftWriter(partial(self._folder.write, workflow))
        source = document_to_convert(workflow)
        return OpenWorkflow(workflow, draft, source, has_findings=source is None and bool(workflow.findings))


def _is_same(entry: OpenWorkflow, workflow: Workflow) -> bool:
    if not workflow.graph:
        return entry.workflow.editor == workflow.editor
    return entry.workflow.graph == workflow.graph
