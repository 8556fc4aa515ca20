"""What every part of the dashboard has at hand."""

from collections.abc import Set

from comfytui.sanitize import sanitize
from comfytui.service.notifications import Severity
from comfytui.service.thread import ServiceThread
from comfytui.session.state import SessionState
from comfytui.ui.drafts import DraftWriter
from comfytui.ui.form.form import PromptForm
from comfytui.ui.options import Options
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.widgets.footer import ThriftyScreen


class ActingScreen(ThriftyScreen):
    """A screen with a form, a queue and a service behind it."""

    _draft: DraftWriter
    _service: ServiceThread
    _options: Options
    _state: SessionState
    _previews: bool
    _known: Set[str] | None = None
    """The batches before one that was ordered and is not planned yet."""

    @property
    def _form(self) -> PromptForm:
        return self.query_one(PromptForm)

    @property
    def _panel(self) -> QueuePanel:
        return self.query_one(QueuePanel)

    def _say(self, text: str, severity: Severity = "information") -> None:
        self.notify(sanitize(text, 600), severity=severity, markup=False)
