"""The start screen: type an address, choose a named server, or open the demo."""

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from comfytui.comfy.address import BadServer
from comfytui.sanitize import sanitize
from comfytui.ui.widgets.footer import KeyFooter
from comfytui.ui.widgets.text import Line

if TYPE_CHECKING:
    from comfytui.ui.app import ComfyApp

NO_SERVER = "No ComfyUI answers on this machine."
ENTER_ADDRESS = "Enter a server's address."
SSH_HELP = """\
ComfyUI on another machine? Forward its port first:
    ssh -L 8188:127.0.0.1:8188 you@gpu-box
then open 127.0.0.1:8188 here."""
NAME_CELLS = 20
"""Minimum width of the names of named servers."""


def _option(name: str, address: str) -> Option:
    return Option(Text.assemble(f"{sanitize(name, 60):<{NAME_CELLS}}  ", (sanitize(address, 300), "dim")), id=name)


class AddressInput(Input):
    """The input for an address or a name, from which a key leads to the named servers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "choose", "Named servers", key_display="↓", id="start-choose"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the key to the named servers only if there are some."""
        return bool(cast("ComfyApp", self.app).options.named_servers) if action == "choose" else True

    def action_choose(self) -> None:
        """Go to the named servers."""
        named = self.screen.query_one("#named", OptionList)
        named.focus()
        if named.highlighted is None:
            named.action_first()


class StartScreen(Screen[None]):
    """Asks which server to open.

    Args:
        note: Why the screen is shown; without one, because no server answers.
        url: The address to begin with.
    """

    AUTO_FOCUS = "#url"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.quit", "Quit", id="start-quit"),
        Binding(
            "f2", "demo", "Demo", key_display="F2", tooltip="Open a simulated server on this machine", id="start-demo"
        ),
    ]

    def __init__(self, note: str, *, url: str = "") -> None:
        super().__init__()
        away = f"{url} does not answer." if url else NO_SERVER
        self._note = note or f"{away} {ENTER_ADDRESS}"
        self._url = url

    def compose(self) -> ComposeResult:
        """Compose the note, the input, the named servers, two buttons and the help on SSH."""
        named = cast("ComfyApp", self.app).options.named_servers
        with Vertical(id="start"):
            yield Line("comfytui", id="start-title")
            yield Static(Text(self._note), id="start-note")
            yield AddressInput(self._url, placeholder="http://gpu-box:8188", id="url", compact=True)
            yield Line(id="start-error", classes="error")
            if named:
                yield OptionList(*(_option(*each) for each in named), id="named", markup=False, compact=True)
            yield Button("Open  enter", id="open", compact=True, variant="primary")
            yield Button("Demo  F2", id="demo", compact=True)
            yield Static(Text(SSH_HELP), classes="help")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Keep the cursor from blinking, which would cost bytes on a slow connection."""
        self.query_one("#url", Input).cursor_blink = False

    @on(Input.Changed, "#url")
    def _highlight_match(self, event: Input.Changed) -> None:
        """Highlight the first named server whose name contains what is typed."""
        typed = event.value.strip().lower()
        for named in self.query(OptionList):
            matches = (at for at, each in enumerate(named.options) if typed and typed in (each.id or "").lower())
            named.highlighted = next(matches, None)

    @on(OptionList.OptionSelected, "#named")
    def _open_named(self, event: OptionList.OptionSelected) -> None:
        self._open(event.option_id or "")

    @on(Input.Submitted, "#url")
    @on(Button.Pressed, "#open")
    def _open_typed(self) -> None:
        self._open(self.query_one("#url", Input).value)

    @work(exclusive=True)
    async def _open(self, typed: str) -> None:
        app = cast("ComfyApp", self.app)
        try:
            # In a thread: a secret may come from a program.
            server = await asyncio.to_thread(app.options.server_of, typed)
        except BadServer as error:
            message = self.query_one("#start-error", Line)
            message.set_text(f"! {error} {app.options.suggest(typed)}".rstrip())
            message.add_class("-shown")
            return
        app.open_server(server, typed)

    @on(Button.Pressed, "#demo")
    def action_demo(self) -> None:
        """Open a simulated server."""
        cast("ComfyApp", self.app).open_demo()
