"""Runs what a command does with a server, and turns how that ends into an exit code."""

import signal
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from comfytui.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from comfytui.headless.documents.jobs import End

T = TypeVar("T")


def run_on_server(work: Coroutine[Any, Any, T], code_of: Callable[[T], int] = lambda _: ExitCode.DONE) -> int:
    """Run a command's coroutine until it ends or a signal ends it, and return the exit code.

    Args:
        work: The coroutine.
        code_of: Returns the exit code for its result.
    """
    import asyncio

    from comfytui.headless.commands.connecting import ConnectError, UnreachableError
    from comfytui.headless.commands.selection import UnknownJobsError
    from comfytui.headless.commands.until_signal import until_signal

    try:
        result = asyncio.run(until_signal(work))
    except ConnectError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.UNREACHABLE if isinstance(error, UnreachableError) else ExitCode.FAILED
    except UnknownJobsError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.USAGE
    return 128 + result if isinstance(result, signal.Signals) else code_of(result)


def code_of_ends(ends: Iterable["End"]) -> ExitCode:
    """Return the exit code for jobs that ended, that of the worst: failed or cancelled, lost, done."""
    from comfytui.headless.documents.jobs import ENDS

    worst = min(ends, key=ENDS.index, default="done")
    return {"done": ExitCode.DONE, "lost": ExitCode.LOST}.get(worst, ExitCode.FAILED)
