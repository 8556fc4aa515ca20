"""The dashboard of one server: notices come in, at most four paints a second go out."""

import time
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import ScreenResume
from textual.message import Message
from textual.widgets import Footer

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.events import Output
from comfytui.presentation import formatting
from comfytui.presentation.notification_text import lost_news, news_of
from comfytui.service.notifications import (
    BatchRefused,
    JobEnded,
    LoginRequired,
    Notice,
    NotReached,
    PreviewReceived,
    SessionChanged,
)
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.selectors import first_picture, newest_picture
from comfytui.session.state import SessionState
from comfytui.ui import keys
from comfytui.ui.dashboard.connection_actions import LinkActions, ServerNotFound
from comfytui.ui.dashboard.job_actions import JobActions
from comfytui.ui.dashboard.pages import PageActions
from comfytui.ui.dashboard.retry_actions import AgainActions
from comfytui.ui.downloads import fetch_for_display
from comfytui.ui.drafts import DraftWriter
from comfytui.ui.form.form import PromptForm
from comfytui.ui.options import Options
from comfytui.ui.queue.queue_list import QueueList
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.terminal.timers import OneShotTimers
from comfytui.ui.widgets.footer import offered
from comfytui.ui.widgets.header import HeaderLine
from comfytui.ui.widgets.now_panel import NowPanel
from comfytui.workflow.graph import warning_for

BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
"""The classes of a screen of at least so many columns."""
PAINT_PAUSE = 0.25
"""Seconds between two paints of live numbers."""
LOSSES_PAUSE = 1.0
"""Seconds in which losses are told as one."""
TICK = 1.0
"""Seconds between two paints of clocks, while there is a clock to show."""


class NoticesPending(Message, bubble=False):
    """The mailbox is no longer empty."""


class Dashboard(OneShotTimers, PageActions, JobActions, AgainActions, LinkActions):
    """Form, *Now* and queue of one server."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*keys.DASHBOARD_BINDINGS]

    def __init__(self, service: ServiceThread, options: Options, columns: int) -> None:
        # The class that the first resize would set: set then, it would style every widget a second time.
        layout = next(name for least, name in reversed(BREAKPOINTS) if columns >= least)
        # A small screen begins with the form, as the others do, so that what is typed at once is never a command.
        super().__init__(classes=f"{layout} -writing" if layout == "-narrow" else layout)
        self._page_undecided = layout == "-narrow"
        self._service = service
        self._options = options
        self._draft = DraftWriter(partial(options.drafts.write, options.workflow))
        self._previews = options.previews
        self._mailbox = service.subscribe(lambda: self.post_message(NoticesPending()))
        self._state = SessionState()
        self._painted: SessionState | None = None
        self._paint_due = 0.0
        self._paint_planned = False
        self._lost: list[Job] = []
        self._asked_for = ""

    def compose(self) -> ComposeResult:
        """Header, form beside *Now* and queue, footer."""
        yield HeaderLine(self._service.server.shown)
        with Horizontal(id="body"):
            yield PromptForm(self._options.workflow, self._kept_draft(), id="form")
            with Vertical(id="right"):
                yield NowPanel(id="now", pictures=self._previews)
                yield QueuePanel(id="queue")
        yield Footer(show_command_palette=False, id="footer")

    def on_screen_resume(self, event: ScreenResume) -> None:
        """At its first appearance every widget has just been styled; to do it again would double that work."""
        event.refresh_styles &= self._painted is not None

    def on_mount(self) -> None:
        """Clocks move once a second, and only while one is shown."""
        self._draft.set_initial(self._form.texts())
        self._keys_before = self._keys_typed
        self.set_interval(TICK, self._tick)
        self.call_after_refresh(self._focus_somewhere)
        if warning := warning_for(self._options.workflow):
            self._say(warning, "warning")

    def on_resize(self) -> None:
        """A form that a narrow screen hides must not go on taking keys; the footer has room for more or fewer."""
        self.refresh_bindings()
        self.call_after_refresh(self._focus_somewhere)
        self._plan_paint()

    # Notices

    @on(NoticesPending)
    def _take_mail(self) -> None:
        for notice in self._mailbox.take():
            self._on_notice(notice)

    def _lose(self, job: Job) -> None:
        """Tell of all jobs that are found to be lost together, since they are found one after another."""
        if not self._lost:
            self.set_timer(LOSSES_PAUSE, self._tell_losses)
        self._lost.append(job)

    def _tell_losses(self) -> None:
        lost, self._lost = self._lost, []
        self._say(*lost_news(lost))

    def _on_notice(self, notice: Notice) -> None:
        match notice:
            case SessionChanged(state=state):
                self._state = state
                self._plan_paint()
            case PreviewReceived(image=image, prompt_id=prompt_id):
                if self._previews and (running := self._state.jobs.get(prompt_id)):
                    self.query_one(NowPanel).show_preview(image, running)
            case JobEnded(job=job) if job.status is JobStatus.LOST:
                self._lose(job)
            case JobEnded(job=job):
                if self._previews and (picture := first_picture(job)):
                    self._show_finished(job, picture)
            case BatchRefused(failure=failure):
                self._refused(failure)
            case LoginRequired():
                self._require_login(notice)
            case NotReached(reason=reason):
                self.post_message(ServerNotFound(reason))
        if news := news_of(notice):
            self._say(*news)

    # Painting

    def _plan_paint(self) -> None:
        if not self._paint_planned:
            self._paint_planned = True
            self.set_timer(max(0.001, self._paint_due - time.monotonic()), self._paint)

    def _paint(self) -> None:
        self._paint_planned = False
        if not self.query(HeaderLine):
            return  # The screen is being taken down.
        self._paint_due = time.monotonic() + PAINT_PAUSE
        state, painted = self._state, self._painted
        self._painted = state
        self.query_one(HeaderLine).show(state)
        self.query_one(NowPanel).show(state)
        if (
            painted is None
            or state.jobs is not painted.jobs
            or state.batches is not painted.batches
            or state.link.kind is not painted.link.kind
        ):
            self._panel.show(state)
            self._select_ordered()
        self._choose_page(state)
        self._show_newest()
        self._offer_keys()
        self._follow_jobs()
        if self._follow_link(painted.link if painted else None, state.link):
            self._options.remember_server(self._service.server.shown)
            self._learn_choices()

    @on(QueueList.Highlighted)
    def _offer_keys(self) -> None:
        self.offer(offered(self._state, self._panel.selected()))

    def _tick(self) -> None:
        if self._state.run or self._state.link.kind is not LinkKind.LIVE:
            self._plan_paint()

    # Questions to the server

    def _show_newest(self) -> None:
        """Where *Now* has no picture, as after a start, show the newest one of its batch; each is asked for once."""
        now, link = self.query_one(NowPanel), self._state.link.kind
        if not self._previews or now.given or now.current is None or link not in {LinkKind.LIVE, LinkKind.POLLING}:
            return
        newest = newest_picture(self._state, now.current)
        if newest and newest[0].prompt_id != self._asked_for and now.has_room_for_pictures:
            self._show_finished(*newest)

    @work(exclusive=True, group="finished")
    async def _show_finished(self, job: Job, picture: Output) -> None:
        if not self.query_one(NowPanel).has_room_for_pictures:
            return
        self._asked_for = job.prompt_id
        try:
            data = await fetch_for_display(self._service, picture)
        except ComfyError:
            return  # The queue shows that it ended; enter asks again and says why not.
        if self.display:
            self.query_one(NowPanel).show_finished(data, job)

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are offered where they act: escape where there is something to leave, letters outside of the form."""
        on_form_page = self.has_class("-narrow", "-writing")
        match action:
            case "leave":
                panel = self._panel
                return self.focused is not panel.rows or on_form_page or panel.filtering
            case "filter":
                return self.focused is None or not self.focused.check_consume_key("slash", "/")
            case "cancel" | "cancel_batch" | "save" | "again" | "again_new_seed":
                return not on_form_page
        return True

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self._panel.open_filter()

    def action_previews(self) -> None:
        """Live previews on or off; off also asks the server for none with the next batch."""
        self._previews = not self._previews
        self._asked_for = ""
        self.query_one(NowPanel).show_pictures(self._previews)
        self.call_after_refresh(self._plan_paint)
        self._say(formatting.previews_told(self._state.capabilities, on=self._previews))

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(HelpScreen())
