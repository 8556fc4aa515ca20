"""Batches that wait for the server's choices although the form shows something else by now."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.sanitize import sanitize
from comfytui.service.server_specs import fetch_specs
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.values import fields_awaiting_choices
from comfytui.workflow.axes import count_cells
from comfytui.workflow.batch_values import BatchValues
from comfytui.workflow.fields import FieldKey
from comfytui.workflow.input_specs import InputSpec, fallback_spec

MAX_NAME = 60
"""Characters of a workflow's name in a message."""


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """What a form held when it was submitted."""

    form: PromptForm
    values: BatchValues


class WaitingBatches:
    """Keeps batches, and submits each as soon as the server's choices for its workflow are known.

    Args:
        context: What the dashboard shares.
        submit: Submits a batch.
    """

    def __init__(self, context: DashboardContext, submit: Callable[[PromptForm.Submitted], object]) -> None:
        self._context = context
        self._submit = submit
        self._waiting: list[WaitingBatch] = []

    def keep(self, form: PromptForm) -> None:
        """Keep the batch of a form that waits and is to be replaced."""
        if form.awaits_choices and (values := form.read()):
            self._waiting.append(WaitingBatch(form, values))
            name = sanitize(form.workflow.name, MAX_NAME)
            self._context.notify(f"The batch of {name} is queued as soon as the server's choices arrive.")

    def count_images(self, shown: PromptForm) -> int:
        """Return the images of all batches that wait, which are in memory alone, with that of the form shown now."""
        values = [batch.values for batch in self._waiting]
        if shown.awaits_choices and (submitted := shown.read()):
            values.append(submitted)
        return sum(each.images * count_cells(each.axes) for each in values)

    def start(self) -> None:
        """Read the choices from the server that is there now, and submit what waits for them."""
        if self._waiting:
            self._context.run(self._submit_all, "waiting-batches")

    async def _submit_all(self) -> None:
        service = self._context.service
        for batch in tuple(self._waiting):
            workflow = batch.form.workflow
            try:
                specs = await asyncio.wrap_future(service.call(partial(fetch_specs, workflow=workflow)))
            except Unreachable:
                return
            except ComfyError:
                specs = {}
            self._waiting.remove(batch)
            self._submit(_submitted(batch, specs))


def _submitted(batch: WaitingBatch, specs: Mapping[FieldKey, InputSpec]) -> PromptForm.Submitted:
    """Return the submission with the first choice in each list that was empty, as the form would choose."""
    values = batch.values.values
    known = {key: specs.get(key) or fallback_spec(key) for key in batch.form.workflow.fields}
    awaiting = fields_awaiting_choices(values, known)
    chosen = {
        key: options[0]
        for key, value in values.items()
        if value == "" and key in specs and specs[key].kind == "choice" and (options := specs[key].options)
    }
    return PromptForm.Submitted(batch.form, replace(batch.values, values={**values, **chosen}), awaiting)
