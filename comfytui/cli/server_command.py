"""Runs what a command does with a server, and turns how that ends into an exit code."""

import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from comfytui.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from comfytui.headless.documents.jobs import End

T = TypeVar("T")
_CODES: Mapping[str, ExitCode] = {
    "done": ExitCode.DONE,
    "detached": ExitCode.DONE,
    "failed": ExitCode.FAILED,
    "cancelled": ExitCode.FAILED,
    "lost": ExitCode.LOST,
    "timed out": ExitCode.TIMEOUT,
}


def run_on_server(work: Coroutine[Any, Any, T], code_of: Callable[[T], int] = lambda _: ExitCode.DONE) -> int:
    """Run a command's coroutine until it ends or a signal ends it, and return the exit code.

    Args:
        work: The coroutine.
        code_of: Returns the exit code for its result.
    """
    try:
        from comfytui.headless.commands.until_signal import until_signal

        return exit_code(until_signal(work), code_of)
    finally:
        work.close()  # It has not begun if ctrl+c came first.


def exit_code(work: Coroutine[Any, Any, T | signal.Signals], code_of: Callable[[T], int]) -> int:
    """Run a coroutine that takes signals itself, and return the exit code; say why there was no session or no job.

    Args:
        work: The coroutine; its result is the signal that ended it, or else what became of the jobs.
        code_of: Returns the exit code for what became of them.
    """
    try:
        return _exit_code(work, code_of)
    finally:
        work.close()  # It has not begun if ctrl+c came first.


def _exit_code(work: Coroutine[Any, Any, T | signal.Signals], code_of: Callable[[T], int]) -> int:
    import asyncio

    from comfytui.headless.commands.connecting import ConnectError, UnreachableError
    from comfytui.headless.commands.selection import UnknownJobsError

    try:
        result = asyncio.run(work)
    except ConnectError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.UNREACHABLE if isinstance(error, UnreachableError) else ExitCode.FAILED
    except UnknownJobsError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.USAGE
    return 128 + result if isinstance(result, signal.Signals) else code_of(result)


def code_of_end(end: str) -> ExitCode:
    """Return the exit code for how a batch ended, or for why it is not waited for."""
    return _CODES[end]


def code_of_ends(ends: Iterable["End"]) -> ExitCode:
    """Return the exit code for jobs that ended, that of the worst: failed or cancelled, lost, done."""
    from comfytui.headless.documents.jobs import ENDS

    return code_of_end(min(ends, key=ENDS.index, default="done"))
