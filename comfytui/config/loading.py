"""Reading the config file: its servers, or one sentence about what is wrong with it."""

import re
import shlex
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from comfytui.comfy.server import Server, ServerOptions
from comfytui.config.schema import Table
from comfytui.config.secret import BadConfig
from comfytui.config.server_config import SECRETS, NamedServer, refusal
from comfytui.sanitize import sanitize

HARMLESS = frozenset({"user", "ca", "cert", "insecure", "default"})
"""Keys of a server that never hold a secret."""
ELSEWHERE = ("_env", "_command")
"""How the keys end that say where else a secret is."""
SOURCES = frozenset({"env", "command"})
"""The keys of a table that says where else a secret is."""
_WHERE = re.compile(r"at (line \d+, column \d+|end of document)")


@dataclass(frozen=True, slots=True)
class Broken:
    """A server of the config file that cannot be used; `reason` says why, with the file and the key."""

    name: str
    table: Table
    reason: str

    @property
    def default(self) -> bool:
        """Whether this was to be the one to open when none is named."""
        return self.table.values.get("default") is True

    @property
    def has_inline_secret(self) -> bool:
        """Whether a secret may stand in the file itself, under a mistyped key as well."""
        return any(_may_tell(key, value) for key, value in self.table.values.items())

    def server(self, **_: Unpack[ServerOptions]) -> Server:
        """No server; raises BadConfig."""
        raise BadConfig(self.reason)

    @property
    def told(self) -> str:
        """The reason without the file."""
        return "! " + self.reason.removeprefix(f"{sanitize(str(self.table.file), 200)}, ")


def _may_tell(key: str, value: object) -> bool:
    """Whether a secret may stand in the value of a key, either of which may be a wrong one."""
    if key in HARMLESS or key.endswith(ELSEWHERE):
        return False
    if key == "url":
        return any(sign in str(value) for sign in "@?")
    if isinstance(value, dict):
        return not all(isinstance(each, dict) and each.keys() <= SOURCES for each in value.values())
    return key in SECRETS or not isinstance(value, bool | int | float)


def servers_of(file: Path, content: bytes) -> dict[str, NamedServer | Broken]:
    """Every server of a file, of which one at most is the default; one that is wrong is `Broken`.

    Raises:
        BadConfig: The file is no TOML, or has something else than servers.
    """
    whole = Table(file, "", _parse(content, file))
    whole.allow({"servers"})
    tables = whole.table("servers")
    servers: dict[str, NamedServer | Broken] = {}
    default = ""
    for name in tables.values:
        table = Table(file, f"servers.{name}", {})
        try:
            if sentence := refusal(name):
                raise tables.wrong(name, sentence)
            table = tables.table(name)
            named = NamedServer.read(name, table)
            if named.default and default:
                raise table.wrong("default", f"{default} is already the default: remove one of them.")
        except BadConfig as error:
            servers[name] = Broken(name, table, str(error))
        else:
            servers[name] = named
            default = default or (name if named.default else "")
    return servers


def default_of(servers: Mapping[str, NamedServer | Broken]) -> str:
    """The name of the default server, one that can be used before one that cannot; or nothing."""
    defaults = [server for server in servers.values() if server.default]
    return next((each.name for each in sorted(defaults, key=lambda each: isinstance(each, Broken))), "")


def warning(file: Path, mode: int, servers: Mapping[str, NamedServer | Broken]) -> str:
    """What to do about a file that others can change, or whose secrets they can read; or nothing."""
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and servers:
        risk = "Others can change this file, and so which programs it runs and where your secrets are sent"
    elif mode & (stat.S_IRGRP | stat.S_IROTH) and any(server.has_inline_secret for server in servers.values()):
        risk = "Others can read the secrets in this file"
    else:
        return ""
    return f"{risk}: chmod 600 {sanitize(shlex.quote(str(file)), 300)}"


def unreadable(file: Path, error: OSError) -> BadConfig:
    """Why there is nothing to read."""
    return BadConfig(f"{sanitize(str(file), 200)} cannot be read ({error.strerror}).")


def _parse(content: bytes, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # The rest of what the reader says may quote the file.
        where = _WHERE.search(str(error))
        place = where[1] if where else "a text file in UTF-8 is expected"
        raise BadConfig(f"{sanitize(str(file), 200)} is not in TOML format ({place}).") from None
