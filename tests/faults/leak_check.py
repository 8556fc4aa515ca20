"""Leak checks: tasks, threads, sockets and other open files of this process and of a service."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from comfytui.service.thread import ServiceThread

LEAK_TIMEOUT = 10.0
"""Seconds until more resources than before count as leaked."""
CONNECTIONS_AT_REST = 2
"""Connections of an idle service with one client id to its server: the WebSocket, and one for requests."""


@dataclass(frozen=True)
class OpenResources:
    """Number of threads, open files and sockets of this process."""

    threads: int
    files: int
    sockets: int

    def exceeds(self, other: "OpenResources") -> bool:
        """Return whether any of the numbers is higher."""
        return any(mine > its for mine, its in zip(astuple(self), astuple(other), strict=True))


def open_resources() -> OpenResources:
    """Count the open resources of this process."""
    targets = _open_files()
    sockets = sum(target.startswith("socket:") for target in targets)
    return OpenResources(threading.active_count(), len(targets) - sockets, sockets)


def assert_none_leaked(before: OpenResources) -> None:
    """Fail if more resources than before stay open; to be called without a running loop, which has own threads."""
    over = time.monotonic() + LEAK_TIMEOUT
    while (now := open_resources()).exceeds(before):
        assert time.monotonic() < over, f"before {before}, now {now}"
        time.sleep(0.02)


def count_connections(url: str) -> int:
    """Return how many sockets of this process are connected to a server on this machine."""
    port = f":{urlsplit(url).port or 80:04X}"
    own = set(_open_files())
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(port) and f"socket:[{line[9]}]" in own for line in lines)


async def count_tasks(service: ServiceThread) -> int:
    """Return how many tasks run in a service."""

    async def count(_: object) -> int:
        return len(asyncio.all_tasks())

    return await asyncio.wrap_future(service.call(count))


async def leaked_tasks(service: ServiceThread, before: int, timeout_seconds: float = LEAK_TIMEOUT) -> int:
    """Return how many more tasks than before stay in a service."""
    return await _excess(lambda: count_tasks(service), before, timeout_seconds)


async def leaked_connections(url: str, before: int = CONNECTIONS_AT_REST, timeout_seconds: float = LEAK_TIMEOUT) -> int:
    """Return how many more connections than before stay open to a server."""

    async def count() -> int:
        return count_connections(url)

    return await _excess(count, before, timeout_seconds)


async def _excess(count: Callable[[], Awaitable[int]], before: int, timeout_seconds: float) -> int:
    """Return how far the count exceeds `before` even at its lowest within the timeout."""
    least = await count()
    over = time.monotonic() + timeout_seconds
    while least > before and time.monotonic() < over:
        await asyncio.sleep(0.05)
        least = min(least, await count())
    return max(0, least - before)


def _open_files() -> list[str]:
    targets = []
    for file in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(file.readlink()))
        except OSError:  # the descriptor of the listing itself
            continue
    return targets
