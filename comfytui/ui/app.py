"""The application: one service, its notices, and the screens that show them."""

import asyncio
import gc
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.segment import Segments
from rich.text import Text
from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, Key, Paste
from textual.filter import LineFilter
from textual.screen import Screen
from textual.theme import Theme

from comfytui.comfy.server import Server
from comfytui.presentation.farewell import farewell
from comfytui.service.thread import ServiceThread
from comfytui.session.selectors import unsent_jobs
from comfytui.ui.dashboard.link_actions import ServerNotFound
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.drafts import NO_DRAFTS
from comfytui.ui.keys import HELP_BINDING
from comfytui.ui.options import NoDemoError, Options
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.screens.start import NOTHING_ANSWERS, StartScreen
from comfytui.ui.terminal.ascii_filter import AsciiFilter
from comfytui.ui.terminal.control_filter import ControlFilter
from comfytui.ui.terminal.driver import TerminalDriver
from comfytui.ui.terminal.key_queue import KeyQueue
from comfytui.ui.terminal.shutdown import Hook
from comfytui.ui.terminal.timers import OneShotTimers
from comfytui.ui.themes import SHEETS, THEMES, default_theme

if TYPE_CHECKING:
    from rich.traceback import Trace

OBJECTS_A_COLLECTION = 20_000
"""Objects made between two looks for garbage: a long queue makes ten times as many at once, and they all stay."""
MESSAGES_SHOWN = 4
"""Messages that stand in the corner at once; the oldest give way."""


def _collect_garbage() -> None:
    """Garbage is collected from the first paint on, among what was made since."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(OBJECTS_A_COLLECTION)
        gc.enable()


def _forget(_: str) -> None:
    """A demo is gone by the next time."""


def _hide_secrets(trace: "Trace") -> None:
    """Take secrets out of what the errors of a traceback say."""
    for stack in trace.stacks:
        stack.exc_value = ServiceThread.without_secrets(stack.exc_value)
        stack.notes = list(map(ServiceThread.without_secrets, stack.notes))
        for each in stack.exceptions:
            _hide_secrets(each)


class ComfyApp(OneShotTimers, App[None]):
    """The dashboard of one server, or the start screen when there is none yet."""

    TITLE = "comfytui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Detach", show=False, priority=True, id="quit"),
        HELP_BINDING,
    ]

    def __init__(self, options: Options, server: Server | None = None) -> None:
        super().__init__()
        self.options = options
        self.ascii = options.ascii
        self._own_filters = [ControlFilter(), *([AsciiFilter()] if options.ascii else [])]
        self._type_ahead = KeyQueue(self, super().on_event)
        self._demo = ExitStack()
        self.service: ServiceThread | None = None
        self.at_end: list[Hook] = []
        """What is still done when a signal or a lost terminal ends the program: nothing that takes long."""
        self.stuck = False
        """Whether a service did not end in time: its thread would hold up the end of the program."""
        self.farewell = ""
        """What to print when the screen is gone."""
        self._server = server
        self._typed = options.typed_server
        for theme in THEMES:
            self.register_theme(theme)
        kept = options.theme.read()
        self.theme = kept if kept in self.available_themes else default_theme(self.console.color_system).name

    def get_driver_class(self) -> type[Driver]:
        """Our own driver, unless TEXTUAL_DRIVER names another one."""
        usual = super().get_driver_class()
        return TerminalDriver if usual is LinuxDriver else usual

    def on_mount(self) -> None:
        """Open the server's dashboard, or ask which one."""
        # Not by CSS_PATH: Textual reads that twice, before and after it sets the theme.
        self.stylesheet.read_all([*SHEETS])
        self._kept_theme = self.theme
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        if self._server is None:
            last = self.options.last_server
            away = f"{last} does not answer. {NOTHING_ANSWERS}" if last else NOTHING_ANSWERS
            self._show(StartScreen(self.options.start_note or away, url=last))
        else:
            self.open_server(self._server, self.options.typed_server)

    def open_server(self, server: Server, typed: str = "") -> None:
        """Serve one server and show its dashboard; `typed` is the address as the user wrote it."""
        self._typed = typed
        self._stop_service()
        self.service = service = ServiceThread(server, folder=self.options.journal, fresh=self.options.fresh)
        dashboard = Dashboard(service, self.options, self.size.width)
        self.at_end[:] = [dashboard.keep_draft]
        self._show(dashboard)
        dashboard.call_after_refresh(service.start)

    @work(exclusive=True, group="demo")
    async def open_demo(self) -> None:
        """Start a simulated server and show its dashboard."""
        try:
            url = await asyncio.to_thread(self._demo.enter_context, self.options.demo())
            self.options = replace(
                self.options, remember_server=_forget, reopen_command=(), journal=None, drafts=NO_DRAFTS
            )
        except NoDemoError as error:
            self._show(StartScreen(str(error), url=self._typed))
        else:
            self.open_server(Server.from_url(url))

    def _keep_theme(self, theme: Theme) -> None:
        if theme.name != self._kept_theme:
            self._kept_theme = theme.name
            self.options.theme.write(theme.name)

    def _stop_service(self) -> None:
        if self.service is not None:
            state, shown, kept = self.service.state, self.service.server.shown, self.service.is_durable
            self.farewell = farewell(state, shown, self.options.reopen_command, kept=kept)
            self.stuck |= not self.service.stop()
            self.service = None

    @property
    def keys_typed(self) -> int:
        """How many keys and pastes have come since the program started."""
        return self._type_ahead.count

    async def on_event(self, event: Event) -> None:
        """Keys wait for the ones before them."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            await self._type_ahead.take(event)
        else:
            await super().on_event(event)

    def action_help(self) -> None:
        """Show the keys, or close them."""
        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen())

    def action_help_quit(self) -> None:
        """Tell whoever presses ctrl+c how this program is left."""
        quits = {key for key, each in self.screen.active_bindings.items() if each.binding.action == "app.quit"}
        leave = "q detaches; jobs go on"
        self.notify(leave if "q" in quits else "esc quits" if "escape" in quits else f"esc, then {leave}")

    def notify(self, message: str, **options: Any) -> None:
        """Show a message, after the help if that is open."""
        show = partial(self._show_message, message, **options)
        reading = next((screen for screen in self.screen_stack if isinstance(screen, HelpScreen)), None)
        if reading is not None:
            reading.show_later(show)
        else:
            show()

    def _show_message(self, message: str, **options: Any) -> None:
        """Show a message, unless it stands there already; a server that causes many does not fill the screen."""
        standing = list(self._notifications)
        if any(each.message == message for each in standing):
            return
        for each in standing[: max(0, len(standing) + 1 - MESSAGES_SHOWN)]:
            self._unnotify(each, refresh=False)
        super().notify(message, **options)

    async def action_quit(self) -> None:
        """Close the program, after a question if something would be lost by it."""
        self._ask_and_close()

    @work(exclusive=True, group="detach")
    async def _ask_and_close(self) -> None:
        unsent = unsent_jobs(self.service.state) if self.service else 0
        kept = self.service is not None and self.service.is_durable
        which = "1 of your images is" if unsent == 1 else f"{unsent} of your images are"
        question = f"{which} not sent yet and would be dropped. Close anyway?"
        if unsent and not kept and not await self.push_screen_wait(ConfirmScreen(question)):
            return
        self.exit()

    @on(ServerNotFound)
    def _give_up(self, event: ServerNotFound) -> None:
        """No ComfyUI there: say so at the start screen if the address was typed there, else on the way out."""
        reason = f"{event.reason} {self.options.suggest(self._typed)}".rstrip()
        if self._server is not None:
            self.exit(return_code=1, message=Text(reason))
            return
        self.clear_notifications()
        self._show(StartScreen(reason, url=self._typed))

    def _show(self, screen: Screen[None]) -> None:
        """Show a screen in place of the one before, above Textual's empty default."""
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)
        screen.call_after_refresh(_collect_garbage)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action of a screen is in the palette, beside what Textual has and our own do not replace."""
        anywhere = {"help", "quit", "app.quit"}
        bindings = [each for _, each in screen._bindings if each.id and each.description]
        for each in {each.id: each for each in bindings if each.action not in anywhere}.values():
            yield SystemCommand(each.description, each.tooltip, partial(screen.run_action, each.action))
        yield SystemCommand("Help", HELP_BINDING.tooltip, self.action_help)
        yield SystemCommand("Quit, exit or detach", "Close comfytui; the jobs go on", self.action_quit)
        for command in super().get_system_commands(screen):
            if command.title not in {"Quit", "Keys"}:
                yield command

    def _fatal_error(self) -> None:
        """End with the traceback of a fault, without Textual's list of local values: they hold headers and tokens."""
        from rich.traceback import Traceback

        traceback = Traceback(width=None)
        _hide_secrets(traceback.trace)
        self._exit_renderables.append(Segments(self.console.render(traceback, self.console.options)))
        self._close_messages_no_wait()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Every painted line is made harmless, and ASCII where that is asked for."""
        return [*super().get_line_filters(), *self._own_filters]

    def leave(self, code: int) -> None:
        """End with an exit code and without a question; for other threads."""
        self.call_later(self.exit, return_code=code)

    async def on_unmount(self) -> None:
        """Detach: the service ends, jobs go on, on their server."""
        await asyncio.to_thread(self._stop_service)
        self._demo.close()
