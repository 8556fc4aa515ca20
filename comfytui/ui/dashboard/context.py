"""What the dashboard shares with the objects that carry out its actions."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.screen import Screen
from textual.worker import Worker

from comfytui.comfy.errors import ComfyError
from comfytui.sanitize import sanitize
from comfytui.service.notifications import Severity
from comfytui.service.results import SubmitResult
from comfytui.service.submission.batch import BatchRequest
from comfytui.service.thread import ServiceThread
from comfytui.session.state import SessionState
from comfytui.ui import keys
from comfytui.ui.form.form import PromptForm
from comfytui.ui.options import Options
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.workflow.field_keys import FieldKey, FieldValue
from comfytui.workflow.graph import Workflow

if TYPE_CHECKING:
    from comfytui.ui.app import ComfyApp
    from comfytui.workflow.prompt_text.rendering import PromptTools

T = TypeVar("T")

MAX_MESSAGE = 600
"""Characters of a message that are shown."""
MAX_OPENING = 2.0
"""Seconds for which keys wait for a dialog that reads something before it opens."""


class DashboardContext:
    """A dashboard's screen, its service, and the state that both work on.

    Args:
        screen: The screen, which runs timers and workers.
        service: The service of the server.
        options: How the user started the program.
    """

    def __init__(self, screen: Screen[None], service: ServiceThread, options: Options) -> None:
        self.screen = screen
        self.service = service
        self.options = options
        self.state = SessionState()
        """The newest state that was received from the service."""
        self.form: PromptForm
        """The prompt form that is shown."""
        self.previews = options.previews
        """Whether images are shown in the *Now* panel."""
        self.presets: dict[str, dict[str, tuple[float, Mapping[str, str]]]] = {}
        """Presets by workflow and name, with when each was saved, where nothing is kept on the disk."""
        self._dialog_opened = asyncio.Event()
        """Whether the dialog is there that was asked for last."""
        self._to_select = ""
        """The id of the batch that was submitted last, until it is selected."""

    @property
    def panel(self) -> QueuePanel:
        """The queue panel."""
        return self.screen.query_one(QueuePanel)

    def supports(self, action: str) -> bool:
        """Return whether an action of the dashboard can be done with the server and the selected job."""
        requirement = keys.REQUIREMENTS.get(action)
        if requirement is None:
            return True
        panels = self.screen.query(QueuePanel)  # None while the screen closes.
        return requirement(self.state, panels.first().selected_job() if panels else None)

    def notify(self, text: str, severity: Severity = "information") -> None:
        """Show a message; it may contain text of the server."""
        self.screen.notify(sanitize(text, MAX_MESSAGE), severity=severity, markup=False)

    def run(self, work: Callable[[], Coroutine[Any, Any, None]], group: str, *, exclusive: bool = True) -> None:
        """Run something in a worker of the screen.

        Args:
            work: What to run.
            group: The group of the worker.
            exclusive: Whether to cancel other workers of the group.
        """
        _: Worker[None] = self.screen.run_worker(work, group=group, exclusive=exclusive)

    def run_dialog(self, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> None:
        """Run something that asks the user, in a worker; what is typed until the dialog is there is typed into it."""
        opened = self._dialog_opened = asyncio.Event()

        async def run() -> None:
            try:
                await work()
            finally:
                opened.set()

        async def wait() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(opened.wait(), MAX_OPENING)

        self.run(run, group)
        cast("ComfyApp", self.screen.app).hold_keys(wait)

    @property
    def is_on_top(self) -> bool:
        """Whether no dialog is above the dashboard, which may edit a part of the form."""
        return self.screen.app.screen is self.screen

    async def ask(self, dialog: Screen[T]) -> T | None:
        """Show a dialog and return its result; only in a worker."""
        result = self.screen.app.push_screen(dialog, wait_for_dismiss=True)
        self._dialog_opened.set()
        return await result

    async def confirm(self, question: str, **labels: Any) -> bool | None:
        """Ask for confirmation; only in a worker.

        Args:
            question: The question.
            labels: The labels of the answers, as `ConfirmScreen` takes them.
        """
        return await self.screen.app.push_screen_wait(ConfirmScreen(question, **labels))

    async def result_of(self, future: Future[T]) -> T | None:
        """Wait for the result of a command; only in a worker.

        Returns:
            The result; None after a fault in comfytui, which the service reports itself.

        Raises:
            ComfyError: if a request failed.
        """
        try:
            return await asyncio.wrap_future(future)
        except ComfyError:
            raise
        except Exception:
            return None

    async def prompt_tools(self, workflow: Workflow, values: Mapping[FieldKey, FieldValue]) -> "PromptTools":
        """Return what the texts among the values of a workflow may use."""
        from comfytui.service.prompt_tools import load_tools  # Imported late: the first paint does not need it.

        return await load_tools(self.service, workflow, values, self.options.wildcards)

    def submit(self, request: BatchRequest) -> Future[SubmitResult]:
        """Submit a batch, which is selected as soon as it is in the queue; return what becomes of it."""
        self._to_select = request.batch_id
        return self.service.submit(request)

    def select_submitted(self) -> None:
        """Select the batch that was submitted last, if it is in the queue by now."""
        batch = self.state.batches.get(self._to_select)
        if batch is None:
            return
        self._to_select = ""
        if not self.panel.queue_list.select(batch.prompt_ids[0]) and self.panel.filter_text:
            self.notify("The filter hides the new batch: esc in the queue clears it.")
