"""The form and the server: its choices, what it refuses, and how a batch goes off."""

import asyncio
from collections.abc import Set
from random import SystemRandom

from textual import on, work

from comfytui.comfy.errors import ComfyError
from comfytui.drafts import Texts
from comfytui.session.model import Failure
from comfytui.ui.acting import ActingScreen
from comfytui.ui.choices import specs_from
from comfytui.ui.confirm import ConfirmScreen
from comfytui.ui.form import PromptForm
from comfytui.ui.ordering import fields_of, order_of

DRAFT_PAUSE = 1.0
"""Seconds after which what was typed is on the disk."""
DISK_PATIENCE = 1.0
"""Seconds that the end of the screen waits for the disk; it takes milliseconds, or hangs."""
MANY_IMAGES = 100
"""Images from which on a batch is asked about: a slip of the finger is quickly made."""


class FormActions(ActingScreen):
    """The part of the dashboard that acts on the prompt form."""

    _draft_planned = False
    _known: Set[str] | None = None
    """The batches before one that was ordered and is not planned yet."""

    @on(PromptForm.Edited)
    def _plan_draft(self) -> None:
        """Keep what was typed, not at every key."""
        if self._draft.change(self._form.texts()) and not self._draft_planned:
            self._draft_planned = True
            self.set_timer(DRAFT_PAUSE, self._write_draft)

    def _kept_draft(self) -> Texts:
        """What stood in the form the last time, unless the user begins anew."""
        return {} if self._options.fresh else self._options.drafts.read(self._options.workflow)

    def _write_draft(self) -> None:
        self._draft_planned = False
        self._draft.start_writing()

    def keep_draft(self) -> None:
        """Write down what stands in the form, if it is not yet; for any thread, and may take as long as the disk."""
        self._draft.write()

    def on_unmount(self) -> None:
        """Nothing that was typed is lost with the screen."""
        self._draft.start_writing().join(DISK_PATIENCE)

    def _refused(self, failure: Failure) -> None:
        form = self._form
        at_fields, elsewhere = fields_of(self._options.workflow, failure.node_errors)
        for field, sentence in at_fields.items():
            form.refuse(field, sentence)
        if elsewhere or not at_fields:
            self._say("\n".join(elsewhere) or failure.message, "error")
        self._learn_choices()

    @work(exclusive=True, group="choices")
    async def _learn_choices(self) -> None:
        workflow = self._options.workflow
        try:
            specs = await asyncio.wrap_future(self._service.ask(lambda client: specs_from(client, workflow)))
        except ComfyError as error:
            self._say(f"The server's choices could not be read: {error}", "warning")
        else:
            if self.display:  # Not while it closes, when half of the form is gone.
                self._form.learn(specs)

    def action_generate(self) -> None:
        """Send the form off, or show what is wrong in it."""
        if not self._form.submit():
            self.action_write()

    @on(PromptForm.Submitted)
    @work(group="submit")
    async def _submitted(self, event: PromptForm.Submitted) -> None:
        many = f"Queue {event.asked.images} images?"
        if event.asked.images >= MANY_IMAGES and not await self.app.push_screen_wait(ConfirmScreen(many)):
            return
        order, seeds = order_of(self._options.workflow, event.asked, SystemRandom(), previews=self._previews)
        self._known = frozenset(self._state.batches)
        self._service.submit(order)
        if seeds:
            self._form.show_seeds(event.asked.seed_mode, seeds)
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
        self._form.focus_to_write()

    def action_leave(self) -> None:
        """Leave the filter, a field, or the form's page."""
        if not self._panel.close_filter():
            self.remove_class("-writing")
            self._panel.rows.focus()
