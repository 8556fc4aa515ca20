"""Rows: latency from frame to state, from frame to screen, and from key to screen."""

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
from tests.bench.remote_server import RemoteServer, scripted_server
from tests.bench.rounds import Rounds
from tests.bench.table import Row
from tests.bench.terminal import Terminal
from tests.shown_run import step_of
from tests.waiting import eventually
from tests.watcher import small_batch

TOP = 1_000_000
"""Number of steps that the frames claim."""
PAUSE = 0.005
"""Seconds between two frames whose way to the state is measured."""
PAINT_PAUSE = 0.37
"""Seconds between two frames whose way to the screen is measured: no multiple of the time between paints."""
TAGS = 200_000
"""Tags of the user's list."""
KEYS = "abcdefghijklmnopqrstuvwxyz"


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure frame to state, frame to paint, and key to paint."""
    with scripted_server() as server:
        state = asyncio.run(_to_state(server, rounds.state_frames))
        socket = asyncio.run(_to_socket(server, rounds.state_frames))
        yield Row("frame to state, p50", "ms", 1000 * state, 5, 1000 * socket, "bare websockets client")
        with dashboard(server.url, home) as terminal:
            shown(terminal)
            keys = median(terminal.response_seconds(KEYS[: rounds.keys]))
            submit(terminal)
            painted = _to_paint(server, terminal, rounds.painted_frames)
        before = server.connected_at
        with bare(home, "frames", server.url) as terminal:
            shown_bare(terminal)
            terminal.until(lambda: server.connected_at > before, "its socket")
            floor = _to_paint(server, terminal, rounds.painted_frames)
    late = 1000 * max(painted)
    note = f"median {1000 * median(painted):.0f} ms"
    yield Row("frame to paint, slowest", "ms", late, 255, 1000 * max(floor), "bare Textual app", "5 + 250 ms", note)
    with bare(home, "input") as terminal:
        shown_bare(terminal)
        floor_keys = median(terminal.response_seconds(KEYS[: rounds.keys]))
    yield Row("key to paint, in the prompt", "ms", 1000 * keys, 50, 1000 * floor_keys, "Input of a bare Textual app")
    with scripted_server() as server:
        letters, listed = _to_completions(server.url, home, rounds.keys)
    note = f"the list of completions {1000 * listed:.0f} ms"
    what, floor_is = "key to paint, with 200,000 tags", "Input of a bare Textual app"
    yield Row(what, "ms", 1000 * letters, 50, 1000 * floor_keys, floor_is, note=note)


def _to_completions(url: str, home: Path, keys: int) -> tuple[float, float]:
    """Return the median seconds from a key of a tag to its letter, and to the end of the list below it."""
    config = home / "config"
    (config / "comfytui").mkdir(parents=True, exist_ok=True)
    tags = (f"{KEYS[: 1 + number % len(KEYS)]}_{number},0,{number}" for number in range(TAGS))
    (config / "comfytui" / "tags.csv").write_text("\n".join(tags))
    with dashboard(url, home, environment={"XDG_CONFIG_HOME": str(config)}) as terminal:
        shown(terminal)
        terminal.press(f", {KEYS[:2]}")
        terminal.shows(f"{TAGS - 1:,}"[:3])
        terminal.wait_until_quiet()
        letters, lists = [], []
        for key in KEYS[2 : 2 + keys]:
            before, pressed = len(terminal.written), time.monotonic()
            terminal.press(key)
            terminal.until(lambda before=before: len(terminal.written) > before, "output")  # type: ignore[misc]
            terminal.wait_until_quiet(0.25)
            letters.append(terminal.written[before][0] - pressed)
            lists.append(terminal.written[-1][0] - pressed)
        return median(letters), median(lists)


async def _to_state(server: RemoteServer, frames: int) -> float:
    """Return the median time in seconds from sending a frame to its state in a mailbox."""
    arrived: dict[int, float] = {}
    mailboxes: list[Mailbox] = []
    service = ServiceThread(Server.from_url(server.url))
    service.start()

    def take() -> None:
        now = time.monotonic()
        for notification in mailboxes[0].take() if mailboxes else ():
            if isinstance(notification, SessionChanged) and notification.state.runs:
                arrived.setdefault(step_of(notification.state), now)

    mailboxes.append(service.subscribe(take))
    take()
    try:
        await eventually(lambda: service.state.link.kind is LinkKind.LIVE)
        service.submit(small_batch(1))
        await eventually(lambda: service.state.runs)
        await asyncio.to_thread(server.send_steps, 1, frames, TOP, PAUSE)
        await eventually(lambda: frames in arrived)
    finally:
        await asyncio.to_thread(service.stop)
    return _median(server.sent_at, arrived)


async def _to_socket(server: RemoteServer, frames: int) -> float:
    """Return the same for a client that only receives."""
    arrived: dict[int, float] = {}
    async with connect(f"{server.url.replace('http', 'ws')}/ws?clientId=floor", proxy=None) as socket:
        sending = asyncio.create_task(asyncio.to_thread(server.send_steps, 1, frames, TOP, PAUSE))
        while frames not in arrived:
            frame = await socket.recv()
            now = time.monotonic()
            arrived[json.loads(frame)["data"].get("value", 0)] = now
        await sending
    return _median(server.sent_at, arrived)


def _median(sent: dict[int, float], arrived: dict[int, float]) -> float:
    return median(when - sent[value] for value, when in arrived.items() if value in sent)


def _to_paint(server: RemoteServer, terminal: Terminal, frames: int) -> list[float]:
    """Return the seconds from sending each frame to its number on the screen."""
    before = len(terminal.written)
    server.send_steps(1, frames, TOP, PAINT_PAUSE)
    seen = {value: terminal.shows(f"Step {value}/{TOP} ", before) for value in range(1, frames + 1)}
    return [when - server.sent_at[value] for value, when in seen.items()]
