"""Textual's terminal driver, which also lives on after a stop that no handler sees: SIGSTOP, then SIGCONT."""

import asyncio
import termios
import tty
from contextlib import suppress

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size


class TerminalDriver(LinuxDriver):
    """On SIGCONT, input and output start only if SIGTSTP (or `App.suspend`) ended them before.

    Textual 8.2 starts them after a SIGSTOP as well, which ended nothing: two input threads then read the same keys,
    and the one that is no longer known keeps the process from ending.
    """

    _suspended = False

    def suspend_application_mode(self) -> None:
        """Give the terminal back."""
        super().suspend_application_mode()
        self._suspended = True

    def start_application_mode(self) -> None:
        """Take the terminal, or leave it to the next SIGCONT if we are in the background."""
        self._loop = asyncio.get_running_loop()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._suspended &= not self._is_reading

    @property
    def _is_reading(self) -> bool:
        return self._key_thread is not None and self._key_thread.is_alive()

    def _sigcont_application(self, *_: object) -> None:
        if not self._auto_restart:
            return
        if self._suspended:
            self.resume_application_mode()
        elif self._is_reading:
            # Not here: the main thread may have been interrupted while it held the lock of the queue of writes.
            self._loop.call_soon_threadsafe(self._renew)

    def _renew(self) -> None:
        """Set the terminal as we need it and paint all anew: a shell may have used it while we were stopped."""
        if not self._is_reading:
            return
        # In the background this stops us, and fails after the next SIGCONT, which brings us here once more.
        with suppress(termios.error):
            modes = termios.tcgetattr(self.fileno)
            modes[tty.IFLAG] = self._patch_iflag(modes[tty.IFLAG])
            modes[tty.LFLAG] = self._patch_lflag(modes[tty.LFLAG])
            modes[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, modes)
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h")  # alternate screen, no cursor, reports of the focus
        self._enable_mouse_support()
        if self._mouse_pixels:
            self._enable_mouse_pixels()
        if self._in_band_window_resize:
            self._enable_in_band_window_resize()
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        size = Size(*self._get_terminal_size())
        self._app.post_message(Resize(size, size))
        self._app.refresh(layout=True)
