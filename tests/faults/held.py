"""What a process and a service hold: tasks, threads, sockets and other open files."""

import asyncio
import threading
from dataclasses import astuple, dataclass
from pathlib import Path

from comfytui.comfy.client import ComfyClient
from comfytui.service.thread import ServiceThread
from tests.waiting import eventually

CALM_WITHIN = 10.0
"""Seconds; only a leak takes so many."""


POOLED = 8
"""Threads that the loop keeps for the next call, and connections kept alive for the next question: few, at any time.

What every cycle left behind would be hundreds.
"""


@dataclass(frozen=True)
class Held:
    """What this process holds just now."""

    threads: int
    files: int
    sockets: int

    def no_more_than(self, other: "Held") -> bool:
        """Whether nothing came on top but what pools keep for a while."""
        return all(mine <= its + POOLED for mine, its in zip(astuple(self), astuple(other), strict=True))


def held() -> Held:
    """Count it."""
    targets = []
    for file in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(file.readlink()))
        except OSError:  # The one that lists them.
            continue
    sockets = sum(target.startswith("socket:") for target in targets)
    return Held(threading.active_count(), len(targets) - sockets, sockets)


async def no_more_than(before: Held) -> None:
    """Wait until no more is held than before."""
    await eventually(lambda: held().no_more_than(before), f"{before}, now {held()}", CALM_WITHIN)


async def tasks_of(service: ServiceThread) -> int:
    """How many tasks run in a service."""

    async def count(_: ComfyClient) -> int:
        return len(asyncio.all_tasks())

    return await asyncio.wrap_future(service.ask(count))


async def more_tasks(service: ServiceThread, before: int) -> int:
    """How many tasks more than before a service has for good."""
    least = await tasks_of(service)
    for _ in range(50):
        if least <= before:
            break
        await asyncio.sleep(0.05)
        least = min(least, await tasks_of(service))
    return max(0, least - before)
