"""The dashboard of one server: notices come in, at most four paints a second go out."""

import asyncio
import time
from dataclasses import dataclass
from random import SystemRandom
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import ScreenResume
from textual.message import Message
from textual.widgets import Footer, Input, TextArea

from comfytui.comfy.errors import ComfyError
from comfytui.service.notices import (
    BatchRefused,
    JobEnded,
    Notice,
    NotReached,
    PreviewReceived,
    SessionChanged,
)
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Failure, Job, JobStatus, LinkKind
from comfytui.session.state import SessionState
from comfytui.ui import keys, words
from comfytui.ui.choices import specs_from
from comfytui.ui.confirm import ConfirmScreen
from comfytui.ui.form import PromptForm
from comfytui.ui.header import HeaderLine
from comfytui.ui.help import HelpScreen
from comfytui.ui.job_actions import JobActions
from comfytui.ui.news import lost_news, news_of
from comfytui.ui.now import NowPanel
from comfytui.ui.options import Options
from comfytui.ui.ordering import fields_of, order_of
from comfytui.ui.queue_panel import QueuePanel
from comfytui.ui.saving import shown_picture
from comfytui.workflow.graph import warning_for

BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
"""The classes of a screen of at least so many columns."""
PAINT_PAUSE = 0.25
"""Seconds between two paints of live numbers."""
MANY_IMAGES = 100
"""Images from which on a batch is asked about: a slip of the finger is quickly made."""
TICK = 1.0
"""Seconds between two paints of clocks, while there is a clock to show."""


class Mail(Message, bubble=False):
    """The mailbox is no longer empty."""


@dataclass
class Missed(Message):
    """There is no ComfyUI at the address that was given."""

    reason: str


class Dashboard(JobActions):
    """Form, *Now* and queue of one server."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*keys.DASHBOARD]

    def __init__(self, service: ServiceThread, options: Options, columns: int) -> None:
        # The class that the first resize would set: set then, it would style every widget a second time.
        super().__init__(classes=next(name for least, name in reversed(BREAKPOINTS) if columns >= least))
        self._service = service
        self._options = options
        self._previews = options.previews
        self._mailbox = service.subscribe(lambda: self.post_message(Mail()))
        self._state = SessionState()
        self._painted: SessionState | None = None
        self._paint_due = 0.0
        self._paint_planned = False
        self._was_live = self._ever_live = False

    def compose(self) -> ComposeResult:
        """Header, form beside *Now* and queue, footer."""
        yield HeaderLine(self._service.server.shown)
        with Horizontal(id="body"):
            yield PromptForm(self._options.workflow, id="form")
            with Vertical(id="right"):
                yield NowPanel(id="now")
                yield QueuePanel(id="queue")
        yield Footer(show_command_palette=False, id="footer")

    def on_screen_resume(self, event: ScreenResume) -> None:
        """At its first appearance every widget has just been styled; to do it again would double that work."""
        event.refresh_styles &= self._painted is not None

    def on_mount(self) -> None:
        """Clocks move once a second, and only while one is shown."""
        self.set_interval(TICK, self._tick)
        self.call_after_refresh(self._focus_somewhere)
        if warning := warning_for(self._options.workflow):
            self._say(warning, "warning")

    def on_resize(self) -> None:
        """A form that a narrow screen hides must not go on taking keys."""
        self.call_after_refresh(self._focus_somewhere)
        self._plan_paint()

    def _focus_somewhere(self) -> None:
        """See that what has the focus is on the screen: the form if it is, else the queue."""
        form = self.query_one(PromptForm)
        if self.focused is None and form.region.area:
            form.focus_to_write()
        elif self.focused is None or not self.focused.region.area:
            self._panel.rows.focus()

    # Notices

    @on(Mail)
    def _take_mail(self) -> None:
        notices = self._mailbox.take()
        for notice in notices:
            self._on_notice(notice)
        lost = [each.job for each in notices if isinstance(each, JobEnded) and each.job.status is JobStatus.LOST]
        if lost:
            self._say(*lost_news(lost))

    def _on_notice(self, notice: Notice) -> None:
        match notice:
            case SessionChanged(state=state):
                self._state = state
                self._plan_paint()
            case PreviewReceived(image=image):
                if self._previews:
                    self.query_one(NowPanel).show_preview(image)
            case JobEnded(job=job):
                if job.outputs and self._previews:
                    self._show_finished(job)
            case BatchRefused(failure=failure):
                self._refused(failure)
            case NotReached(reason=reason):
                self.post_message(Missed(reason))
        if news := news_of(notice):
            self._say(*news)

    def _refused(self, failure: Failure) -> None:
        form = self.query_one(PromptForm)
        at_fields, elsewhere = fields_of(self._options.workflow, failure.node_errors)
        for field, sentence in at_fields.items():
            form.refuse(field, sentence)
        if elsewhere or not at_fields:
            self._say("\n".join(elsewhere) or failure.message, "error")
        self._learn_choices()

    # Painting

    def _plan_paint(self) -> None:
        if not self._paint_planned:
            self._paint_planned = True
            self.set_timer(max(0.001, self._paint_due - time.monotonic()), self._paint)

    def _paint(self) -> None:
        self._paint_planned = False
        self._paint_due = time.monotonic() + PAINT_PAUSE
        state, painted = self._state, self._painted
        self._painted = state
        self.query_one(HeaderLine).show(state)
        self.query_one(NowPanel).show(state)
        if painted is None or state.jobs is not painted.jobs or state.batches is not painted.batches:
            self._panel.show(state)
        self._follow_jobs()
        is_live = state.link.kind is LinkKind.LIVE
        if is_live and not self._was_live:
            self._options.remember(self._service.server.shown)
            self._learn_choices()
        self._was_live = is_live
        self._ever_live |= is_live
        lost = self._ever_live and painted and state.link.kind is not painted.link.kind and not is_live
        if state.link.kind is LinkKind.OTHER_BOX and not (painted and painted.link.kind is LinkKind.OTHER_BOX):
            self._ask_about_box(state.link.reason)
        elif lost and state.link.reason:
            self._say(f"{state.link.reason} ctrl+r tries again now.", "warning")

    def _tick(self) -> None:
        if self._state.live or self._state.link.kind is not LinkKind.LIVE:
            self._plan_paint()

    # Questions to the server

    @work(exclusive=True, group="choices")
    async def _learn_choices(self) -> None:
        workflow = self._options.workflow
        try:
            specs = await asyncio.wrap_future(self._service.ask(lambda client: specs_from(client, workflow)))
        except ComfyError as error:
            self._say(f"The server's choices could not be read: {error}", "warning")
        else:
            if self.display:  # Not while it closes, when half of the form is gone.
                self.query_one(PromptForm).learn(specs)

    @work(exclusive=True, group="finished")
    async def _show_finished(self, job: Job) -> None:
        output = job.outputs[0]
        try:
            data = await shown_picture(self._service, output)
        except ComfyError:
            return  # The queue shows that it ended; enter asks again and says why not.
        if self.display:
            self.query_one(NowPanel).show_finished(data, job.mark.batch if job.mark else "")

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are offered where they act: escape where there is something to leave, letters outside of text fields."""
        typing = isinstance(self.focused, Input | TextArea)
        on_form_page = self.has_class("-narrow", "-writing")
        match action:
            case "leave":
                panel = self._panel
                return self.focused is not panel.rows or on_form_page or panel.filtering
            case "filter" | "help":
                return not typing
            case "cancel" | "cancel_batch" | "save":
                return not on_form_page
        return True

    def action_generate(self) -> None:
        """Send the form off, or show what is wrong in it."""
        if not self.query_one(PromptForm).submit():
            self.action_write()

    @on(PromptForm.Submitted)
    @work(group="submit")
    async def _submitted(self, event: PromptForm.Submitted) -> None:
        many = f"Queue {event.asked.images} images?"
        if event.asked.images >= MANY_IMAGES and not await self.app.push_screen_wait(ConfirmScreen(many)):
            return
        order, seeds = order_of(self._options.workflow, event.asked, SystemRandom(), previews=self._previews)
        self._service.submit(order)
        if seeds:
            self.query_one(PromptForm).show_seeds(event.asked.seed_mode, seeds)
        if self.has_class("-narrow", "-writing"):
            self.action_leave()

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self._panel.open_filter()

    def action_write(self) -> None:
        """Go to the form, on small screens a page of its own."""
        self.add_class("-writing")
        # Only what is displayed takes the focus, and what is typed next is meant for the form.
        self.app.stylesheet.update(self)
        self.query_one(PromptForm).focus_to_write()

    def action_leave(self) -> None:
        """Leave the filter, a field, or the form's page."""
        if not self._panel.close_filter():
            self.remove_class("-writing")
            self._panel.rows.focus()

    def action_previews(self) -> None:
        """Live previews on or off; off also asks the server for none with the next batch."""
        self._previews = not self._previews
        if not self._previews:
            self.query_one(NowPanel).show_preview(None)
        self._say(words.previews_told(self._state.abilities, on=self._previews))

    @work(exclusive=True, group="box")
    async def _ask_about_box(self, reason: str) -> None:
        question = f"{reason} Your jobs on the one before are kept for it. Use this one from now on?"
        if await self.app.push_screen_wait(ConfirmScreen(question)):
            self._service.take_box()

    def action_link(self) -> None:
        """Say how the server is reached, and why so."""
        if self._state.link.kind is LinkKind.OTHER_BOX:
            self._ask_about_box(self._state.link.reason)
        else:
            self._say(words.link_told(self._state.link, time.monotonic()))

    def action_reconnect(self) -> None:
        """Try the link again now."""
        self._service.reconnect()

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(HelpScreen())
