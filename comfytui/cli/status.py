"""`comfytui status`: one look at a server."""

from typing import TYPE_CHECKING, Unpack

import click

from comfytui.cli.completion_values import complete_server
from comfytui.cli.dashboard import HELP, supports_unicode
from comfytui.cli.server_command import run_on_server
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options

if TYPE_CHECKING:
    from comfytui.comfy.server import Server


@click.command(context_settings=HELP)
@click.argument("server", required=False, shell_complete=complete_server)
@server_options
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def status(server: str | None, as_json: bool, **options: Unpack[ServerArguments]) -> int:
    """Show once what SERVER does: the connection, its memory, the queue with everybody's jobs, and your batches.

    Nothing is claimed or sent: the dashboard or another command goes on as before. A terminal shows the beginning of
    each job's id, which is enough for the other commands; elsewhere lines are whole.
    """
    chosen = resolve_server(server, **options)
    return run_on_server(_look(chosen, as_json=as_json))


async def _look(server: "Server", *, as_json: bool) -> None:
    import shutil
    import sys

    from comfytui.headless.commands.output import write_documents, write_lines
    from comfytui.headless.commands.status import look

    screen = None
    if sys.stdout is not None and sys.stdout.isatty():
        from comfytui.headless.commands.status_screen import Screen

        columns, rows = shutil.get_terminal_size()
        screen = Screen(columns, rows, ascii_only=not supports_unicode())

    async with look(server) as shown:
        # Before the connection is closed, which takes its time.
        if as_json:
            write_documents([shown.document()])
        else:
            write_lines(shown.lines(screen), sys.stdout)
