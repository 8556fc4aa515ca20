"""The server to open when none is given: the last used, else the config file's default, else one on this machine."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from comfytui.comfy.server import Server, ServerOptions
from comfytui.config.config import Config
from comfytui.private_files import read_small, replace_private
from comfytui.timings import DEFAULT

LOCAL_SERVERS = ("127.0.0.1:8188", "127.0.0.1:8000")
"""The usual addresses of ComfyUI and of its desktop version."""
MAX_SERVER_BYTES = 8_192
"""Bytes of the longest name or address that is read."""


def preferred_server(config: Config) -> str:
    """Return the name or address of the last server used, else the name of the default; empty without either."""
    return last_server(config) or config.default


async def find_startup_server(
    config: Config,
    *,
    local_servers: Sequence[str] = LOCAL_SERVERS,
    probe_timeout: float = DEFAULT.program.probe,
    **options: Unpack[ServerOptions],
) -> Server | None:
    """Return the first candidate that is a ComfyUI, or None.

    If there is a preferred server, it is the only candidate, also while it does not answer in time: a new batch must
    not go to some other server.

    Args:
        config: The config file.
        local_servers: Addresses on this machine, tried in this order if no server is preferred.
        probe_timeout: Seconds to wait for each candidate.
        options: Credentials and certificates of the command line. Only the preferred server gets them.

    Raises:
        BadServer: The credentials of a candidate cannot be read.
    """
    preferred = preferred_server(config)
    if preferred:
        server = config.resolve(preferred, **options)
        return server if await _is_comfyui(server, probe_timeout, if_silent=True) else None
    for address in local_servers:
        server = config.resolve(address)
        if await _is_comfyui(server, probe_timeout, if_silent=False):
            return server
    return None


async def _is_comfyui(server: Server, seconds: float, *, if_silent: bool) -> bool:
    """Whether a ComfyUI answers at the address; `if_silent` is the result if none comes in so many seconds."""
    from comfytui.comfy.client import ComfyClient
    from comfytui.comfy.errors import ComfyError, Unauthorized

    async with ComfyClient(server) as client:
        try:
            async with asyncio.timeout(seconds):
                await client.system_stats()
        except Unauthorized:
            return True  # The dashboard then says which credentials are missing.
        except TimeoutError:
            return if_silent
        except ComfyError:
            return False
    return True


def remember_server(shown: str) -> None:
    """Store the last server used; if the state folder cannot be written, nothing is stored.

    Args:
        shown: Its name in the config file, or its address without credentials.
    """
    with suppress(OSError):
        replace_private(_last_server_file(), f"{shown}\n".encode())


def last_server(config: Config) -> str:
    """Return the name or address of the last server, or nothing; a name missing in the config file is ignored."""
    with suppress(OSError, ValueError):
        last = read_small(_last_server_file(), MAX_SERVER_BYTES).decode().strip()
        # A stored address has a port or a scheme, and so a colon.
        if last in config.servers or (":" in last and Server.from_url(last)):
            return last
    return ""


def _last_server_file() -> Path:
    from platformdirs import user_state_path

    return user_state_path("comfytui") / "last_server"
