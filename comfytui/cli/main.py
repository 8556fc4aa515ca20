"""The command line's entry point: choose the command and set up the log."""

import errno
import logging
import os
import sys
import threading
from contextlib import suppress
from io import TextIOWrapper

import click

from comfytui.cli.completion_values import COMPLETION_VARIABLE
from comfytui.cli.ending import end_process
from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.open import open_
from comfytui.sanitize import sanitize

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Why standard output is refused, where it is a file."""


def main(argv: list[str] | None = None) -> None:
    """Run one command; a first argument that is not a command is a server.

    Args:
        argv: The arguments without the program's name; those of the process by default.

    Raises:
        SystemExit: The command ended, with its exit code.
    """
    threads = threading.enumerate()
    args = sys.argv[1:] if argv is None else argv
    _configure_logging()
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(open_, {}, "comfytui", COMPLETION_VARIABLE, instruction))
    code: int = ExitCode.DONE
    try:
        code = _run(list(args))
        if sys.stdout:  # None if it was closed from the start.
            sys.stdout.flush()
    except OSError as error:
        if error.errno in {errno.EPIPE, errno.EIO}:  # A terminal that was closed gives EIO.
            code = code or ExitCode.CLOSED_PIPE
        elif error.errno in FULL_DISK:
            _say(f"Error: The output cannot be written ({error.strerror}).")
            code = code or ExitCode.FAILED
        else:
            raise
        _discard_output()
    end_process(code, threads)


def _run(args: list[str]) -> int:
    """Run a command, write what is wrong to standard error, and return the exit code."""
    try:
        with open_.make_context("comfytui", args) as context:
            code: int | None = open_.invoke(context)
            return code or ExitCode.DONE
    except click.exceptions.Exit as exited:
        return exited.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except ValueError as error:
        from comfytui.comfy.address import BadServer

        if not isinstance(error, BadServer):
            raise
        click.UsageError(str(error)).show()
        return ExitCode.USAGE


def _say(line: str) -> None:
    """Write a line to standard error, which may be the same file as standard output."""
    with suppress(OSError):
        click.echo(line, err=True)


def _discard_output() -> None:
    """Let Python write what is left to nowhere when it ends: standard output takes no more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


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
