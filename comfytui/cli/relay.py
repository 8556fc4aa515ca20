"""`comfytui relay`: show the jobs of a server to browsers and other programs, over HTTP."""

import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Unpack

import click

from comfytui.cli.dashboard import HELP
from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options

LIBRARIES = frozenset({"aiohttp", "aiohttp_sse", "prometheus_client"})
LIBRARY_MISSING = "The relay needs {}: run pip install 'comfytui[relay]'."


@click.command(context_settings=HELP)
@click.argument("server", required=False)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others need a token.",
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=8189,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--clients",
    metavar="COUNT",
    type=click.IntRange(1, 10_000),
    default=64,
    show_default=True,
    help="Most clients that follow at once.",
)
@click.option("--token-env", metavar="NAME", help="Environment variable with the token that clients show.")
@click.option("--token-command", metavar="COMMAND", help="Program whose first line of output is that token.")
@click.option(
    "--allow-origin", "origins", metavar="ORIGIN", multiple=True, help="Let pages of this origin in; repeatable."
)
@server_options
def relay(
    server: str | None,
    host: str,
    port: int,
    clients: int,
    token_env: str | None,
    token_command: str | None,
    origins: tuple[str, ...],
    **arguments: Unpack[ServerArguments],
) -> int:
    """Show the jobs of SERVER to browsers and other programs, over HTTP, until ctrl+c; jobs go on without it."""
    import asyncio
    import signal

    try:
        from comfytui.headless.relay.command import RelayError, run_relay
        from comfytui.headless.relay.options import RelayOptions, check_options
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in LIBRARIES:
            raise
        raise click.ClickException(LIBRARY_MISSING.format(library)) from None
    from comfytui.service.journal.paths import state_folder

    token = _read_token(token_env, token_command)
    options = RelayOptions(host=host, port=port, clients=clients, token=token, allowed_origins=origins)
    try:
        check_options(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    chosen = resolve_server(server, **arguments)
    try:
        number = asyncio.run(run_relay(chosen, options, _say, journal=state_folder()))
    except RelayError as error:
        raise click.ClickException(str(error)) from None
    return ExitCode.INTERRUPTED if number is signal.SIGINT else ExitCode.DONE


def _say(line: str) -> None:
    # The relay goes on without anybody who reads what it says.
    with suppress(OSError):
        click.echo(line, err=True)


def _read_token(variable: str | None, command: str | None) -> str | None:
    """Return the token that the options name, or None if they name none.

    Raises:
        click.UsageError: It cannot be read or is none, or both options are given.
    """
    from comfytui.config.location import BadConfig, Location
    from comfytui.config.secret import CommandSecret, EnvironmentSecret, Secret

    if variable is None and command is None:
        return None
    if variable is not None and command is not None:
        raise click.UsageError("Give --token-env or --token-command, not both.")
    option = "--token-command" if variable is None else "--token-env"
    try:
        source = CommandSecret(_arguments(command)) if command is not None else EnvironmentSecret(variable or "")
        token = Secret(Location(Path(), option), source).read().strip()
    except BadConfig as error:
        raise click.UsageError(f"{option}: {error.reason}") from None
    # Others cannot be sent in a header.
    if not re.fullmatch("[!-~]+", token):
        raise click.UsageError(f"{option}: a token has printable ASCII characters and no spaces, and at least one.")
    return token


def _arguments(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command)) or ("",)
    except ValueError:
        raise click.UsageError("--token-command: a quotation mark is not closed.") from None
