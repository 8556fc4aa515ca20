"""Actions on the prompt form: read the server's choices, submit it, show what the server refuses.

What builds a batch is imported late: the first paint does not need it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.presentation.finding_text import refusal_of
from comfytui.service.results import Rejected, SubmitResult
from comfytui.service.server_specs import fetch_specs
from comfytui.service.submission.batch import BatchRequest
from comfytui.session.model import Failure
from comfytui.ui.dashboard.connection_actions import ConnectionActions
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.pages import PageSwitcher
from comfytui.ui.dashboard.waiting_batches import WaitingBatches
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.values import fields_without_specs, join_labels
from comfytui.workflow.axes import count_cells, product_text
from comfytui.workflow.batch_values import MANY_IMAGES, BatchValues
from comfytui.workflow.fields import Field, FieldKey, field_of
from comfytui.workflow.graph import Workflow

if TYPE_CHECKING:
    from comfytui.workflow.prompt_text.rendering import PromptTextError

CHOICES_GROUP = "choices"
"""The group of the worker that reads the choices."""
NOTHING_QUEUED = "Nothing was queued: correct what is marked with ! in the form."
Seeds = Sequence[Mapping[FieldKey, int]]
"""The seeds of each image by their keys."""


class FormActions:
    """Connects the prompt form with the disk and the server."""

    def __init__(self, context: DashboardContext, connection: ConnectionActions, pages: PageSwitcher) -> None:
        self._context = context
        self._connection = connection
        self._pages = pages
        self._timings = context.options.timings.form
        self._building = asyncio.Lock()
        self.waiting = WaitingBatches(context, self.submit)
        """The batches of forms that were replaced while they waited for the server's choices."""
        self._without_specs: tuple[Field, ...] = ()
        """The drop-down lists whose choices the server did not name when they were read last."""
        self._timeout_runs = False
        """Whether the timer of a batch that waits for the server's choices runs."""

    @property
    def _form(self) -> PromptForm:
        return self._context.form

    # The server's choices

    def follow_form(self) -> None:
        """Read the server's choices for a form that was put in the place of another one."""
        self._without_specs = ()
        if self._connection.is_up:
            self.load_choices()

    def load_choices(self) -> None:
        """Read the server's choices for the form."""
        self._context.run(self._load_choices, CHOICES_GROUP)
        self.waiting.start()

    async def _load_choices(self) -> None:
        context, form = self._context, self._form
        workflow = form.workflow
        try:
            specs = await asyncio.wrap_future(context.service.call(lambda backend: fetch_specs(backend, workflow)))
        except ComfyError as error:
            context.notify(f"The server's choices could not be read: {error}", "warning")
            if isinstance(error, Unreachable):
                return
            specs, missing = {}, self._without_specs
        else:
            missing = fields_without_specs(workflow.fields, specs)
        if not context.screen.display or form is not self._form:  # While the screen closes, half of the form is gone.
            return
        self._report_missing(missing)
        form.update_specs(specs)
        if form.awaits_choices:
            form.submit(without_choices=True)

    def _report_missing(self, fields: tuple[Field, ...]) -> None:
        """Notify the user once of choices that the server does not name; a waiting batch reports them when it goes."""
        if fields and fields != self._without_specs and not self._form.awaits_choices:
            labels = join_labels(fields)
            self._context.notify(f"The server sent no choices for {labels}: the form offers its own.", "warning")
        self._without_specs = fields

    def await_choices(self) -> None:
        """Read the server's choices again, unless they are being read, and start the timeout of the waiting batch."""
        workers = self._context.screen.workers
        loading = any(worker.group == CHOICES_GROUP and not worker.is_finished for worker in workers)
        if self._connection.is_up and not loading:
            self.load_choices()
        self._start_timeout()

    def _start_timeout(self) -> None:
        if not self._timeout_runs:
            self._timeout_runs = True
            self._context.screen.set_timer(self._timings.choices, self._on_timeout)

    def _on_timeout(self) -> None:
        """Submit the waiting batch, but not while the server is away: it may have choices when it is back."""
        self._timeout_runs = False
        if self._form.awaits_choices and self._connection.is_up:
            self._form.submit(without_choices=True)
        elif self._form.awaits_choices:
            self._start_timeout()

    # Submission

    def generate(self) -> None:
        """Submit the form, or show what is wrong in it."""
        if not self._form.workflow.graph:
            self._context.notify("There is nothing to queue yet: the form says what it waits for.", "warning")
        elif not self._form.submit():
            self._pages.show_form()
            # What is wrong may be known already, or not be visible: a key that seems to do nothing is pressed again.
            self._context.notify(_blocked_text(self._form.workflow) or NOTHING_QUEUED, "error")

    def submit(self, event: PromptForm.Submitted) -> None:
        """Submit a batch with the form's values, after confirmation if it is large."""
        self._context.run(partial(self._submit, event), "submit", exclusive=False)

    async def _submit(self, event: PromptForm.Submitted) -> None:
        from comfytui.workflow.prompt_text.rendering import PromptTextError

        context, form_values = self._context, event.form_values
        if blocked := _blocked_text(event.form.workflow):
            context.notify(blocked, "error")
            return
        total = form_values.images * count_cells(form_values.axes)
        question = f"Queue {product_text(form_values.images, form_values.axes)} images?"
        if total > MANY_IMAGES and not await context.confirm(question):
            return
        form = event.form
        try:
            request, seeds = await self._build(form, form_values)
        except PromptTextError as error:
            self._show_text_error(form, error)
            return
        self.send(request, form.workflow)
        if event.missing_choices:
            labels = join_labels(event.missing_choices)
            text = f"The server sent no choices for {labels}: the batch was sent with what the form has."
            context.notify(text, "warning")
        if seeds and form is self._form:
            form.show_seeds(form_values.seed_mode, seeds)
            form.post_message(PromptForm.Edited())
        if self._pages.on_form_page:
            self._pages.leave()

    async def _build(self, form: PromptForm, values: BatchValues) -> tuple[BatchRequest, Seeds]:
        """Build a batch, beside the loop: many images, or wildcards on a slow disk, take a while.

        Raises:
            PromptTextError: A text cannot be used.
        """
        from comfytui.service.submission.batch_builder import build_batch
        from comfytui.workflow.prompt_text.template_keys import uses_tools

        context = self._context
        build = partial(build_batch, form.workflow, values, SystemRandom(), previews=context.previews)
        if values.images * count_cells(values.axes) <= MANY_IMAGES and not uses_tools(form.workflow, values.values):
            return build()
        async with self._building:  # Batches are sent in the order in which they were asked for.
            tools = await context.prompt_tools(form.workflow, values.values)
            return await asyncio.to_thread(partial(build, tools=tools))

    def _show_text_error(self, form: PromptForm, error: "PromptTextError") -> None:
        if form is self._form and self._context.screen.display:
            form.show_refusal(error.key, error.message)
            self._pages.show_form()
        else:
            self._context.notify(error.message, "error")

    def send(self, request: BatchRequest, workflow: Workflow | None = None) -> None:
        """Submit a batch, and show it if the server rejects it.

        Args:
            request: The batch.
            workflow: What it was made of; None for the graph of a job.
        """
        result = self._context.submit(request)
        self._context.run(partial(self._await_result, result, workflow), "results", exclusive=False)

    async def _await_result(self, future: Future[SubmitResult], workflow: Workflow | None) -> None:
        result = await self._context.result_of(future)
        if isinstance(result, Rejected) and self._context.screen.display:  # While it closes, half of the form is gone.
            self.show_rejection(result.failure, workflow)

    def show_rejection(self, failure: Failure, workflow: Workflow | None = None) -> None:
        """Show the server's errors at the form's fields, and read its choices again, which may have changed.

        Args:
            failure: What the server says.
            workflow: The workflow that it rejected, if that is known; the form may show another one by now.
        """
        from comfytui.service.submission.batch_builder import errors_by_field

        shown = self._form.workflow
        at_fields, elsewhere = errors_by_field(workflow or shown, failure.node_errors)
        if workflow is not None and workflow.graph is not shown.graph:
            elsewhere = (*(f"{field_of(key).label}: {message}" for key, message in at_fields.items()), *elsewhere)
            at_fields = {}
        for field, message in at_fields.items():
            self._form.show_refusal(field, message)
        if elsewhere or not at_fields:
            self._context.notify("\n".join(elsewhere) or failure.message, "error")
        self.load_choices()


def _blocked_text(workflow: Workflow) -> str:
    """Return why a workflow cannot be queued, whatever the form holds, or an empty text."""
    refusal = refusal_of(workflow.findings)
    return refusal and f"This workflow cannot be queued. {refusal}"
