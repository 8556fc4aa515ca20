"""The form and the server: its choices, what it refuses, and how a batch goes off."""

import asyncio
from random import SystemRandom

from textual import on, work
from textual.binding import Binding

from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.session.model import Failure
from comfytui.ui.dashboard.connection_actions import UP
from comfytui.ui.dashboard.context import ActingScreen
from comfytui.ui.drafts import FormTexts
from comfytui.ui.form.batch_builder import build_batch, errors_by_field
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.values import fetch_specs, fields_without_specs, join_labels
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.workflow.fields import Field

DRAFT_PAUSE = 1.0
"""Seconds after which what was typed is on the disk."""
DISK_PATIENCE = 1.0
"""Seconds that the end of the screen waits for the disk; it takes milliseconds, or hangs."""
CHOICES_PATIENCE = 5.0
"""Seconds that a batch waits for choices of a server that answers; then it goes with what the form has."""
CHOICES = "choices"
"""The group of the worker that reads them."""
MANY_IMAGES = 100
"""Images from which on a batch is asked about: a slip of the finger is quickly made."""


class FormActions(ActingScreen):
    """The part of the dashboard that acts on the prompt form."""

    _draft_planned = False
    _undescribed: tuple[Field, ...] = ()
    """The drop-downs whose choices the server did not name when it was asked last."""
    _patience_runs = False
    """Whether a batch that waits for the server's choices has a timer."""

    @on(PromptForm.Edited)
    def _plan_draft(self) -> None:
        """Keep what was typed, not at every key."""
        if self._draft.update(self._form.texts()) and not self._draft_planned:
            self._draft_planned = True
            self.set_timer(DRAFT_PAUSE, self._write_draft)

    def _kept_draft(self) -> FormTexts:
        """What stood in the form the last time, unless the user begins anew."""
        return {} if self._options.fresh else self._options.drafts.read(self._options.workflow)

    def _write_draft(self) -> None:
        self._draft_planned = False
        self._draft.flush_in_thread()

    def flush_draft(self) -> None:
        """Write down what stands in the form, if it is not yet; for any thread, and may take as long as the disk."""
        self._draft.flush()

    def on_unmount(self) -> None:
        """Nothing that was typed is lost with the screen."""
        self._draft.flush_in_thread().join(DISK_PATIENCE)

    def _refused(self, failure: Failure) -> None:
        form = self._form
        at_fields, elsewhere = errors_by_field(self._options.workflow, failure.node_errors)
        for field, sentence in at_fields.items():
            form.show_refusal(field, sentence)
        if elsewhere or not at_fields:
            self._say("\n".join(elsewhere) or failure.message, "error")
        self._learn_choices()

    @work(exclusive=True, group=CHOICES)
    async def _learn_choices(self) -> None:
        workflow = self._options.workflow
        try:
            specs = await asyncio.wrap_future(self._service.call(lambda client: fetch_specs(client, workflow)))
        except ComfyError as error:
            self._say(f"The server's choices could not be read: {error}", "warning")
            if isinstance(error, Unreachable):
                return
            specs, missing = {}, self._undescribed
        else:
            missing = fields_without_specs(workflow.fields, specs)
        if not self.display:  # Half of the form is gone while it closes.
            return
        self._tell_undescribed(missing)
        self._form.update_specs(specs)
        if self._form.awaits_choices:
            self._form.submit(without_choices=True)

    def _tell_undescribed(self, fields: tuple[Field, ...]) -> None:
        """Say once that the server does not name its choices; a batch that waits for them says so when it goes."""
        if fields and fields != self._undescribed and not self._form.awaits_choices:
            self._say(f"The server sent no choices for {join_labels(fields)}: the form offers its own.", "warning")
        self._undescribed = fields

    @on(PromptForm.ChoicesMissing)
    def _await_choices(self) -> None:
        """Read the choices anew, unless that is under way, and let the batch go without them after a while."""
        reading = any(worker.group == CHOICES and not worker.is_finished for worker in self.workers)
        if self._answers and not reading:
            self._learn_choices()
        self._start_patience()

    def _start_patience(self) -> None:
        if not self._patience_runs:
            self._patience_runs = True
            self.set_timer(CHOICES_PATIENCE, self._end_patience)

    def _end_patience(self) -> None:
        """Send the batch that waits; not while the server is away, since it may have choices when it is back."""
        self._patience_runs = False
        if self._form.awaits_choices and self._answers:
            self._form.submit(without_choices=True)
        elif self._form.awaits_choices:
            self._start_patience()

    @property
    def _answers(self) -> bool:
        """Whether the server answers just now."""
        return self._state.link.kind in UP

    def action_generate(self) -> None:
        """Send the form off, or show what is wrong in it."""
        if not self._form.submit():
            self.action_write()

    @on(PromptForm.Submitted)
    @work(group="submit")
    async def _submitted(self, event: PromptForm.Submitted) -> None:
        many = f"Queue {event.form_values.images} images?"
        if event.form_values.images >= MANY_IMAGES and not await self.app.push_screen_wait(ConfirmScreen(many)):
            return
        order, seeds = build_batch(self._options.workflow, event.form_values, SystemRandom(), previews=self._previews)
        self._known = frozenset(self._state.batches)
        self._service.submit(order)
        if event.missing_choices:
            fields = join_labels(event.missing_choices)
            self._say(f"The server sent no choices for {fields}: the batch was sent with what the form has.", "warning")
        if seeds:
            self._form.show_seeds(event.form_values.seed_mode, seeds)
            self._plan_draft()
        if self.has_class("-narrow", "-writing"):
            self.action_leave()

    def _select_ordered(self) -> None:
        """Put the cursor on the batch that was ordered, as soon as it is there."""
        if self._known is None:
            return
        new = [batch for key, batch in self._state.batches.items() if key not in self._known]
        if not new:
            return
        self._known = None
        if not self._panel.rows.select(new[-1].prompts[0]) and self._panel.needle:
            self._say("The filter hides the new batch: esc in the queue clears it.")

    def action_write(self) -> None:
        """Go to the form, on small screens a page of its own."""
        self.add_class("-writing")
        # Only what is displayed takes the focus, and what is typed next is meant for the form.
        self.app.stylesheet.update(self)
        self._form.focus_first()

    def action_leave(self) -> None:
        """Leave the form, its page or a field of it, else the filter."""
        if self._in_form or not self._panel.close_filter():
            self.remove_class("-writing")
            self._panel.rows.focus()
        self.refresh_bindings()

    @property
    def _in_form(self) -> bool:
        """Whether what is typed goes to the form."""
        return self.has_class("-narrow", "-writing") or (
            self.focused is not None and self._form in self.focused.ancestors
        )

    def words_for(self, binding: Binding) -> str:
        """What the footer says that a key does just now: escape clears a filter unless it leaves the form."""
        if binding.id == "leave" and self._panel.filtering and not self._in_form:
            return "Clear filter"
        return super().words_for(binding)
