"""`comfytui [SERVER]`: open the dashboard of a server, or the start screen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comfytui import __version__
from comfytui.cli.command_line import CommandLine
from comfytui.cli.completion_values import complete_command_or_server
from comfytui.cli.dashboard import HELP, dashboard_options, run_dashboard
from comfytui.cli.server_options import ServerArguments, load_config, server_options
from comfytui.command_names import COMMANDS, PLANNED_COMMANDS

if TYPE_CHECKING:
    from comfytui.comfy.server import Server, ServerOptions
    from comfytui.config.config import Config


@click.group(cls=CommandLine, invoke_without_command=True, context_settings=HELP)
@click.argument("server", required=False, shell_complete=complete_command_or_server)
@server_options
@click.option("--fresh", is_flag=True, help="Take nothing over from earlier starts.")
@dashboard_options
@click.version_option(__version__, prog_name="comfytui")
def open_(
    server: str | None,
    headers: tuple[str, ...],
    ca: Path | None,
    cert: Path | None,
    insecure: bool,
    config_path: Path | None,
    fresh: bool,
    **dashboard: Any,
) -> None:
    """Open the dashboard of SERVER, a URL such as http://gpu-box:8188 or a name from the config file.

    Without SERVER: the last one used, else the default of the config file; without either, a ComfyUI on this machine.
    """
    from comfytui.cli.demo import demo_server
    from comfytui.cli.startup_server import preferred_server, remember_server
    from comfytui.comfy.address import BadServer
    from comfytui.config.config import Config
    from comfytui.service.journal.paths import state_folder

    _reject_command_name(server)
    config, note = Config(), ""
    arguments = ServerArguments(headers=headers, ca=ca, cert=cert, insecure=insecure, config_path=config_path)
    try:
        config, options = load_config(arguments)
        chosen, note = _choose_server(server, config, options)
    except BadServer as error:
        raise click.UsageError(f"{error} {config.suggestion(server or '')}".rstrip()) from None
    run_dashboard(
        chosen,
        demo=demo_server,
        server_of=config.resolve,
        remember_server=remember_server,
        last_server="" if server else preferred_server(config),
        start_note=note,
        typed_server=server or "",
        suggest=config.suggestion,
        named_servers=config.summaries(),
        reopen_command=("comfytui", "--config", str(config_path)) if config_path else ("comfytui",),
        journal=state_folder(),
        fresh=fresh,
        **dashboard,
    )


def _reject_command_name(server: str | None) -> None:
    """Refuse a server that is named like a command, present or planned."""
    if server in COMMANDS:
        raise click.UsageError(f"'{server}' is a command: put it first, as in comfytui {server} --help.")
    if server in PLANNED_COMMANDS:
        raise click.UsageError(f"'{server}' is reserved for a later command, so it cannot be a server.")


def _choose_server(server: str | None, config: "Config", options: "ServerOptions") -> tuple["Server | None", str]:
    """Return the server to open, or None for the start screen, and why the preferred one was not tried, or "".

    Raises:
        BadServer: The given server cannot be used; or none was given, and there is no named server to choose instead.
    """
    import asyncio

    from comfytui.cli.startup_server import find_startup_server
    from comfytui.comfy.address import BadServer

    if server is not None:
        return config.resolve(server, **options), ""
    try:
        return asyncio.run(find_startup_server(config, **options)), ""
    except BadServer as error:
        if not config.servers:
            raise
        return None, str(error)  # The start screen offers the other servers.
