"""The command line's entry point: choose the command and set up the log."""

import logging
import os
import sys
from io import TextIOWrapper

from comfytui.cli.demo import demo
from comfytui.cli.open import open_
from comfytui.cli.sim import sim
from comfytui.sanitize import sanitize

COMMANDS = {"demo": demo, "sim": sim}
"""The commands that have a name of their own; without one, `comfytui [SERVER]` opens a server."""


def main(argv: list[str] | None = None) -> None:
    """Run one command; a first argument that is not a command is a server.

    Args:
        argv: The arguments without the program's name; those of the process by default.

    Raises:
        SystemExit: The command ended, with its exit code.
    """
    args = sys.argv[1:] if argv is None else argv
    _configure_logging()
    if args and args[0] in COMMANDS:
        COMMANDS[args[0]].main(args[1:], prog_name=f"comfytui {args[0]}")
    else:
        open_.main(args, prog_name="comfytui")


class _PrivateFileHandler(logging.FileHandler):
    """A log file that only the user can read; the mode of an existing file stays as it is."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def _configure_logging() -> None:
    """Log to the file named by COMFYTUI_LOG, or nowhere: standard error is the screen."""
    name = os.environ.get("COMFYTUI_LOG")
    try:
        handler = _PrivateFileHandler(name, encoding="utf-8") if name else logging.NullHandler()
    except OSError as error:
        raise SystemExit(f"COMFYTUI_LOG: {sanitize(name or '', 200)} cannot be written ({error.strerror}).") from None
    if name:
        from comfytui.comfy.redaction import LogFormatter

        handler.setFormatter(LogFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
