"""A service without a screen, with fast timings: `python -m tests.soak.client_process URL FOLDER`.

Each line of standard input (`IMAGES SEED`) submits a batch.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType

from comfytui.comfy.http import transport
from comfytui.comfy.server import Server
from comfytui.comfy.websocket import connecting, event_stream
from comfytui.service.connection import poll_schedule, socket_task, stats_reader, watchdog
from comfytui.service.notifications import ServiceFailed
from comfytui.service.submission import outbox
from comfytui.service.submission.batch import BatchRequest
from comfytui.service.thread import ServiceThread
from comfytui.session.runs import run, stall
from comfytui.sim.config import DEFAULT_CHECKPOINTS
from tests.watcher import small_batch

ARRIVAL_SECONDS = 5.0
"""Seconds; longer than any fault holds a POST."""
FAST_TIMINGS: Mapping[ModuleType, Mapping[str, float]] = {
    outbox: {"ARRIVAL_SECONDS": ARRIVAL_SECONDS, "RETRY_PAUSE": 0.2},
    poll_schedule: {
        "SETTLE_PAUSE": 0.1,
        "LIVE_BUSY": 1.0,
        "LIVE_IDLE": 2.0,
        "POLL_BUSY": 0.2,
        "POLL_IDLE": 0.5,
        "OTHER_SERVER_PAUSE": 1.0,
    },
    stats_reader: {"STATS_BUSY": 0.5, "STATS_IDLE": 1.0},
    event_stream: {"FIRST_DELAY": 0.1, "LONGEST_DELAY": 1.0},
    connecting: {"OPEN_SECONDS": 2.0},
    transport: {"CONNECT_SECONDS": 1.0, "POST_READ_SECONDS": 2.0, "GET_READ_SECONDS": 1.0},
    watchdog: {"CHECK_SECONDS": 0.2},
    run: {"MIN_STALL_SECONDS": 2.0},
    stall: {"LOAD_STALL_SECONDS": 3.0, "MEMORY_STILL_SECONDS": 2.0},
    socket_task: {"GIVEN_UP_PAUSE": 1.0, "PROBE_SECONDS": 1.0},
}
"""The service's timings, shortened."""
STEPS = 4


def use_fast_timings() -> None:
    for module, constants in FAST_TIMINGS.items():
        for name, seconds in constants.items():
            assert isinstance(getattr(module, name), float | int)
            setattr(module, name, seconds)
    shortened = partial(event_stream.stream_events, ping_interval=1.0, ping_timeout=1.0, stable_after=0.5)
    vars(socket_task)["stream_events"] = shortened


def batch_request(images: int, seed: int) -> BatchRequest:
    graphs = [small_batch(1, model=DEFAULT_CHECKPOINTS[0], steps=STEPS, seed=seed + n).graphs[0] for n in range(images)]
    return BatchRequest(f"soak {seed}", tuple(graphs), "auto")


def main(url: str, folder: Path) -> None:
    """Submit batches until standard input is closed; print failures of the service."""
    use_fast_timings()
    service = ServiceThread(Server.from_url(url), folder=folder, pauses=(0.1,))

    def report_failures() -> None:
        for notification in mailbox.take():
            if isinstance(notification, ServiceFailed):
                print("fault", notification.reason, flush=True)

    mailbox = service.subscribe(report_failures)
    service.start()
    print("ready", flush=True)
    for line in sys.stdin:
        images, seed = line.split()
        service.submit(batch_request(int(images), int(seed)))
    service.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
