"""What a process and a service hold: tasks, threads, sockets and other open files."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from comfytui.comfy.client import ComfyClient
from comfytui.service.thread import ServiceThread

CALM_WITHIN = 10.0
"""Seconds; only a leak takes so many."""
AT_REST = 2
"""Connections of a service with one id to its server when all is calm: the socket, and one for requests."""


@dataclass(frozen=True)
class Held:
    """What this process holds just now."""

    threads: int
    files: int
    sockets: int

    def more_than(self, other: "Held") -> bool:
        """Whether it is more of anything."""
        return any(mine > its for mine, its in zip(astuple(self), astuple(other), strict=True))


def held() -> Held:
    """Count it."""
    targets = _open_files()
    sockets = sum(target.startswith("socket:") for target in targets)
    return Held(threading.active_count(), len(targets) - sockets, sockets)


def check_no_more_than(before: Held) -> None:
    """Fail if more is held than before, for good; for when the loop is closed, which has threads of its own."""
    over = time.monotonic() + CALM_WITHIN
    while (now := held()).more_than(before):
        assert time.monotonic() < over, f"before {before}, now {now}"
        time.sleep(0.02)


def connections_to(url: str) -> int:
    """How many sockets of this process lead to a server on this machine."""
    port = f":{urlsplit(url).port or 80:04X}"
    own = set(_open_files())
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(port) and f"socket:[{line[9]}]" in own for line in lines)


async def tasks_of(service: ServiceThread) -> int:
    """How many tasks run in a service."""

    async def count(_: ComfyClient) -> int:
        return len(asyncio.all_tasks())

    return await asyncio.wrap_future(service.call(count))


async def more_tasks(service: ServiceThread, before: int) -> int:
    """How many tasks more than before a service has for good."""
    return await _more(lambda: tasks_of(service), before)


async def more_connections(url: str, before: int = AT_REST) -> int:
    """How many connections more than before lead to a server for good."""

    async def count() -> int:
        return connections_to(url)

    return await _more(count, before)


async def _more(count: Callable[[], Awaitable[int]], before: int) -> int:
    """How much more than before there is even at the quietest moment of some time."""
    least = await count()
    over = time.monotonic() + CALM_WITHIN
    while least > before and time.monotonic() < over:
        await asyncio.sleep(0.05)
        least = min(least, await count())
    return max(0, least - before)


def _open_files() -> list[str]:
    targets = []
    for file in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(file.readlink()))
        except OSError:  # The one that lists them.
            continue
    return targets
