"""What the commands that talk to a server have in common: the options, the server, and the ids of jobs after it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from comfytui.cli.exit_codes import ExitCode
from comfytui.headless.commands.short_ids import SHORT_ID

if TYPE_CHECKING:
    from comfytui.comfy.server import Server, ServerOptions
    from comfytui.config.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])

PROMPT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""The id of a job."""
_EXAMPLE_ID = "0b9c6a4e-3f5d-4c0e-9d6e-2f1f0c7a8b15"


class NoServerError(click.ClickException):
    """No server is given, and none answers on this machine."""

    exit_code = ExitCode.UNREACHABLE


class ServerArguments(TypedDict):
    """The values of `server_options`, as keyword arguments of a command."""

    headers: tuple[str, ...]
    ca: Path | None
    cert: Path | None
    insecure: bool
    config_path: Path | None


def server_options(command: Command) -> Command:
    """Add the options of every command that talks to a server."""
    path = click.Path(path_type=Path)
    for option in reversed(
        (
            click.option(
                "--header",
                "headers",
                metavar="'Name: value'",
                multiple=True,
                help="Send this with every request; repeatable.",
            ),
            click.option("--ca", metavar="FILE", type=path, help="Certificates to trust (PEM)."),
            click.option("--cert", metavar="FILE", type=path, help="Client certificate with its key (PEM)."),
            click.option("--insecure", is_flag=True, help="Do not check the server's certificate."),
            config_option,
        )
    ):
        command = option(command)
    return command


def config_option(command: Command) -> Command:
    """Add the option that names the config file."""
    option = click.option(
        "--config",
        "config_path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Config file with named servers (TOML).",
    )
    return option(command)


def load_config(arguments: ServerArguments) -> "tuple[Config, ServerOptions]":
    """Read the config file, and say if others can read or change it; parse the credentials of the options.

    Raises:
        BadServer: A header cannot be sent.
        BadConfig: The config file cannot be read.
    """
    from comfytui.comfy.server import ServerOptions, parse_header
    from comfytui.config.config import read_config

    config = read_config(arguments["config_path"])
    options = ServerOptions(
        headers=[parse_header(header) for header in arguments["headers"]],
        ca=arguments["ca"],
        cert=arguments["cert"],
        insecure=arguments["insecure"],
    )
    if config.warning:
        click.echo(config.warning, err=True)
    return config, options


def resolve_server(server: str | None, **arguments: Unpack[ServerArguments]) -> "Server":
    """Return the server that a command talks to.

    Without one, it is the last one used, else the default of the config file; without either, a ComfyUI on this
    machine: only that one is asked whether it answers.

    Args:
        server: A name from the config file or an address.
        arguments: The values of `server_options`.

    Raises:
        click.UsageError: There is no such server, or an option or the config file is wrong.
        NoServerError: None is given, and no ComfyUI answers on this machine.
    """
    import asyncio

    from comfytui.cli.startup_server import find_startup_server, preferred_server
    from comfytui.comfy.address import BadServer

    try:
        config, options = load_config(arguments)
        if chosen := server if server is not None else preferred_server(config):
            return config.resolve(chosen, **options)
        found = asyncio.run(find_startup_server(config, **options))
    except BadServer as error:
        raise click.UsageError(str(error)) from None
    if found is None:
        command = click.get_current_context().command_path
        raise NoServerError(
            f"No ComfyUI answers on this machine: give the server, as in {command} http://gpu-box:8188."
        )
    return found


def split_server(arguments: Sequence[str], config_path: Path | None = None) -> tuple[str | None, list[str]]:
    """Return the server, if the first argument is no job's id, and the ids or beginnings of ids, each once.

    Args:
        arguments: The arguments of the command.
        config_path: The config file; a name from there is a server, also if it looks like the beginning of an id.

    Raises:
        BadServer: The config file cannot be read.
        click.UsageError: Something after the server is no id; the message does not quote it, as it may hold a password.
    """
    from comfytui.config.config import read_config

    first = next(iter(arguments), None)
    server = first if first and (not _is_id(first) or first in read_config(config_path).servers) else None
    ids = arguments if server is None else arguments[1:]
    for number, argument in enumerate(ids, 1 if server is None else 2):
        if not _is_id(argument):
            raise click.UsageError(
                f"Argument {number} is not the id of a job, like {_EXAMPLE_ID}, or the first {SHORT_ID} characters of "
                "one; a server comes first."
            )
    return server, list(dict.fromkeys(ids))


def _is_id(argument: str) -> bool:
    """Return whether it is the id of a job, or enough of its beginning."""
    return len(argument) >= SHORT_ID and PROMPT_ID.fullmatch(argument + _EXAMPLE_ID[len(argument) :]) is not None
