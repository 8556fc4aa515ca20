"""The header: which box this is, how it is reached, how long its queue is and how full its memory."""

import time

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal

from comfytui.presentation import formatting
from comfytui.presentation.status_text import AS_LAST_SEEN, link_label
from comfytui.sanitize import sanitize
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.ui.widgets.text import Line

WIDE = 100


class HeaderLine(Horizontal):
    """One line: name, server, version on the left; link, queue, memory on the right."""

    def __init__(self, server: str) -> None:
        super().__init__()
        self._server = sanitize(server, 60)

    def compose(self) -> ComposeResult:
        """Words only, each painted when it changes."""
        yield Line("comfytui", id="brand")
        yield Line(self._server, id="server")
        yield Line(id="link")
        yield Line(id="queue-count")
        yield Line(id="box")

    def show(self, state: SessionState) -> None:
        """Paint what changed."""
        ascii_only = getattr(self.app, "ascii", False)
        wide = self.app.size.width >= WIDE
        link = self.query_one("#link", Line)
        link.set_text(link_label(state.link, time.monotonic(), ascii_only=ascii_only))
        late = state.link.behind > 0
        link.set_class(state.link.kind is LinkKind.LIVE and not late, "-live")
        link.set_class(late or state.link.kind not in {LinkKind.LIVE, LinkKind.CONNECTING}, "-down")
        self.query_one("#queue-count", Line).set_text(f"queue {state.queue_remaining}")
        box = formatting.server_memory(state.stats, ascii_only=ascii_only, wide=wide)
        self.query_one("#box", Line).set_text(AS_LAST_SEEN if state.link.kind.away and box else box)
        named = f"{self._server}  ComfyUI {sanitize(state.stats.version, 20)}" if state.stats and wide else self._server
        self.query_one("#server", Line).set_text(named if cell_len(named) <= self._cells_for_server() else self._server)

    def _cells_for_server(self) -> int:
        """The columns that the other parts leave, margins included."""
        others = [line for line in self.query(Line) if line.id != "server"]
        return self.content_size.width - sum(cell_len(line.text) + line.styles.margin.width for line in others)
