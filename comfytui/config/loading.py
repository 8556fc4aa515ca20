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
from comfytui.config.location import BadConfig, Location
from comfytui.config.schema import FileTable, Table, convert, decode
from comfytui.config.server_config import NamedServer, name_error
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
    """A server whose entry in the config file has an error."""

    location: Location
    """The key that is wrong."""
    reason: str
    """What is wrong with it."""
    has_inline_secret: bool
    """Whether the file itself may hold a secret of this server, also under a misspelt key."""

    @property
    def summary(self) -> str:
        """The key and the reason."""
        return f"! {self.location.shown_key}: {self.reason}"

    def to_server(self, **_: Unpack[ServerOptions]) -> Server:
        """Raise BadConfig with the reason."""
        raise BadConfig(self.location, self.reason)


def _may_hold_secret(key: str, value: object) -> bool:
    """Whether a value of an invalid entry may be a secret; both its key and its type may be wrong."""
    if key in PUBLIC_KEYS or key.endswith(REFERENCE_SUFFIXES):
        return False
    if key == "url":
        return any(sign in str(value) for sign in "@?")
    if isinstance(value, dict):
        return not all(isinstance(each, dict) and each.keys() <= REFERENCE_KEYS for each in value.values())
    return key in ("token", "password") or not isinstance(value, bool | int | float)


def read_servers(file: Path, content: bytes) -> tuple[dict[str, NamedServer | InvalidServer], str]:
    """Decode a config file.

    Returns:
        Every server by its name, an `InvalidServer` if its entry has an error; and the name of the default server, a
        valid one before an invalid one, or an empty string.

    Raises:
        BadConfig: The content is not TOML, or has keys other than servers.
    """
    top = Location(file)
    servers: dict[str, NamedServer | InvalidServer] = {}
    default = invalid_default = ""
    for name, value in decode(FileTable, _parse(content, top), top).servers.items():
        at = top.child("servers").child(name)
        table: dict[str, Any] = {}
        try:
            if message := name_error(name):
                raise BadConfig(at, message)
            table = convert(Table, value, at)
            servers[name] = named = NamedServer.read(name, table, at)
            if named.table.default and default:
                raise BadConfig(at.child("default"), f"{default} is already the default: remove one of them.")
            default = name if named.table.default else default
        except BadConfig as error:
            secret = any(_may_hold_secret(key, each) for key, each in table.items())
            servers[name] = InvalidServer(error.location, error.reason, secret)
            invalid_default = invalid_default or (name if table.get("default") is True else "")
    return servers, default or invalid_default


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


def _parse(content: bytes, at: Location) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # Only the position is used: the rest of the parser's message may quote the file.
        position = _POSITION.search(str(error))
        detail = position[1] if position else "a text file in UTF-8 is expected"
        raise BadConfig(at, f"is not in TOML format ({detail}).") from None
