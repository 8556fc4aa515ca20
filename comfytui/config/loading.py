"""Parse the config file into named servers, and check its permissions."""

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
from comfytui.config.server_config import SECRET_KEYS, NamedServer, name_error
from comfytui.sanitize import sanitize

PUBLIC_KEYS = frozenset({"user", "ca", "cert", "insecure", "default"})
"""Keys of a server that never hold a secret."""
REFERENCE_SUFFIXES = ("_env", "_command")
"""Endings of keys whose value says where a secret is, not the secret itself."""
REFERENCE_KEYS = frozenset({"env", "command"})
"""The keys of an inline table that says where a secret is."""
_POSITION = re.compile(r"at (line \d+, column \d+|end of document)")
"""The position in a message of `tomllib`."""


@dataclass(frozen=True, slots=True)
class InvalidServer:
    """A server whose entry in the config file has an error; `reason` is the error, with file and key."""

    name: str
    table: Table
    reason: str

    @property
    def default(self) -> bool:
        """Whether the entry asks to be the default."""
        return self.table.values.get("default") is True

    @property
    def has_inline_secret(self) -> bool:
        """Whether the file itself may hold a secret of this server, also under a misspelt key."""
        return any(_may_hold_secret(key, value) for key, value in self.table.values.items())

    @property
    def summary(self) -> str:
        """The reason without the file."""
        return "! " + self.reason.removeprefix(f"{sanitize(str(self.table.file), 200)}, ")

    def to_server(self, **_: Unpack[ServerOptions]) -> Server:
        """Raise BadConfig with the reason."""
        raise BadConfig(self.reason)


def _may_hold_secret(key: str, value: object) -> bool:
    """Whether a value of an invalid entry may be a secret; both its key and its type may be wrong."""
    if key in PUBLIC_KEYS or key.endswith(REFERENCE_SUFFIXES):
        return False
    if key == "url":
        return any(sign in str(value) for sign in "@?")
    if isinstance(value, dict):
        return not all(isinstance(each, dict) and each.keys() <= REFERENCE_KEYS for each in value.values())
    return key in SECRET_KEYS or not isinstance(value, bool | int | float)


def read_servers(file: Path, content: bytes) -> dict[str, NamedServer | InvalidServer]:
    """Return every server of a config file by name; an entry with an error becomes an `InvalidServer`.

    At most one of the valid servers is the default.

    Raises:
        BadConfig: The content is not TOML, or has keys other than servers.
    """
    document = Table(file, "", _parse(content, file))
    document.reject_unknown_keys({"servers"})
    entries = document.table("servers")
    servers: dict[str, NamedServer | InvalidServer] = {}
    default = ""
    for name in entries.values:
        table = Table(file, f"servers.{name}", {})
        try:
            if message := name_error(name):
                raise entries.error(name, message)
            table = entries.table(name)
            named = NamedServer.read(name, table)
            if named.default and default:
                raise table.error("default", f"{default} is already the default: remove one of them.")
        except BadConfig as error:
            servers[name] = InvalidServer(name, table, str(error))
        else:
            servers[name] = named
            default = default or (name if named.default else "")
    return servers


def default_name(servers: Mapping[str, NamedServer | InvalidServer]) -> str:
    """Return the name of the default server, a valid one before an invalid one; empty without a default."""
    defaults = [server for server in servers.values() if server.default]
    return next((each.name for each in sorted(defaults, key=lambda each: isinstance(each, InvalidServer))), "")


def permission_warning(file: Path, mode: int, servers: Mapping[str, NamedServer | InvalidServer]) -> str:
    """Return a warning if other users can change the file, or read secrets in it; empty if not.

    Args:
        file: The config file.
        mode: Its `st_mode`.
        servers: Its servers.
    """
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and servers:
        risk = "Others can change this file, and so which programs it runs and where your secrets are sent"
    elif mode & (stat.S_IRGRP | stat.S_IROTH) and any(server.has_inline_secret for server in servers.values()):
        risk = "Others can read the secrets in this file"
    else:
        return ""
    return f"{risk}: chmod 600 {sanitize(shlex.quote(str(file)), 300)}"


def unreadable(file: Path, error: OSError) -> BadConfig:
    """Return the error to raise for a config file that cannot be read."""
    return BadConfig(f"{sanitize(str(file), 200)} cannot be read ({error.strerror}).")


def _parse(content: bytes, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # Only the position is used: the rest of the parser's message may quote the file.
        position = _POSITION.search(str(error))
        detail = position[1] if position else "a text file in UTF-8 is expected"
        raise BadConfig(f"{sanitize(str(file), 200)} is not in TOML format ({detail}).") from None
