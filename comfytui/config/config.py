"""The config file as the program has it: named servers and the one to open by default."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from comfytui.comfy.server import Server, ServerOptions

if TYPE_CHECKING:
    from comfytui.config.loading import Broken
    from comfytui.config.server_config import NamedServer

COMMANDS = ("demo", "sim")
"""What may be meant by a server that nobody knows."""
LIKE = 0.65
"""How much a name must be like another one to be meant, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; `default` is a name or nothing, `warning` a sentence or nothing."""

    servers: "dict[str, NamedServer | Broken]" = field(default_factory=dict)
    default: str = ""
    warning: str = ""

    def open(self, text: str, **ways: Unpack[ServerOptions]) -> Server:
        """The server of a name or an address; raises BadServer."""
        named = self.servers.get(text.strip())
        return named.server(**ways) if named else Server.from_url(text, **ways)

    def suggestion(self, text: str) -> str:
        """A question about what was meant by a name that is not in the file, or nothing."""
        from difflib import get_close_matches

        name = text.strip()
        if name in self.servers:
            return ""
        by_lower = {each.lower(): each for each in (*self.servers, *COMMANDS)}
        meant = [by_lower[each] for each in get_close_matches(name.lower(), by_lower, 1, LIKE)]
        return f"Did you mean comfytui {meant[0]}?" if meant else ""

    def listed(self) -> list[tuple[str, str]]:
        """Every name with its address, or with what is wrong with it."""
        return [(name, server.told) for name, server in self.servers.items()]


def config_file() -> Path:
    """Where the config file is looked for."""
    from platformdirs import user_config_path

    return user_config_path("comfytui") / "config.toml"


def read_config(given: Path | None = None) -> Config:
    """Read the file that was given, or the usual one if it is there; raises BadConfig."""
    file = given or config_file()
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and given is None:
            return Config()
        from comfytui.config.loading import unreadable

        raise unreadable(file, error) from None
    # Most have no file, and need not wait for what reads one.
    from comfytui.config.loading import default_of, servers_of, warning

    servers = servers_of(file, content)
    return Config(servers, default_of(servers), warning(file, mode, servers))
