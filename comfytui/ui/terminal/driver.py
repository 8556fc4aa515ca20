"""Textual's terminal driver, extended to survive SIGSTOP and SIGCONT."""

import asyncio
import termios
import tty
from contextlib import suppress

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size

ERASE = "\x1b[0m\x1b[H\x1b[2J"


class TerminalDriver(LinuxDriver):
    """On SIGCONT, starts input and output only if SIGTSTP (or `App.suspend`) stopped them before.

    Textual 8.2 starts them after a SIGSTOP as well, which no handler sees and which stopped nothing: two input threads
    then read the same keys, and the one that the driver no longer knows keeps the process from ending.
    """

    _suspended = False

    def suspend_application_mode(self) -> None:
        """Restore the terminal for the shell."""
        super().suspend_application_mode()
        self._suspended = True

    def stop_application_mode(self) -> None:
        """Leave the alternate screen, erased: tmux would show the rest of one that was enlarged in the shell's."""
        self.write(ERASE)
        super().stop_application_mode()

    def start_application_mode(self) -> None:
        """Set up the terminal, or leave that to the next SIGCONT if the process is in the background."""
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
            # Not in the signal handler: the main thread may hold the lock of the write queue.
            self._loop.call_soon_threadsafe(self._set_up_again)

    def _set_up_again(self) -> None:
        """Set the terminal's modes and repaint everything: a shell may have used it while the process was stopped."""
        if not self._is_reading:
            return
        # In the background this stops the process, and fails after the next SIGCONT, which calls this method again.
        with suppress(termios.error):
            modes = termios.tcgetattr(self.fileno)
            modes[tty.IFLAG] = self._patch_iflag(modes[tty.IFLAG])
            modes[tty.LFLAG] = self._patch_lflag(modes[tty.LFLAG])
            modes[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, modes)
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h")  # alternate screen, no cursor, focus reports
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
