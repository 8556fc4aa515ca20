"""The dashboard of one server: it receives the service's notifications, shows the state, and binds keys to actions."""

import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import ScreenResume
from textual.message import Message
from textual.widgets import Footer

from comfytui.presentation.notification_text import message_for
from comfytui.service import notifications
from comfytui.service.thread import ServiceThread
from comfytui.session.model import JobStatus, LinkKind
from comfytui.ui import keys
from comfytui.ui.dashboard.connection_actions import ConnectionActions, ServerNotFound
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.form_actions import FormActions
from comfytui.ui.dashboard.form_dialogs import FormDialogs
from comfytui.ui.dashboard.input_actions import InputActions
from comfytui.ui.dashboard.job_actions import JobActions
from comfytui.ui.dashboard.now_images import NowImages
from comfytui.ui.dashboard.pages import BREAKPOINTS, PageSwitcher, layout_of
from comfytui.ui.dashboard.prompt_actions import PromptActions
from comfytui.ui.dashboard.recall_actions import RecallActions
from comfytui.ui.dashboard.retry_actions import RetryActions
from comfytui.ui.dashboard.workflow_actions import WorkflowActions
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.input_panel import InputPanel
from comfytui.ui.options import Options
from comfytui.ui.queue.queue_list import QueueList
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.terminal.timers import OneShotTimers
from comfytui.ui.widgets.footer import AdaptiveFooterScreen, contextual_keys
from comfytui.ui.widgets.header import DashboardHeader
from comfytui.ui.widgets.now_panel import NowPanel

if TYPE_CHECKING:
    from comfytui.ui.form.prompt_sources import PromptSources

PAINT_INTERVAL = 0.25
"""Minimum seconds between two updates of the widgets."""
CLOCK_INTERVAL = 1.0
"""Seconds between two updates of clocks, while one is shown."""


class NotificationsPending(Message, bubble=False):
    """The mailbox is no longer empty."""


class Dashboard(OneShotTimers, AdaptiveFooterScreen):
    """Form, *Now* and queue of one server, on a terminal of so many columns."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*keys.DASHBOARD_BINDINGS]

    def __init__(self, service: ServiceThread, options: Options, columns: int) -> None:
        # The class that the first resize would set: set only then, it would style every widget a second time.
        layout = layout_of(columns)
        # A small screen begins with the form, as the others do, so that what is typed at once is never a command.
        super().__init__(classes=f"{layout} -writing" if layout == "-narrow" else layout)
        self.context = context = DashboardContext(self, service, options)
        """What the screen shares with the objects that carry out its actions; `_context` is a method of Textual."""
        self._pages = PageSwitcher(context, undecided=layout == "-narrow")
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
        self._mailbox = service.subscribe(lambda: self.post_message(NotificationsPending()))
        self._is_painted = False
        self._paint_due = 0.0
        self._paint_scheduled = False

    def compose(self) -> ComposeResult:
        """Compose header, form beside *Now* and queue, and footer."""
        yield DashboardHeader(self.context.service.server.label)
        with Horizontal(id="body"):
            yield self.workflows.first_form()
            with Vertical(id="right"):
                yield NowPanel(id="now", images=self.context.previews)
                yield QueuePanel(id="queue")
        yield Footer(show_command_palette=False, id="footer")

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Skip the styling of the first resume: every widget has just been styled."""
        event.refresh_styles &= self._is_painted

    def on_mount(self) -> None:
        """Start the clocks and focus the form or the queue."""
        self.workflows.begin()
        self._pages.begin()
        self.set_interval(CLOCK_INTERVAL, self._update_clocks)
        self.call_after_refresh(self._pages.focus_visible)

    def on_unmount(self) -> None:
        """Write the drafts."""
        self.workflows.close()

    def flush_drafts(self) -> None:
        """Write drafts that are not written yet, from any thread; may block for as long as the disk does."""
        self.workflows.flush_drafts()

    def on_resize(self) -> None:
        """Take the focus from a form that is now hidden, and let the footer use its new width."""
        self.refresh_bindings()
        self.call_after_refresh(self._pages.focus_visible)
        self._schedule_paint()

    @on(NotificationsPending)
    def _take_notifications(self) -> None:
        for notification in self._mailbox.take():
            self._handle_notification(notification)

    def _handle_notification(self, notification: notifications.Notification) -> None:
        match notification:
            case notifications.SessionChanged(state=state):
                self.context.state = state
                self._schedule_paint()
            case notifications.PreviewReceived(image=image, prompt_id=prompt_id):
                self._images.show_preview(image, prompt_id)
            case notifications.JobEnded(job=job) if job.status is JobStatus.LOST:
                self._job_actions.report_lost(job)
            case notifications.JobEnded(job=job):
                self._images.show_ended(job)
            case notifications.BatchRejected(failure=failure):
                self._form_actions.show_rejection(failure)
            case notifications.LoginRequired():
                self._connection.require_login(notification)
            case notifications.NotReached(reason=reason):
                self.post_message(ServerNotFound(reason))
        if text := message_for(notification):
            self.context.notify(*text)

    @on(PromptForm.Edited)
    def _on_form_edited(self) -> None:
        self.workflows.follow_edit()

    @on(PromptForm.ChoicesMissing)
    def _on_choices_missing(self) -> None:
        self._form_actions.await_choices()

    @on(PromptForm.Submitted)
    def _on_form_submitted(self, event: PromptForm.Submitted) -> None:
        self._form_actions.submit(event)

    @on(InputPanel.DefinitionsNeeded)
    def _on_definitions_needed(self) -> None:
        self._input_actions.load_definitions()

    @on(InputPanel.FileNamed)
    def _on_file_named(self, event: InputPanel.FileNamed) -> None:
        self._input_actions.upload(event)

    @on(QueueList.Selected)
    def _on_job_selected(self) -> None:
        self._job_actions.show()

    def _schedule_paint(self) -> None:
        if not self._paint_scheduled:
            self._paint_scheduled = True
            self.set_timer(max(0.001, self._paint_due - time.monotonic()), self._paint)

    def _paint(self) -> None:
        self._paint_scheduled = False
        if not self.app.is_running or not self.query(DashboardHeader):
            return  # The program or this screen is closing.
        self._paint_due = time.monotonic() + PAINT_INTERVAL
        self._is_painted = True
        state = self.context.state
        self.query_one(DashboardHeader).show(state)
        self.query_one(NowPanel).show(state)
        self.context.panel.show(state)
        self.context.select_submitted()
        self._pages.choose_first()
        self._images.show_newest()
        self._offer_keys()
        self._job_actions.update_job_screens()
        if self._connection.follow():
            self._form_actions.load_choices()
            self._prompt_actions.forget_server()
            self.workflows.convert_again()
        elif self._connection.is_up:
            self.workflows.convert_due()

    def _update_clocks(self) -> None:
        state = self.context.state
        if state.runs or state.link.kind is not LinkKind.LIVE:
            self._schedule_paint()

    @on(QueueList.Highlighted)
    def _offer_keys(self) -> None:
        self.set_contextual_keys(contextual_keys(self.context.state, self.context.panel.selected_job()))

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
        self._form_actions.show_prompt()

    def action_undo_form(self) -> None:
        """Put the form back that the present one replaced."""
        self.workflows.undo()

    def action_leave(self) -> None:
        """Leave the form, or else clear the filter."""
        self._pages.leave()

    def action_find_input(self) -> None:
        """Find an input of the workflow by a part of its name."""
        self._pages.show_form()
        self.context.form.inputs.open_filter()

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
        self.call_after_refresh(self._schedule_paint)

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
