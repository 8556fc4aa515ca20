"""The config file: its named servers, and the one to open by default."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from comfytui.comfy.server import Server, ServerOptions
from comfytui.command_names import COMMANDS

if TYPE_CHECKING:
    from comfytui.config.loading import InvalidServer
    from comfytui.config.server_config import NamedServer

SUGGESTION_CUTOFF = 0.65
"""How similar a name must be to be suggested, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Config:
    """The content of the config file; `default` is a server's name or empty, `warning` one sentence or empty."""

    servers: "dict[str, NamedServer | InvalidServer]" = field(default_factory=dict)
    default: str = ""
    warning: str = ""

    def resolve(self, text: str, **options: Unpack[ServerOptions]) -> Server:
        """Return the server with this name, else the one at this address.

        Args:
            text: A name from the file, or an address.
            options: Credentials and certificates; they take precedence over those of the file.

        Raises:
            BadServer: The address or an option is invalid.
            BadConfig: The server's entry in the file is invalid, or one of its secrets cannot be read.
        """
        named = self.servers.get(text.strip())
        return named.to_server(**options) if named else Server.from_url(text, **options)

    def suggestion(self, text: str) -> str:
        """Return "Did you mean ...?" for a server that is not in the file; empty if no name is similar."""
        from difflib import get_close_matches

        name = text.strip()
        if name in self.servers:
            return ""
        by_lower = {each.lower(): each for each in (*self.servers, *COMMANDS)}
        similar = [by_lower[each] for each in get_close_matches(name.lower(), by_lower, 1, SUGGESTION_CUTOFF)]
        return f"Did you mean comfytui {similar[0]}?" if similar else ""

    def summaries(self) -> list[tuple[str, str]]:
        """Return every server's name with its address, or with what is wrong in its entry."""
        return [(name, server.summary) for name, server in self.servers.items()]


def config_file() -> Path:
    """Return the path of the user's config file, whether it exists or not."""
    from platformdirs import user_config_path

    return user_config_path("comfytui") / "config.toml"


def read_config(path: Path | None = None) -> Config:
    """Read a config file.

    Args:
        path: The file; by default the user's, which may be missing.

    Raises:
        BadConfig: The file cannot be read, is not TOML, or has keys other than servers. An invalid server does not
            raise before it is opened.
    """
    file = path or config_file()
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read()
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and path is None:
            return Config()
        from comfytui.config.location import BadConfig, Location

        raise BadConfig(Location(file), f"cannot be read ({error.strerror}).") from None
    # Imported late: most users have no config file, and start faster without its parser.
    from comfytui.config.loading import permission_warning, read_servers

    servers, default = read_servers(file, content)
    return Config(servers, default, permission_warning(file, mode, servers))
