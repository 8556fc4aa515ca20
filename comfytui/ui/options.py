"""Options of the application, from the command line and the config file."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.comfy.server import Server
from comfytui.timings import DEFAULT, Timings
from comfytui.ui.drafts import NO_DRAFTS, DraftFolder
from comfytui.ui.recent_files import NO_RECENT_FILES, RecentFiles
from comfytui.ui.themes import ThemeStore
from comfytui.workflow.graph import Workflow

if TYPE_CHECKING:
    from comfytui.service.backend import BackendFactory


class NoDemoError(RuntimeError):
    """The simulated server cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the user started the program."""

    workflow: Workflow
    output: Path
    """The folder for saved files."""
    demo: Callable[[], AbstractContextManager[str]]
    """Starts a simulated server that runs as long as the context, which is its URL; raises NoDemoError."""
    remember_server: Callable[[str], None]
    """Called with the URL, without secrets, of each server that turned out to be a ComfyUI."""
    previews: bool = True
    ascii: bool = False
    last_server: str = ""
    """The server of the last time, which does not answer."""
    start_note: str = ""
    """Why the server of the last time was not tried."""
    typed_server: str = ""
    """The server's name or address as the user typed it."""
    suggest: Callable[[str], str] = lambda _: ""
    """Returns a hint at what else a name or an address may have meant."""
    named_servers: Sequence[tuple[str, str]] = ()
    """The servers of the config file: names, each with its address or what is wrong with it."""
    reopen_command: tuple[str, ...] = ("comfytui",)
    """The command that opens a server when its name or address follows; empty if the server ends with the program."""
    server_of: Callable[[str], Server] = Server.from_url
    """Returns the server of a name or an address; may block, and raises BadServer."""
    journal: Path | None = None
    """The folder of the journal, or None to keep none."""
    drafts: DraftFolder = NO_DRAFTS
    recent: RecentFiles = NO_RECENT_FILES
    prompt_files: Path | None = None
    """The folder with the user's `wildcards` and `tags.csv`, or None to use none."""
    theme: ThemeStore = field(default_factory=ThemeStore)
    fresh: bool = False
    """Whether to start without the drafts and jobs of earlier times."""
    timings: Timings = DEFAULT
    new_backend: "BackendFactory | None" = None
    """Opens the connection to a server, see `ServiceThread`."""

    @property
    def wildcards(self) -> Path | None:
        """The folder with the user's wildcards, or None to use none."""
        return self.prompt_files and self.prompt_files / "wildcards"
