"""How the user started the program."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.ui.drafts import NO_DRAFTS, Drafts
from comfytui.ui.themes import KeptTheme
from comfytui.workflow.graph import Workflow


class NoDemoError(RuntimeError):
    """The simulated server cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """`output` is the folder for saved pictures, `last` the server that does not answer, `note` why
    it was not tried.

    `command` opens a server when a name or an address follows; empty where the server ends with the program.

    `typed` is the server as it was given, `suggest` guesses what else may have been meant by one, and `named` has
    the servers of the config file, each with its address or what is wrong with it.

    `server_of` reads a name or an address, may take a while, and raises BadServer.

    `drafts` has what stood in the prompt form the last time, `theme` the colours that were chosen then.

    `demo` gives the URL of a simulated server that lives as long as its context, or raises NoDemoError; `remember` is
    told each server that turned out to be a ComfyUI, without its secrets.
    """

    workflow: Workflow
    output: Path
    demo: Callable[[], AbstractContextManager[str]]
    remember: Callable[[str], None]
    previews: bool = True
    ascii: bool = False
    last: str = ""
    note: str = ""
    typed: str = ""
    suggest: Callable[[str], str] = lambda _: ""
    named: Sequence[tuple[str, str]] = ()
    command: tuple[str, ...] = ("comfytui",)
    server_of: Callable[[str], Server] = Server.from_url
    journal: Path | None = None
    drafts: Drafts = NO_DRAFTS
    theme: KeptTheme = field(default_factory=KeptTheme)
    fresh: bool = False
