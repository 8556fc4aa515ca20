"""Rows: what many frames leave behind in a service."""

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from tests.bench.remote_server import RemoteServer, scripted_server
from tests.bench.rounds import Rounds
from tests.bench.table import Row
from tests.bench.terminal import memory
from tests.faults.leak_check import (
    CONNECTIONS_AT_REST,
    assert_none_leaked,
    count_tasks,
    leaked_connections,
    leaked_tasks,
    open_resources,
)
from tests.shown_run import step_of
from tests.waiting import eventually
from tests.watcher import small_batch

FLAT_MB = 6.0
"""Growth within the second half that counts as flat: pages that the allocator happens to keep.

A leak of 128 bytes a frame would exceed it; in a process that ran other tests before, 4.04 MB were seen.
"""
FRAMES_PER_OBJECT = 200
"""The same in Python objects: at most one per this many frames."""


def rows(_: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure the growth, and count what is left; leaked threads and files are an AssertionError."""
    before = open_resources()
    measured = asyncio.run(_measure(rounds))
    assert_none_leaked(before)
    return iter(measured)


async def _measure(rounds: Rounds) -> tuple[Row, ...]:
    frames = rounds.memory_frames
    with scripted_server() as server:
        await asyncio.to_thread(server.queue)  # opens the bench's own connection
        service = ServiceThread(Server.from_url(server.url))
        service.start()
        try:
            await eventually(lambda: service.state.link.kind is LinkKind.LIVE)
            service.submit(small_batch(1))
            await eventually(lambda: service.state.runs)
            await asyncio.sleep(rounds.rest_seconds)
            before = await count_tasks(service)
            half, _ = await _receive(service, server, 1, frames // 2, frames)
            end, seconds = await _receive(service, server, frames // 2 + 1, frames, frames)
            left = await leaked_tasks(service, before, rounds.leak_seconds)
            left += await leaked_connections(server.url, CONNECTIONS_AT_REST + 1, rounds.leak_seconds)
        finally:
            await asyncio.to_thread(service.stop)
        left += await leaked_connections(server.url, 1, rounds.leak_seconds)
    what, half_way = f"{frames:,} frames through socket and service", "growth within the second half"
    note = f"{1e6 * seconds / (frames / 2):.0f} µs a frame"
    grown, objects = (max(0, last - first) for first, last in zip(half, end, strict=True))
    return (
        Row(f"{what}: {half_way}", "MB", grown, FLAT_MB, budget="flat", note=note),
        Row(f"{what}: {half_way}", "objects", objects, frames // FRAMES_PER_OBJECT, budget="flat"),
        Row(f"{what}: tasks and connections left behind", "", left, 0),
    )


async def _receive(
    service: ServiceThread, server: RemoteServer, first: int, last: int, top: int
) -> tuple[tuple[float, int], float]:
    """Send steps; return memory in MB and number of objects after their arrival, and the seconds they took."""
    began = time.perf_counter()
    await asyncio.to_thread(server.send_steps, first, last, top)
    await eventually(lambda: step_of(service.state) == last)
    seconds = time.perf_counter() - began
    gc.collect()
    return (memory(), len(gc.get_objects())), seconds
