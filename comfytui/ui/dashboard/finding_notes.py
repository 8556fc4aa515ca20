"""Says what was found in a workflow: above the form's button, and in a message where that may be out of sight."""

from comfytui.presentation.finding_text import findings_line, findings_message
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.open_workflows import OpenWorkflow, OpenWorkflows
from comfytui.ui.drafts import FormTexts
from comfytui.workflow.finding_inputs import finding_keys, valid_findings
from comfytui.workflow.graph import seed_warning


class FindingNotes:
    """Shows the findings that hold with what is in the form.

    Args:
        context: What the dashboard shares.
        workflows: The open workflows.
    """

    def __init__(self, context: DashboardContext, workflows: OpenWorkflows) -> None:
        self._context = context
        self._open = workflows

    def show(self, entry: OpenWorkflow) -> None:
        """Show what the user should know of a workflow above the button that submits its form."""
        if entry is not self._open.shown:
            return
        form, workflow = self._context.form, entry.workflow
        if not workflow.graph:
            form.show_note(findings_line(workflow.findings) or entry.note)
        elif not workflow.findings:
            form.show_note("")
        else:
            findings = valid_findings(workflow, form.texts())
            keys = (key for each in findings for key in finding_keys(workflow, each))
            form.show_note(findings_line(findings), next(keys, ""))

    def warn(self, entry: OpenWorkflow, texts: FormTexts) -> None:
        """Notify the user of a workflow that may not work with what is in its form."""
        workflow = entry.workflow
        # The note about findings may be below the part of the form that is visible.
        found = findings_message(valid_findings(workflow, texts))
        for text in filter(None, (found, seed_warning(workflow) if workflow.graph else "")):
            self._context.notify(text, "warning")
