"""The dashboard of one server: it receives the service's notifications and the form's messages, and shows the state."""

import time

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import ScreenResume
from textual.message import Message
from textual.widgets import Button

from comfytui.presentation.notification_text import message_for
from comfytui.service import notifications
from comfytui.service.thread import ServiceThread
from comfytui.session.model import JobStatus, LinkKind
from comfytui.ui.dashboard.actions import DashboardActions
from comfytui.ui.dashboard.connection_actions import ServerNotFound
from comfytui.ui.dashboard.pages import BREAKPOINTS, layout_of
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.input_panel import InputPanel
from comfytui.ui.options import Options
from comfytui.ui.queue.queue_list import QueueList
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.widgets.footer import KeyFooter, contextual_keys
from comfytui.ui.widgets.header import DashboardHeader
from comfytui.ui.widgets.now_panel import NowPanel

PAINT_INTERVAL = 0.25
"""Minimum seconds between two updates of the widgets."""
CLOCK_INTERVAL = 1.0
"""Seconds between two updates of clocks, while one is shown."""


class NotificationsPending(Message, bubble=False):
    """The mailbox is no longer empty."""


class Dashboard(DashboardActions):
    """Form, *Now* and queue of one server, on a terminal of so many columns."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS = ""

    def __init__(self, service: ServiceThread, options: Options, columns: int) -> None:
        # The class that the first resize would set: set only then, it would style every widget a second time.
        layout = layout_of(columns)
        # A small screen begins with the form, as the others do, so that what is typed at once is never a command.
        super().__init__(service, options, classes=f"{layout} -writing" if layout == "-narrow" else layout)
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
        yield KeyFooter(id="footer")

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Skip the styling of the first resume, as every widget has just been styled; later, show what is new."""
        event.refresh_styles &= self._is_painted
        if self._is_painted:
            self.schedule_paint()

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

    @property
    def waiting_images(self) -> int:
        """How many images wait for the server's choices, and would be lost with the program."""
        return sum(self._form_actions.waiting.count_images(form) for form in self.query(PromptForm))

    def on_resize(self) -> None:
        """Take the focus from a form that is now hidden, and let the footer use its new width."""
        self.refresh_bindings()
        self.call_after_refresh(self._pages.focus_visible)
        self.schedule_paint()

    @on(NotificationsPending)
    def _take_notifications(self) -> None:
        for notification in self._mailbox.take():
            self._handle_notification(notification)

    def _handle_notification(self, notification: notifications.Notification) -> None:
        match notification:
            case notifications.SessionChanged(state=state):
                self.context.state = state
                self.schedule_paint()
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

    @on(Button.Pressed, "#generate")
    def _on_button_pressed(self) -> None:
        self._form_actions.generate()

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

    @on(InputPanel.ExpansionsAsked)
    def _show_expansions(self, event: InputPanel.ExpansionsAsked) -> None:
        self._prompt_actions.show_expansions_of(event.key, event.text)

    @on(InputPanel.FileNamed)
    def _on_file_named(self, event: InputPanel.FileNamed) -> None:
        self._input_actions.upload(event)

    @on(QueueList.Selected)
    def _on_job_selected(self) -> None:
        self._job_actions.show()

    def schedule_paint(self) -> None:
        """Show the newest state as soon as `PAINT_INTERVAL` has passed since the last time."""
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
        self._job_actions.update_job_screen()
        if self._connection.follow():
            self._form_actions.load_choices()
            self._prompt_actions.forget_server()
            self.workflows.convert_again()
            self._dialogs.read_again()
        elif self._connection.is_up:
            self.workflows.convert_due()

    def _update_clocks(self) -> None:
        state = self.context.state
        if state.runs or state.link.kind is not LinkKind.LIVE:
            self.schedule_paint()

    @on(QueueList.Highlighted)
    def _offer_keys(self) -> None:
        self.set_contextual_keys(contextual_keys(self.context.state, self.context.panel.selected_job()))
