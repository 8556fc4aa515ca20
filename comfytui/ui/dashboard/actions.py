"""What each key of the dashboard does: the actions that are bound, and the objects that carry them out."""

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from comfytui.service.thread import ServiceThread
from comfytui.ui import keys
from comfytui.ui.dashboard.connection_actions import ConnectionActions
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.form_actions import FormActions
from comfytui.ui.dashboard.form_dialogs import FormDialogs
from comfytui.ui.dashboard.input_actions import InputActions
from comfytui.ui.dashboard.job_actions import JobActions
from comfytui.ui.dashboard.now_images import NowImages
from comfytui.ui.dashboard.pages import PageSwitcher
from comfytui.ui.dashboard.prompt_actions import PromptActions
from comfytui.ui.dashboard.recall_actions import RecallActions
from comfytui.ui.dashboard.retry_actions import RetryActions
from comfytui.ui.dashboard.workflow_actions import WorkflowActions
from comfytui.ui.options import Options
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.terminal.timers import OneShotTimers
from comfytui.ui.widgets.footer import AdaptiveFooterScreen

if TYPE_CHECKING:
    from comfytui.ui.form.prompt_sources import PromptSources


class DashboardActions(OneShotTimers, AdaptiveFooterScreen):
    """The dashboard's keys, without its widgets.

    Args:
        service: The service of the server.
        options: How the user started the program.
        classes: The screen's first CSS classes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*keys.DASHBOARD_BINDINGS]

    def __init__(self, service: ServiceThread, options: Options, *, classes: str) -> None:
        super().__init__(classes=classes)
        self.context = context = DashboardContext(self, service, options)
        """What the screen shares with the objects that carry out its actions; `_context` is a method of Textual."""
        self._pages = PageSwitcher(context, undecided=self.has_class("-narrow"))
        self._connection = ConnectionActions(context)
        self._form_actions = FormActions(context, self._connection, self._pages)
        self.workflows = WorkflowActions(context, self._form_actions.follow_form, self._form_actions.waiting.keep)
        """The open workflows and the form that shows one of them."""
        self._recall_actions = RecallActions(context, self.workflows, self._pages)
        self._dialogs = FormDialogs(context, self.workflows, self._pages)
        self._job_actions = JobActions(context, self._recall_actions.recall)
        self._prompt_actions = PromptActions(context)
        self._input_actions = InputActions(context)
        self._retry_actions = RetryActions(context, self._form_actions)
        self._images = NowImages(context)

    def schedule_paint(self) -> None:
        """Show the newest state soon."""
        raise NotImplementedError

    def key_description(self, binding: Binding) -> str:
        """Return the footer's label of a key: escape clears an open filter unless it leaves the form."""
        if binding.id == "leave" and self.context.panel.is_filter_open and not self._pages.in_form:
            return "Clear filter"
        return super().key_description(binding)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer keys where they act: escape where there is something to leave, letters outside of the form."""
        if action == "undo_form":
            return self.workflows.can_undo
        return self._pages.allows(action) and self.supports(action)

    def supports(self, action: str) -> bool:
        """Return whether the server can do what an action needs."""
        return self.context.supports(action)

    @property
    def prompt_sources(self) -> "PromptSources":
        """What completions in prompts come from."""
        return self._prompt_actions.sources

    def action_generate(self) -> None:
        """Submit the form, or show what is wrong in it."""
        self._form_actions.generate()

    def action_expansions(self) -> None:
        """Show what the variations of the prompt become."""
        self._prompt_actions.show_expansions()

    def action_enlarge_prompt(self) -> None:
        """Give the prompt the whole screen."""
        self._prompt_actions.enlarge()

    def action_weigh_prompt(self, direction: int) -> None:
        """Change the weight at the cursor of the prompt."""
        self._prompt_actions.weigh(direction)

    def action_edit_prompt(self) -> None:
        """Edit the prompt in the user's own editor."""
        self._prompt_actions.edit_externally()

    def action_write(self) -> None:
        """Show the form and focus it."""
        self._pages.show_form()

    def action_open_workflow(self) -> None:
        """Open a workflow, or switch to an open one."""
        self._dialogs.open_workflow()

    def action_presets(self) -> None:
        """Load, save, rename or delete presets."""
        self._dialogs.presets()

    def action_prompt_history(self) -> None:
        """Take a prompt that was used before."""
        self._dialogs.prompt_history()

    def action_show_prompt(self) -> None:
        """Show the prompt as it would be sent."""
        self._prompt_actions.show_prompt()

    def action_undo_form(self) -> None:
        """Put the form back that the present one replaced."""
        self.workflows.undo()

    def action_leave(self) -> None:
        """Leave the form, or else clear the filter."""
        self._pages.leave()

    def action_find_input(self) -> None:
        """Find an input of the workflow by a part of its name."""
        self._pages.show_filter()

    def action_filter(self) -> None:
        """Open the queue's filter."""
        self.context.panel.open_filter()

    def action_cancel(self) -> None:
        """Cancel the selected job."""
        self._job_actions.cancel()

    def action_cancel_batch(self) -> None:
        """Cancel the selected job's batch."""
        self._job_actions.cancel_batch()

    def action_save(self) -> None:
        """Save the files of the selected job."""
        self._job_actions.save()

    def action_again(self) -> None:
        """Make the selected job again, or resend lost jobs."""
        self._retry_actions.retry()

    def action_again_new_seed(self) -> None:
        """Make the selected job again with new seeds."""
        self._retry_actions.retry_with_new_seed()

    def action_recall(self) -> None:
        """Fill the form with what the selected job was made of."""
        self._recall_actions.recall_selected()

    def action_previews(self) -> None:
        """Switch images in the *Now* panel on or off."""
        self._images.toggle()
        self.call_after_refresh(self.schedule_paint)

    def action_link(self) -> None:
        """Show the state of the connection."""
        self._connection.explain()

    def action_reconnect(self) -> None:
        """Reconnect now."""
        self._connection.reconnect()
        self.workflows.convert_again()

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(HelpScreen())
