"""Reading the config file: its servers, or one sentence about what is wrong with it."""

import re
import shlex
import stat
import tomllib
from pathlib import Path
from typing import Any

from comfytui.config.named import Named, refusal
from comfytui.config.secret import BadConfig
from comfytui.config.table import Table
from comfytui.plain import plain

_WHERE = re.compile(r"at (line \d+, column \d+|end of document)")


def servers_of(file: Path, content: bytes) -> dict[str, Named]:
    """Every server of a file, of which one at most is the default; raises BadConfig."""
    whole = Table(file, "", _parse(content, file))
    whole.allow({"servers"})
    tables = whole.table("servers")
    for name in tables.values:
        if sentence := refusal(name):
            raise tables.wrong(name, sentence)
    servers = {name: Named.read(name, table) for name, table in tables.tables()}
    defaults = [named for named in servers.values() if named.default]
    for one in defaults[1:]:
        raise one.table.wrong("default", f"{defaults[0].name} is already the default: remove one of them.")
    return servers


def warning(file: Path, mode: int, servers: dict[str, Named]) -> str:
    """What to do about secrets that others can read, or nothing."""
    if not mode & (stat.S_IRGRP | stat.S_IROTH) or not any(named.tells for named in servers.values()):
        return ""
    return f"Others can read the secrets in this file: chmod 600 {plain(shlex.quote(str(file)), 300)}"


def unreadable(file: Path, error: OSError) -> BadConfig:
    """Why there is nothing to read."""
    return BadConfig(f"{plain(str(file), 200)} cannot be read ({error.strerror}).")


def _parse(content: bytes, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # The rest of what the reader says may quote the file.
        where = _WHERE.search(str(error))
        place = where[1] if where else "a text file in UTF-8 is expected"
        raise BadConfig(f"{plain(str(file), 200)} is not in TOML format ({place}).") from None
