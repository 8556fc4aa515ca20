"""The header of the dashboard: the server, the state of the link, the length of the queue, and the memory in use."""

import time

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal

from comfytui.presentation.formatting import server_memory
from comfytui.presentation.status_text import AS_LAST_SEEN, link_label
from comfytui.sanitize import sanitize
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.ui.widgets.text import Line

WIDE = 100
"""Columns of the terminal from which on the version and the RAM are shown."""


class DashboardHeader(Horizontal):
    """One line: name, server, version on the left; link, queue, memory on the right."""

    def __init__(self, server: str) -> None:
        super().__init__()
        self._server = sanitize(server, 60)

    def compose(self) -> ComposeResult:
        """Yield one text for each value, so that only what changes is repainted."""
        yield Line("comfytui", id="brand")
        yield Line(self._server, id="server")
        yield Line(id="link")
        yield Line(id="queue-count")
        yield Line(id="memory")

    def show(self, state: SessionState) -> None:
        """Show a state; only what changed is repainted."""
        ascii_only = getattr(self.app, "ascii", False)
        wide = self.app.size.width >= WIDE
        link = self.query_one("#link", Line)
        link.set_text(link_label(state.link, time.monotonic(), ascii_only=ascii_only))
        late = state.link.lag_seconds > 0
        link.set_class(state.link.kind is LinkKind.LIVE and not late, "-live")
        link.set_class(late or state.link.kind not in {LinkKind.LIVE, LinkKind.CONNECTING}, "-down")
        self.query_one("#queue-count", Line).set_text(f"queue {state.queue_remaining}")
        memory = server_memory(state.stats, ascii_only=ascii_only, wide=wide)
        self.query_one("#memory", Line).set_text(AS_LAST_SEEN if state.link.kind.away and memory else memory)
        version = f"  ComfyUI {sanitize(state.stats.version, 20)}" if state.stats and wide else ""
        fits = cell_len(self._server + version) <= self._cells_for_server()
        self.query_one("#server", Line).set_text(self._server + version if fits else self._server)

    def _cells_for_server(self) -> int:
        """Return the columns that the other texts leave, margins included."""
        others = [line for line in self.query(Line) if line.id != "server"]
        return self.content_size.width - sum(cell_len(line.text) + line.styles.margin.width for line in others)
