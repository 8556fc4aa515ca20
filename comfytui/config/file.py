"""The config file: named servers, the one to open by default, and a warning if others may read its secrets."""

import os
import re
import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from comfytui.comfy.server import Server, Ways
from comfytui.config.named import Named, refusal
from comfytui.config.secret import BadConfig
from comfytui.config.table import Table
from comfytui.plain import plain

_WHERE = re.compile(r"at (line \d+, column \d+|end of document)")


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; `default` is a name or nothing, `warning` a sentence or nothing."""

    servers: dict[str, Named] = field(default_factory=dict)
    default: str = ""
    warning: str = ""

    def open(self, text: str, **ways: Unpack[Ways]) -> Server:
        """The server of a name or an address; raises BadServer."""
        named = self.servers.get(text.strip())
        return named.server(**ways) if named else Server.from_url(text, **ways)


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
        raise BadConfig(f"{plain(str(file), 200)} cannot be read ({error.strerror}).") from None
    whole = Table(file, "", _parse(content, file))
    whole.allow({"servers"})
    servers = _servers(whole.table("servers"))
    defaults = [named for named in servers.values() if named.default]
    for one in defaults[1:]:
        raise one.table.wrong("default", f"{defaults[0].name} is the default already: leave one of them out.")
    told = mode & (stat.S_IRGRP | stat.S_IROTH) and any(named.tells for named in servers.values())
    return Config(servers, defaults[0].name if defaults else "", _warning(file) if told else "")


def _servers(tables: Table) -> dict[str, Named]:
    for name in tables.values:
        if sentence := refusal(name):
            raise tables.wrong(name, sentence)
    return {name: Named.read(name, table) for name, table in tables.tables()}


def _parse(content: bytes, file: Path) -> dict[str, Any]:
    import tomllib  # Most have no file, and so need no reader.

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # The rest of what the reader says may quote the file.
        where = _WHERE.search(str(error))
        place = where[1] if where else "a text file in UTF-8 is expected"
        raise BadConfig(f"{plain(str(file), 200)} is not in TOML format ({place}).") from None


def _warning(file: Path) -> str:
    return f"Others can read the secrets in this file: chmod 600 {plain(shlex.quote(str(file)), 300)}"
