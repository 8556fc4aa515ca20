"""Which server a start without one opens: that of last time; at the first, the config file's or one on this machine."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from comfytui.comfy.server import Server, ServerOptions
from comfytui.config.config import Config
from comfytui.private_files import replace_private

FIRST_ANSWER_SECONDS = 3.0
"""Patience with each server that might be the one, while the terminal shows nothing yet."""
ON_THIS_MACHINE = ("127.0.0.1:8188", "127.0.0.1:8000")


def wanted(config: Config) -> str:
    """The server of last time, by its name if it has one, else the default; nothing if there is neither."""
    return _last_server(config) or config.default


async def first_that_answers(config: Config, **ways: Unpack[ServerOptions]) -> Server | None:
    """The first server that is a ComfyUI, or None; the wanted one is, also while it only lets us wait.

    Where there is a server of last time there is no other: jobs wait there, and a new batch is not for just any box.
    Raises BadServer if what lets us in cannot be had.
    """
    first = wanted(config)
    others = () if _last_server(config) else ON_THIS_MACHINE
    for text in dict.fromkeys(filter(None, (first, *others))):
        # What lets us in at the first is for nobody else.
        server = config.resolve(text, **ways) if text == first else config.resolve(text)
        if await _answers(server, waits=text == first):
            return server
    return None


async def _answers(server: Server, *, waits: bool) -> bool:
    """Whether a ComfyUI is there; `waits` if silence counts as one."""
    from comfytui.comfy.client import ComfyClient
    from comfytui.comfy.errors import ComfyError, Unauthorized

    async with ComfyClient(server) as client:
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                await client.system_stats()
        except Unauthorized:
            return True  # It is one, and its screen says what it wants.
        except TimeoutError:
            return waits
        except ComfyError:
            return False
    return True


def _last_server_file() -> Path:
    from platformdirs import user_state_path

    return user_state_path("comfytui") / "last_server"


def _last_server(config: Config) -> str:
    """The name or address of last time, or nothing; a name that the config file no longer has is none."""
    with suppress(OSError, ValueError):
        last = _last_server_file().read_text(encoding="utf-8").strip()
        # What is remembered of an address has its port or its scheme, so a colon.
        if last in config.servers or (":" in last and Server.from_url(last)):
            return last
    return ""


def remember_server(shown: str) -> None:
    """Keep a name, or an address without its secrets; a state folder that cannot be written costs this comfort only."""
    with suppress(OSError):
        replace_private(_last_server_file(), f"{shown}\n".encode())
