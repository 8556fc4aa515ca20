"""`comfytui config`: show the effective configuration, and where each value comes from."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comfytui.cli.completion_values import complete_server
from comfytui.cli.dashboard import HELP
from comfytui.cli.server_options import config_option
from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.config.config import Config
    from comfytui.config.effective import Value

_PATH_LIMIT = 500
"""The most characters of a path that are shown."""
_MISSING = {"environment": "not set", "command": "not found"}
"""What is said of a value whose source is not there."""


@click.command(context_settings=HELP)
@click.argument("server", required=False, shell_complete=complete_server)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def config(server: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show the configuration and where each value comes from; of SERVER alone, if given. Secrets are shown as ***."""
    import msgspec

    from comfytui.comfy.address import BadServer
    from comfytui.config.config import read_config
    from comfytui.config.effective import ConfigDocument

    try:
        read = read_config(config_path)
        values = (*_files(config_path), *_servers(read, server))
    except BadServer as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        document = ConfigDocument(values=values, warning=read.warning or None)
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))
    else:
        for value in values:
            click.echo(_line(value))
    if read.warning:
        click.echo(read.warning, err=True)


def _servers(config: "Config", server: str | None) -> "Iterator[Value]":
    """Yield the server that is opened, and the values of it if it was given, else of all in the config file."""
    from comfytui.cli.startup_server import LOCAL_SERVERS, last_server
    from comfytui.config.effective import Value, server_values, shown_address

    if server is not None:
        name = server.strip()
        shown = name if name in config.servers else shown_address(name)
        yield Value(key="server", value=sanitize(shown), source="argument", origin="SERVER")
        yield from server_values(config, name)
        return
    if last := last_server(config):
        shown = last if last in config.servers else shown_address(last)
        yield Value(key="server", value=sanitize(shown), source="state", origin="the last server used")
    elif config.default:
        yield Value(key="server", value=sanitize(config.default), source="file", origin="default = true")
    else:
        local = " or ".join(LOCAL_SERVERS)
        yield Value(key="server", value=local, source="default", origin="the first that answers")
    yield from server_values(config)


def _files(config_path: Path | None) -> "Iterator[Value]":
    """Yield the files and folders that are used, and the proxies."""
    from platformdirs import user_downloads_path

    from comfytui.config.config import config_file
    from comfytui.config.effective import Value
    from comfytui.service.journal.paths import state_folder

    if config_path:
        yield Value(key="config", value=sanitize(str(config_path), _PATH_LIMIT), source="option", origin="--config")
    else:
        yield _folder("config", config_file(), "XDG_CONFIG_HOME", config_file().exists())
    yield _folder("state", state_folder(), "XDG_STATE_HOME")
    yield _folder("output", user_downloads_path(), "XDG_DOWNLOAD_DIR")
    if log := os.environ.get("COMFYTUI_LOG"):
        yield Value(key="log", value=sanitize(log, _PATH_LIMIT), source="environment", origin="COMFYTUI_LOG")
    yield from _proxies()


def _folder(key: str, path: Path, variable: str, is_set: bool | None = None) -> "Value":
    """Return the value of a path that a variable of the XDG base directories may set."""
    from comfytui.config.effective import Value

    base = os.environ.get(variable, "")
    shown = sanitize(str(path), _PATH_LIMIT)
    if base and path.is_relative_to(base):
        return Value(key=key, value=shown, source="environment", origin=variable, is_set=is_set)
    return Value(key=key, value=shown, source="default", is_set=is_set)


def _proxies() -> "Iterator[Value]":
    """Yield the proxies of the environment, without their logins."""
    from urllib.request import getproxies_environment

    from comfytui.comfy.address import BadServer
    from comfytui.config.effective import HIDDEN, Value, shown_address

    for scheme, text in sorted(getproxies_environment().items()):
        if scheme not in {"http", "https", "all", "no"}:
            continue
        try:
            shown = sanitize(text) if scheme == "no" else shown_address(text if "://" in text else f"http://{text}")
        except BadServer:
            shown = HIDDEN
        name = f"{scheme}_proxy"
        origin = name if name in os.environ else name.upper()
        yield Value(key=name, value=shown, source="environment", origin=origin)


def _line(value: "Value") -> str:
    """Return a value as one line."""
    source = _source(value)
    if value.value is None:
        return f"{value.key}: {value.error} ({source})"
    shown = str(value.value).lower() if isinstance(value.value, bool) else value.value
    return f"{value.key} = {shown}  ({source}{f'; {value.error}' if value.error else ''})"


def _source(value: "Value") -> str:
    """Return where a value comes from, for a line."""
    origin = value.origin
    match value.source:
        case "environment":
            text = f"variable {origin}" if origin else "a variable"
        case "command":
            text = f"command {origin}" if origin else "a command"
        case "state":
            text = str(origin)
        case "default":
            text = f"default, {origin}" if origin else "default"
        case kind:
            text = f"{kind} {origin}"
    if value.is_set is False:
        text += ", no such file" if value.key == "config" else f", {_MISSING[value.source]}"
    return text
