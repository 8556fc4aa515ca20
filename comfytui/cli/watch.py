"""`comfytui watch`: one line for each change."""

from typing import Unpack

import click

from comfytui.cli.completion_values import complete_server
from comfytui.cli.dashboard import HELP
from comfytui.cli.server_command import run_on_server
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options


@click.command(context_settings=HELP)
@click.argument("server", required=False, shell_complete=complete_server)
@server_options
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=5.0,
    show_default=True,
    help="Least time between two lines about the steps of one batch.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object for each change.")
def watch(server: str | None, interval: float, as_json: bool, **options: Unpack[ServerArguments]) -> int:
    """Write one line for each change on SERVER: the connection, your batches, and other users' jobs.

    It goes on until ctrl+c, also while the server is away. Like the dashboard, it sends what an earlier comfytui left
    unsent.
    """
    chosen = resolve_server(server, **options)

    from comfytui.headless.commands.watch import watch as watch_on

    return run_on_server(watch_on(chosen, as_json=as_json, interval=interval))
