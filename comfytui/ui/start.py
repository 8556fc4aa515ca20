"""The start screen: type a URL, open the demo, or read how to forward a port over SSH."""

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Button, Footer, Input, Static

from comfytui.comfy.server import BadServer
from comfytui.ui.line import Line

if TYPE_CHECKING:
    from comfytui.ui.app import ComfyApp

NOTHING_ANSWERS = "No ComfyUI answers on this machine. Enter the address of yours."
SSH_HELP = """\
ComfyUI on another machine? Forward its port first:
    ssh -L 8188:127.0.0.1:8188 you@gpu-box
then open 127.0.0.1:8188 here."""


class StartScreen(Screen[None]):
    """Asks which server to open."""

    AUTO_FOCUS = "#url"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.quit", "Quit", id="start-quit"),
        Binding("f2", "demo", "Demo", tooltip="Open a simulated server on this machine", id="start-demo"),
    ]

    def __init__(self, note: str, *, url: str = "") -> None:
        super().__init__()
        self._note = note
        self._url = url

    def compose(self) -> ComposeResult:
        """A sentence, an input, two buttons, the forwarding recipe."""
        with Vertical(id="start"):
            yield Line("comfytui", id="start-title")
            yield Static(Text(self._note), id="start-note")
            yield Input(self._url, placeholder="http://box:8188", id="url", compact=True)
            yield Line(id="start-error", classes="error")
            yield Button("Open  enter", id="open", compact=True, variant="primary")
            yield Button("Demo  F2", id="demo", compact=True)
            yield Static(Text(SSH_HELP), classes="help")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """A blinking cursor would cost bytes for nothing."""
        self.query_one("#url", Input).cursor_blink = False

    @on(Input.Submitted, "#url")
    @on(Button.Pressed, "#open")
    @work(exclusive=True)
    async def _open(self) -> None:
        typed, app = self.query_one("#url", Input).value, cast("ComfyApp", self.app)
        try:
            # A program may have to tell a secret.
            server = await asyncio.to_thread(app.options.server_of, typed)
        except BadServer as error:
            sentence = self.query_one("#start-error", Line)
            sentence.say(f"! {error}")
            sentence.add_class("-shown")
            return
        app.open_server(server, typed)

    @on(Button.Pressed, "#demo")
    def action_demo(self) -> None:
        """Open the demo."""
        cast("ComfyApp", self.app).open_demo()
