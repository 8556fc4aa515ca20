"""Row: what 100,000 frames leave behind in a service."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from tests.bench.boxes import RemoteBox, box
from tests.bench.table import Row
from tests.bench.terminal import memory
from tests.waiting import eventually
from tests.watcher import small_order

FRAMES = 100_000
FLAT_MB = 4.0
"""Growth within the second half that is still flat: pages that the allocator happens to keep."""
FLAT_OBJECTS = FRAMES // 200
"""The same in Python objects: far below one for each frame."""


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds: threads, open files, and tasks of the service's loop."""

    threads: int
    files: int
    tasks: int

    def more_than(self, other: "Held") -> int:
        """How many of each this has more, together."""
        pairs = ((self.threads, other.threads), (self.files, other.files), (self.tasks, other.tasks))
        return sum(max(0, mine - its) for mine, its in pairs)


def rows(_: Path) -> Iterator[Row]:
    """The growth, and what is left."""
    return iter(asyncio.run(_measure()))


async def _measure() -> tuple[Row, ...]:
    with box() as server:
        await asyncio.to_thread(server.queue)  # the bench's own thread and connection are there from now on
        at_first = _held(0)
        service = ServiceThread(Server.from_url(server.url))
        service.start()
        try:
            await eventually(lambda: service.state.link.kind is LinkKind.LIVE)
            service.submit(small_order(1))
            await eventually(lambda: service.state.live)
            await asyncio.sleep(1)  # the first looks at the server are over
            before = _held(await _tasks(service))
            half, _ = await _received(service, server, 1, FRAMES // 2)
            end, seconds = await _received(service, server, FRAMES // 2 + 1, FRAMES)
            after = _held(await _tasks(service))
        finally:
            await asyncio.to_thread(service.stop)
        at_last = _held(0)
    what, half_way = f"{FRAMES:,} frames through socket and service", "growth within the second half"
    left = after.more_than(before) + at_last.more_than(at_first)
    note = f"{1e6 * seconds / (FRAMES / 2):.0f} µs a frame"
    grown, objects = (max(0, last - first) for first, last in zip(half, end, strict=True))
    return (
        Row(f"{what}: {half_way}", "MB", grown, FLAT_MB, budget="flat", note=note),
        Row(f"{what}: {half_way}", "objects", objects, FLAT_OBJECTS, budget="flat"),
        Row(f"{what}: tasks, threads, files left behind", "", left, 0),
    )


async def _received(
    service: ServiceThread, server: RemoteBox, first: int, last: int
) -> tuple[tuple[float, int], float]:
    """Memory in MB and objects after these steps arrived, and the seconds that they took."""
    began = time.perf_counter()
    await asyncio.to_thread(server.step, first, last, FRAMES)
    await eventually(lambda: service.state.live and service.state.live.step == last)
    seconds = time.perf_counter() - began
    gc.collect()
    return (memory(), len(gc.get_objects())), seconds


async def _tasks(service: ServiceThread) -> int:
    async def count(_: ComfyClient) -> int:
        return len(asyncio.all_tasks())

    return await asyncio.wrap_future(service.ask(count))


def _held(tasks: int) -> Held:
    return Held(threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), tasks)
