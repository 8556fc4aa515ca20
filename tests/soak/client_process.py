"""A service without a screen, with fast timings: `python -m tests.soak.client_process URL FOLDER`.

Each line of standard input (`IMAGES SEED`) submits a batch.
"""

import sys
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.service.notifications import ServiceFailed
from comfytui.service.submission.batch import BatchRequest, batch_request
from comfytui.service.thread import ServiceThread
from comfytui.sim.config import DEFAULT_CHECKPOINTS
from tests.timings import timings
from tests.watcher import small_batch

ARRIVAL_SECONDS = 5.0
"""Seconds; longer than any fault holds a POST."""
SHORT = timings(
    submission={"arrival": ARRIVAL_SECONDS, "retry_pause": 0.2},
    poll={
        "confirm_pause": 0.1,
        "live_busy": 1.0,
        "live_idle": 2.0,
        "poll_busy": 0.2,
        "poll_idle": 0.5,
        "other_server_pause": 1.0,
        "stats_busy": 0.5,
        "stats_idle": 1.0,
        "watchdog_interval": 0.2,
    },
    socket={
        "first_delay": 0.1,
        "longest_delay": 1.0,
        "open": 2.0,
        "ping_interval": 1.0,
        "ping_timeout": 1.0,
        "stable_after": 0.5,
    },
    http={"connect": 1.0, "post_read": 2.0, "get_read": 1.0},
    session={"min_stall": 2.0, "load_stall": 3.0, "memory_still": 2.0},
    connection={"given_up_pause": 1.0, "busy_probe": 1.0},
)
"""The service's timings, shortened."""
STEPS = 4


def soak_batch(images: int, seed: int) -> BatchRequest:
    graphs = [small_batch(1, model=DEFAULT_CHECKPOINTS[0], steps=STEPS, seed=seed + n).graphs[0] for n in range(images)]
    return batch_request(f"soak {seed}", tuple(graphs), "auto")


def main(url: str, folder: Path) -> None:
    """Submit batches until standard input is closed; print failures of the service."""
    service = ServiceThread(Server.from_url(url), folder=folder, pauses=(0.1,), timings=SHORT)

    def report_failures() -> None:
        for notification in mailbox.take():
            if isinstance(notification, ServiceFailed):
                print("fault", notification.reason, flush=True)

    mailbox = service.subscribe(report_failures)
    service.start()
    print("ready", flush=True)
    for line in sys.stdin:
        images, seed = line.split()
        service.submit(soak_batch(int(images), int(seed)))
    service.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
