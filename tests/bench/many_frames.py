"""Row: what 100,000 frames leave behind in a service."""

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from tests.bench.remote_server import RemoteBox, box
from tests.bench.table import Row
from tests.bench.terminal import memory
from tests.faults.leak_check import AT_REST, check_no_more_than, held, more_connections, more_tasks, tasks_of
from tests.waiting import eventually
from tests.watcher import small_order

FRAMES = 100_000
FLAT_MB = 4.0
"""Growth within the second half that is still flat: pages that the allocator happens to keep."""
FLAT_OBJECTS = FRAMES // 200
"""The same in Python objects: far below one for each frame."""


def rows(_: Path) -> Iterator[Row]:
    """The growth, and what is left; threads and files that are left are a fault of their own."""
    before = held()
    measured = asyncio.run(_measure())
    check_no_more_than(before)
    return iter(measured)


async def _measure() -> tuple[Row, ...]:
    with box() as server:
        await asyncio.to_thread(server.queue)  # the bench's own connection is there from now on
        service = ServiceThread(Server.from_url(server.url))
        service.start()
        try:
            await eventually(lambda: service.state.link.kind is LinkKind.LIVE)
            service.submit(small_order(1))
            await eventually(lambda: service.state.run)
            await asyncio.sleep(1)  # the first looks at the server are over
            before = await tasks_of(service)
            half, _ = await _received(service, server, 1, FRAMES // 2)
            end, seconds = await _received(service, server, FRAMES // 2 + 1, FRAMES)
            left = await more_tasks(service, before) + await more_connections(server.url, AT_REST + 1)
        finally:
            await asyncio.to_thread(service.stop)
        left += await more_connections(server.url, 1)
    what, half_way = f"{FRAMES:,} frames through socket and service", "growth within the second half"
    note = f"{1e6 * seconds / (FRAMES / 2):.0f} µs a frame"
    grown, objects = (max(0, last - first) for first, last in zip(half, end, strict=True))
    return (
        Row(f"{what}: {half_way}", "MB", grown, FLAT_MB, budget="flat", note=note),
        Row(f"{what}: {half_way}", "objects", objects, FLAT_OBJECTS, budget="flat"),
        Row(f"{what}: tasks and connections left behind", "", left, 0),
    )


async def _received(
    service: ServiceThread, server: RemoteBox, first: int, last: int
) -> tuple[tuple[float, int], float]:
    """Memory in MB and objects after these steps arrived, and the seconds that they took."""
    began = time.perf_counter()
    await asyncio.to_thread(server.step, first, last, FRAMES)
    await eventually(lambda: service.state.run and service.state.run.step == last)
    seconds = time.perf_counter() - began
    gc.collect()
    return (memory(), len(gc.get_objects())), seconds
