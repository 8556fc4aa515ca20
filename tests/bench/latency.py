"""Rows: from a frame to the state, from the state to the screen, from a key to the screen."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from websockets.asyncio.client import connect

from comfytui.comfy.server import Server
from comfytui.service.mailbox import Mailbox
from comfytui.service.notifications import SessionChanged
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from tests.bench.programs import bare, dashboard, shown, shown_bare, submit
from tests.bench.remote_server import RemoteBox, box
from tests.bench.table import Row
from tests.bench.terminal import Terminal
from tests.waiting import eventually
from tests.watcher import small_order

FRAMES, TOP = 200, 1_000_000
PAUSE = 0.005
"""Seconds between two frames on their way to the state."""
PAINTS, PAINT_PAUSE = 24, 0.37
"""Frames that are seen on the screen, and seconds between them: no multiple of the time between paints."""
KEYS = "abcdefghijklmnopqrstuvwxyz"


def rows(home: Path) -> Iterator[Row]:
    """Frame to state, state to paint, key to paint."""
    with box() as server:
        state = asyncio.run(_to_state(server))
        socket = asyncio.run(_to_socket(server))
        yield Row("frame to state, p50", "ms", 1000 * state, 5, 1000 * socket, "bare websockets client")
        with dashboard(server.url, home) as terminal:
            shown(terminal)
            keys = median(terminal.answers(KEYS))
            submit(terminal)
            painted = _to_paint(server, terminal)
        with bare(home, "frames", server.url) as terminal:
            shown_bare(terminal)
            time.sleep(0.5)
            floor = _to_paint(server, terminal)
    late = 1000 * max(painted)
    note = f"median {1000 * median(painted):.0f} ms"
    yield Row("frame to paint, slowest", "ms", late, 255, 1000 * max(floor), "bare Textual app", "5 + 250 ms", note)
    with bare(home, "input") as terminal:
        shown_bare(terminal)
        floor_keys = median(terminal.answers(KEYS))
    yield Row("key to paint, in the prompt", "ms", 1000 * keys, 50, 1000 * floor_keys, "Input of a bare Textual app")


async def _to_state(server: RemoteBox) -> float:
    """The median time from a frame's departure to its state in a mailbox."""
    arrived: dict[int, float] = {}
    mailboxes: list[Mailbox] = []
    service = ServiceThread(Server.from_url(server.url))
    service.start()

    def take() -> None:
        now = time.monotonic()
        for notice in mailboxes[0].take() if mailboxes else ():
            if isinstance(notice, SessionChanged) and notice.state.run:
                arrived.setdefault(notice.state.run.step, now)

    mailboxes.append(service.subscribe(take))
    take()
    try:
        await eventually(lambda: service.state.link.kind is LinkKind.LIVE)
        service.submit(small_order(1))
        await eventually(lambda: service.state.run)
        await asyncio.to_thread(server.step, 1, FRAMES, TOP, PAUSE)
        await eventually(lambda: FRAMES in arrived)
    finally:
        await asyncio.to_thread(service.stop)
    return _median(server.sent, arrived)


async def _to_socket(server: RemoteBox) -> float:
    """The same to a client that does nothing but receive."""
    arrived: dict[int, float] = {}
    async with connect(f"{server.url.replace('http', 'ws')}/ws?clientId=floor", proxy=None) as socket:
        sending = asyncio.create_task(asyncio.to_thread(server.step, 1, FRAMES, TOP, PAUSE))
        while FRAMES not in arrived:
            frame = await socket.recv()
            now = time.monotonic()
            arrived[json.loads(frame)["data"].get("value", 0)] = now
        await sending
    return _median(server.sent, arrived)


def _median(sent: dict[int, float], arrived: dict[int, float]) -> float:
    return median(arrived[value] - sent[value] for value in range(1, FRAMES + 1) if value in arrived)


def _to_paint(server: RemoteBox, terminal: Terminal) -> list[float]:
    """Seconds from the departure of each of some frames to its number on the screen."""
    before = len(terminal.written)
    server.step(1, PAINTS, TOP, PAINT_PAUSE)
    seen = {value: terminal.shows(f"Step {value}/{TOP} ", before) for value in range(1, PAINTS + 1)}
    return [when - server.sent[value] for value, when in seen.items()]
