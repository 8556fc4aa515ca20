"""Time at a tenth to a twentieth: what the application waits for, in proportion to each other as in life."""

from collections.abc import Mapping
from types import ModuleType

import pytest

from comfytui.comfy.http import transport
from comfytui.comfy.websocket import connecting, event_stream, lag
from comfytui.service.connection import manager, poll_schedule, socket_task, stats_reader, watchdog
from comfytui.service.submission import outbox
from comfytui.session import connection
from comfytui.session.runs import run, stall

SCALED: Mapping[ModuleType, Mapping[str, float]] = {
    event_stream: {"FIRST_DELAY": 0.05, "LONGEST_DELAY": 0.5},
    connecting: {"OPEN_SECONDS": 1.0},
    transport: {"CONNECT_SECONDS": 0.5, "POST_READ_SECONDS": 1.2, "GET_READ_SECONDS": 0.8, "KEEPALIVE_SECONDS": 0.5},
    lag: {"PING_EVERY": 0.2, "REPORT_EVERY": 0.1, "IDLE_AFTER": 1.0},
    manager: {"READY_SECONDS": 0.1},
    outbox: {"ARRIVAL_SECONDS": 3.0, "RETRY_PAUSE": 0.1},
    poll_schedule: {
        "SETTLE_PAUSE": 0.05,
        "REST_FACTOR": 2,
        "MAX_REST": 0.5,
        "LIVE_BUSY": 1.0,
        "LIVE_IDLE": 4.0,
        "POLL_BUSY": 0.1,
        "POLL_IDLE": 0.4,
        "OTHER_SERVER_PAUSE": 0.5,
    },
    stats_reader: {"STATS_BUSY": 0.2, "STATS_IDLE": 1.0},
    watchdog: {"CHECK_SECONDS": 0.1},
    socket_task: {"PROBE_SECONDS": 0.7, "GIVEN_UP_PAUSE": 1.0},
    connection: {"LATE_SECONDS": 0.2},
    run: {"MIN_STALL_SECONDS": 0.8},
    stall: {"LOAD_STALL_SECONDS": 4.0, "MEMORY_STILL_SECONDS": 1.5},
}
PING_INTERVAL, PING_TIMEOUT, STABLE_SECONDS = 0.6, 0.5, 0.3


def scale(patch: pytest.MonkeyPatch) -> None:
    """Scale the seconds of every part that waits."""
    for module, constants in SCALED.items():
        for name, seconds in constants.items():
            patch.setattr(module, name, seconds)
    kept = {"ping_interval": PING_INTERVAL, "ping_timeout": PING_TIMEOUT, "stable_after": STABLE_SECONDS}
    defaults = event_stream.stream_events.__kwdefaults__ or {}
    patch.setattr(event_stream.stream_events, "__kwdefaults__", {**defaults, **kept})
