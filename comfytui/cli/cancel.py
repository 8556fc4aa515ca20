"""`comfytui cancel`: cancel jobs."""

from typing import Unpack

import click

from comfytui.cli.dashboard import HELP
from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.selection_options import parse_selection, selection_options
from comfytui.cli.server_command import run_on_server
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options


@click.command(context_settings=HELP)
@selection_options
@server_options
@click.option("--yes", is_flag=True, help="Do not ask before all of yours are cancelled.")
@click.option("--force", is_flag=True, help="On a server that can only stop whatever runs, do that.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object for each job or batch.")
def cancel(
    arguments: tuple[str, ...],
    batch_id: str | None,
    mine: bool,
    yes: bool,
    force: bool,
    as_json: bool,
    **options: Unpack[ServerArguments],
) -> int:
    """Cancel jobs on SERVER, waiting or running, of any user by their ids.

    The first 8 characters of an ID are enough, as comfytui status shows them. The exit code is 0 if all were cancelled
    or had ended before, 1 if one could not be, and 5 if the server does not answer.
    """
    server, selection = parse_selection(arguments, batch_id, mine=mine, config_path=options["config_path"])
    chosen = resolve_server(server, **options)

    from comfytui.headless.commands.cancel import cancel as cancel_on

    return run_on_server(
        cancel_on(chosen, selection, as_json=as_json, force=force, ask=not yes),
        lambda done: ExitCode.DONE if done else ExitCode.FAILED,
    )
