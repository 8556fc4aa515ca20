"""The Textual application: its screens, the service of the current server, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, Key, Paste
from textual.filter import LineFilter
from textual.screen import Screen
from textual.theme import Theme

from comfytui.comfy.server import Server
from comfytui.presentation.farewell import farewell
from comfytui.presentation.questions import close_question
from comfytui.service.thread import ServiceThread
from comfytui.session.selectors import unsent_jobs
from comfytui.ui import garbage_collection
from comfytui.ui.crash_report import crash_report
from comfytui.ui.dashboard.connection_actions import ServerNotFound
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.drafts import NO_DRAFTS
from comfytui.ui.keys import HELP_BINDING, QUIT_BINDING, palette_bindings
from comfytui.ui.options import NoDemoError, Options
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.style_sheets import StyledScreens
from comfytui.ui.terminal.ascii_filter import AsciiFilter
from comfytui.ui.terminal.control_filter import ControlFilter
from comfytui.ui.terminal.driver import TerminalDriver
from comfytui.ui.terminal.key_queue import KeyQueue
from comfytui.ui.terminal.shutdown import Hook
from comfytui.ui.terminal.timers import OneShotTimers
from comfytui.ui.themes import THEMES, default_theme

MAX_MESSAGES = 4
"""Messages that are shown at once; the oldest are removed."""


class ComfyApp(OneShotTimers, StyledScreens):
    """Shows the dashboard of one server, or the start screen while there is none.

    Args:
        options: How the user started the program.
        server: The server to open, or None for the start screen.
    """

    TITLE = "comfytui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [QUIT_BINDING, HELP_BINDING]

    def __init__(self, options: Options, server: Server | None = None) -> None:
        super().__init__()
        self.options = options
        self.ascii = options.ascii
        self._line_filters = [ControlFilter(), *([AsciiFilter()] if options.ascii else [])]
        self._key_queue = KeyQueue(self, super().on_event)
        self._demo = ExitStack()
        self.service: ServiceThread | None = None
        self.shutdown_hooks: list[Hook] = []
        """Called when a signal or a lost terminal ends the program; they must be quick."""
        self.stuck = False
        """Whether a service did not stop in time, so that its thread would delay the end of the program."""
        self.farewell = ""
        """The text to print when the screen is closed."""
        self._server = server
        self._typed_server = options.typed_server
        for theme in THEMES:
            self.register_theme(theme)
        stored = options.theme.read()
        self.theme = stored if stored in self.available_themes else default_theme(self.console.color_system).name

    def get_driver_class(self) -> type[Driver]:
        """Return our own driver, unless TEXTUAL_DRIVER names another one."""
        usual = super().get_driver_class()
        return TerminalDriver if usual is LinuxDriver else usual

    def on_mount(self) -> None:
        """Open the server's dashboard, or the start screen."""
        self.read_sheets(of_screens=self._server is None)
        self._stored_theme = self.theme
        self.theme_changed_signal.subscribe(self, self._store_theme)
        if self._server is None:
            self._ask_for_server(self.options.start_note, self.options.last_server)
        else:
            self.open_server(self._server, self.options.typed_server)

    def open_server(self, server: Server, typed: str = "") -> None:
        """Start a service for a server and show its dashboard; `typed` is its name or address as the user typed it."""
        self._typed_server = typed
        self._stop_service()
        options = self.options
        self.service = service = ServiceThread(
            server,
            folder=options.journal,
            fresh=options.fresh,
            timings=options.timings,
            new_backend=options.new_backend,
        )
        dashboard = Dashboard(service, options, self.size.width)
        self.shutdown_hooks[:] = [dashboard.flush_drafts]
        self._show(dashboard)
        dashboard.call_after_refresh(service.start)

    @work(exclusive=True, group="demo")
    async def open_demo(self) -> None:
        """Start a simulated server and show its dashboard."""
        try:
            url = await asyncio.to_thread(self._demo.enter_context, self.options.demo())
            # Nothing is kept: a simulated server is gone by the next start.
            self.options = replace(
                self.options, remember_server=lambda _: None, reopen_command=(), journal=None, drafts=NO_DRAFTS
            )
        except NoDemoError as error:
            self._ask_for_server(str(error), self._typed_server)
        else:
            self.open_server(Server.from_url(url))

    def _store_theme(self, theme: Theme) -> None:
        if theme.name != self._stored_theme:
            self._stored_theme = theme.name
            self.options.theme.write(theme.name)

    def _stop_service(self) -> None:
        if self.service is not None:
            state, shown, durable = self.service.state, self.service.server.label, self.service.is_durable
            self.farewell = farewell(state, shown, self.options.reopen_command, durable=durable)
            self.stuck |= not self.service.stop()
            self.service = None

    @property
    def keys_typed(self) -> int:
        """The number of keys and pastes since the program started."""
        return self._key_queue.received

    async def on_event(self, event: Event) -> None:
        """Queue keys and pastes, so that each acts before the next one is handled."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            await self._key_queue.put(event)
        else:
            await super().on_event(event)

    async def run_between_keys(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work after the keys typed until now and before the next ones, which wait for it; only in a worker."""
        await self._key_queue.run_between_keys(work)

    def hold_keys(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have the keys after the present one wait for some work."""
        self._key_queue.hold(work)

    def action_help(self) -> None:
        """Show the keys, or close them."""
        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen())

    def action_help_quit(self) -> None:
        """Show how to quit, when ctrl+c is pressed."""
        quit_keys = {key for key, each in self.screen.active_bindings.items() if each.binding.action == "app.quit"}
        leave = "q detaches; jobs go on"
        self.notify(leave if "q" in quit_keys else "esc quits" if "escape" in quit_keys else f"esc, then {leave}")

    def notify(self, message: str, **options: Any) -> None:
        """Show a message, or defer it until the help is closed."""
        show = partial(self._show_message, message, **options)
        help_screen = next((screen for screen in self.screen_stack if isinstance(screen, HelpScreen)), None)
        if help_screen is not None:
            help_screen.show_later(show)
        else:
            show()

    def _show_message(self, message: str, **options: Any) -> None:
        """Show a message unless it is shown already, and limit their number, since a server may cause many."""
        shown = list(self._notifications)
        if any(each.message == message for each in shown):
            return
        for each in shown[: max(0, len(shown) + 1 - MAX_MESSAGES)]:
            self._unnotify(each, refresh=False)
        super().notify(message, **options)

    async def action_quit(self) -> None:
        """Close the program; ask for confirmation if unsent jobs would be lost."""
        self._confirm_and_exit()

    @work(exclusive=True, group="detach")
    async def _confirm_and_exit(self) -> None:
        unsent = unsent_jobs(self.service.state) if self.service and not self.service.is_durable else 0
        unsent += sum(each.waiting_images for each in self.screen_stack if isinstance(each, Dashboard))
        if unsent and not await self.push_screen_wait(ConfirmScreen(close_question(unsent))):
            return
        self.exit()

    @on(ServerNotFound)
    def _leave_or_start_over(self, event: ServerNotFound) -> None:
        """Report the reason on the start screen if the address was typed there, or else exit with it."""
        reason = f"{event.reason} {self.options.suggest(self._typed_server)}".rstrip()
        if self._server is not None:
            self.exit(return_code=1, message=Text(reason))
            return
        self.clear_notifications()
        self._ask_for_server(reason, self._typed_server)

    def _ask_for_server(self, note: str, url: str) -> None:
        from comfytui.ui.screens.start import StartScreen  # Late: the first paint of a dashboard does not need it.

        self._show(StartScreen(note, url=url))

    def _show(self, screen: Screen[None]) -> None:
        """Replace the current screen, but not Textual's default one, which stays at the bottom of the stack."""
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)
        screen.call_after_refresh(garbage_collection.enable)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield all actions of a screen and of the application, but none of Textual's own, such as screenshots."""
        for binding in palette_bindings(screen):
            yield SystemCommand(binding.description, binding.tooltip, partial(screen.run_action, binding.action))
        yield SystemCommand("Help", HELP_BINDING.tooltip, self.action_help)
        yield SystemCommand("Quit, exit or detach", "Close comfytui; the jobs go on", self.action_quit)
        yield SystemCommand("Theme", "Change the current theme", self.action_change_theme)

    def _fatal_error(self) -> None:
        """Exit with a traceback that shows no secrets."""
        self._exit_renderables.append(crash_report(self.console))
        self._close_messages_no_wait()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add filters that remove control characters, and that replace all but ASCII if the user asked for it."""
        return [*super().get_line_filters(), *self._line_filters]

    def leave(self, code: int) -> None:
        """Exit with a code and without confirmation, from any thread."""
        self.call_later(self.exit, return_code=code)

    async def on_unmount(self) -> None:
        """Stop the service; jobs go on on their server."""
        await asyncio.to_thread(self._stop_service)
        self._demo.close()
