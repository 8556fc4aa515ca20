"""`comfytui wait`: wait until jobs have ended."""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from comfytui.cli.completion_values import complete_folder
from comfytui.cli.dashboard import HELP, FolderType, check_output
from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.selection_options import parse_selection, selection_options
from comfytui.cli.server_command import code_of_ends, run_on_server
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options

if TYPE_CHECKING:
    from comfytui.headless.documents.jobs import End


@click.command(context_settings=HELP)
@selection_options
@server_options
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(0, min_open=True), help="End after this time; the jobs go on."
)
@click.option(
    "--output",
    metavar="FOLDER",
    type=FolderType(),
    shell_complete=complete_folder,
    help="Folder to save the files in.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object for each that ends.")
def wait(
    arguments: tuple[str, ...],
    batch_id: str | None,
    mine: bool,
    timeout: float | None,
    output: Path | None,
    as_json: bool,
    **options: Unpack[ServerArguments],
) -> int:
    """Wait until jobs on SERVER have ended, and write one line as each ends.

    The first 8 characters of an ID are enough, as comfytui status shows them.
    The exit code tells how: 0 all are done, 1 one failed, was cancelled or could not be
    saved, 3 one is lost, 4 the time is over.
    """
    server, selection = parse_selection(arguments, batch_id, mine=mine, config_path=options["config_path"])
    check_output(output)
    chosen = resolve_server(server, **options)

    from comfytui.headless.commands.wait import wait as wait_for

    waiting = wait_for(chosen, selection, as_json=as_json, seconds=timeout, output=output)
    return run_on_server(waiting, _exit_code)


def _exit_code(ends: "tuple[End, ...] | None") -> ExitCode:
    return ExitCode.TIMEOUT if ends is None else code_of_ends(ends)
