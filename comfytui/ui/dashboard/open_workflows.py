"""The workflows that are open, each with the draft of its form, and which of them the form shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from rich.text import Text

from comfytui.sanitize import sanitize
from comfytui.ui.drafts import DraftFolder, DraftWriter
from comfytui.workflow.graph import Workflow

MAX_NAME = 60
"""Characters of a workflow's name in the form's title, which is cut at the form's width."""


@dataclass(eq=False, slots=True)
class OpenWorkflow:
    """A workflow whose form can be shown."""

    workflow: Workflow
    draft: DraftWriter


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
        """Return the entry of a workflow that is open: one with the same graph, whatever its name."""
        return next((each for each in self._list if each.workflow.graph == workflow.graph), None)

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
        return OpenWorkflow(workflow, DraftWriter(partial(self._folder.write, workflow)))
