"""The dialogs that fill in the form: workflows to open, presets, and prompts that were used."""

from typing import TYPE_CHECKING

from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.pages import PageSwitcher
from comfytui.ui.dashboard.workflow_actions import WorkflowActions

if TYPE_CHECKING:
    from comfytui.ui.dashboard.workflow_picker import WorkflowPicker

GROUP = "form-dialog"
"""The group of the workers, of which one runs at a time."""


class FormDialogs:
    """Opens the dialogs; their modules are imported late, since the first paint does not need them."""

    def __init__(self, context: DashboardContext, workflows: WorkflowActions, pages: PageSwitcher) -> None:
        self._context = context
        self._workflows = workflows
        self._pages = pages
        self._picker: WorkflowPicker | None = None

    def open_workflow(self) -> None:
        """Ask which workflow to show."""
        from comfytui.ui.dashboard.workflow_picker import WorkflowPicker

        self._picker = WorkflowPicker(self._context, self._workflows, self._pages)
        self._context.run_dialog(self._picker.choose, GROUP)

    def read_again(self) -> None:
        """Read the lists of a dialog that is open from the server that answers now."""
        if self._picker is not None:
            self._picker.read_again()

    def presets(self) -> None:
        """Ask what to do with the presets of the workflow that is shown."""
        from comfytui.ui.dashboard.preset_picker import PresetPicker

        if self._workflows.open.shown.workflow.graph:
            self._context.run_dialog(PresetPicker(self._context, self._workflows).choose, GROUP)

    def prompt_history(self) -> None:
        """Ask for a prompt that was used before."""
        from comfytui.ui.dashboard.prompt_history import PromptHistory

        self._context.run_dialog(PromptHistory(self._context, self._pages).choose, GROUP)
