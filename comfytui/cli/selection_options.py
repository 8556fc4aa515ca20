"""The arguments of the commands that are about jobs: their ids after the server, a batch, or all of mine."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from comfytui.cli.completion_values import complete_server_or_job
from comfytui.cli.server_options import split_server

if TYPE_CHECKING:
    from comfytui.headless.commands.selection import Selection

Command = TypeVar("Command", bound=Callable[..., Any])


def selection_options(command: Command) -> Command:
    """Add the arguments and options that choose jobs."""
    for option in reversed(
        (
            click.argument("arguments", nargs=-1, metavar="[SERVER] [ID]...", shell_complete=complete_server_or_job),
            click.option("--batch", "batch_id", metavar="ID", help="All jobs of a batch of yours."),
            click.option("--mine", is_flag=True, help="All batches of yours that have not ended."),
        )
    ):
        command = option(command)
    return command


def parse_selection(
    arguments: Sequence[str], batch_id: str | None, *, mine: bool, config_path: Path | None
) -> "tuple[str | None, Selection]":
    """Return the server, if one is given, and the jobs that are chosen.

    Raises:
        BadServer: The config file cannot be read.
        click.UsageError: No jobs are chosen, or in two ways.
    """
    from comfytui.headless.commands.selection import Selection

    server, ids = split_server(arguments, config_path)
    if [bool(ids), batch_id is not None, mine].count(True) != 1:
        raise click.UsageError("Give the ids of jobs, or --batch ID, or --mine.")
    return server, Selection(tuple(ids), batch_id, mine)
