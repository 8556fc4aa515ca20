"""The values of the config file for display: where each comes from, and what is wrong; never a secret."""

import os
import shutil
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from comfytui.comfy.address import parse_address
from comfytui.config.config import Config
from comfytui.config.loading import InvalidServer
from comfytui.config.location import Location
from comfytui.config.secret import CommandSecret, EnvironmentSecret, Secret
from comfytui.config.server_config import NamedServer
from comfytui.sanitize import sanitize

VERSION = 1
"""The version of the document: within one, fields and sources are added, never renamed or removed."""
HIDDEN = "***"
KEY_LIMIT, VALUE_LIMIT = 150, 500
"""The most characters of a key and of a value that are shown."""

Source = Literal["argument", "option", "file", "environment", "command", "state", "default"]
"""Where a value comes from; `state` is what an earlier start has stored, as the last server used."""


class Value(Struct, rename="camel", frozen=True, kw_only=True):
    """One value of the configuration, its texts safe to print."""

    key: str
    value: str | bool | None
    """`***` for a secret; null if there is none, or the entry is invalid."""
    source: Source
    origin: str | None = None
    """The name of the file, option, variable or program; null if that name itself may be a secret."""
    is_set: bool | None = None
    """Whether the variable is set, or the program or config file is there; null for other values."""
    error: str | None = None
    """What is wrong with it."""


class ConfigDocument(Struct, rename="camel", frozen=True, kw_only=True):
    """The effective configuration."""

    version: int = VERSION
    values: tuple[Value, ...]
    warning: str | None = None
    """That others can change the config file, or read secrets in it."""


def server_values(config: Config, name: str | None = None) -> Iterator[Value]:
    """Yield the values of the servers of the config file.

    Args:
        config: The config file.
        name: The only server to show; None for all.
    """
    for each, server in config.servers.items():
        if name is None or each == name:
            yield from _invalid(server) if isinstance(server, InvalidServer) else _valid(server)


def shown_address(text: str) -> str:
    """Return an address with its login and its query hidden.

    Raises:
        BadServer: It is not an address.
    """
    address = parse_address(text)
    scheme, _, rest = address.base.partition("://")
    login = f"{HIDDEN}@" if address.login is not None else ""
    return sanitize(f"{scheme}://{login}{rest}{f'?{HIDDEN}' if address.query else ''}", VALUE_LIMIT)


def _invalid(server: InvalidServer) -> Iterator[Value]:
    yield _from_file(server.location, None, error=sanitize(server.reason, VALUE_LIMIT).rstrip("."))


def _valid(server: NamedServer) -> Iterator[Value]:
    at, table = server.location, server.table
    yield _from_file(at.child("url"), shown_address(table.url))
    if table.user:
        yield _from_file(at.child("user"), sanitize(table.user, VALUE_LIMIT))
    secrets = (server.token, server.password, *server.headers.values(), *server.cookies.values())
    yield from (_secret(secret) for secret in (*secrets, *server.query.values()) if secret)
    for key, path in (("ca", server.ca), ("cert", server.cert)):
        if path:
            error = None if path.is_file() else "there is no such file"
            yield _from_file(at.child(key), sanitize(str(path), VALUE_LIMIT), error=error)
    for key, flag in (("insecure", table.insecure), ("default", table.default)):
        if flag:
            yield _from_file(at.child(key), flag)


def _secret(secret: Secret) -> Value:
    """Return a secret by its source: no command is run, and no variable is read."""
    key = sanitize(secret.location.key, KEY_LIMIT)
    match secret.source:
        case EnvironmentSecret():
            name, is_set = secret.source.shown_name, secret.source.name in os.environ
            return Value(key=key, value=HIDDEN, source="environment", origin=name, is_set=is_set)
        case CommandSecret((program, *_)):
            found = shutil.which(program) is not None
            # What is no program may be the secret itself, written here by mistake.
            origin = sanitize(program, VALUE_LIMIT) if found else None
            return Value(key=key, value=HIDDEN, source="command", origin=origin, is_set=found)
    return _from_file(secret.location, HIDDEN)


def _from_file(at: Location, value: str | bool | None, *, error: str | None = None) -> Value:
    file = sanitize(str(at.file), VALUE_LIMIT)
    return Value(key=sanitize(at.key, KEY_LIMIT), value=value, source="file", origin=file, error=error)
