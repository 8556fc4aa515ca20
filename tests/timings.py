"""Timings for tests: the program's with some changed, or all of them at a tenth to a twentieth."""

from collections.abc import Mapping
from dataclasses import replace

from comfytui.timings import DEFAULT, Timings


def timings(base: Timings = DEFAULT, **groups: Mapping[str, float]) -> Timings:
    """Return timings with some figures changed, e.g. `timings(poll={"poll_idle": 0.1})`."""
    changed = {name: replace(getattr(base, name), **figures) for name, figures in groups.items()}
    return replace(base, **changed)


FAST = timings(
    http={"connect": 0.5, "post_read": 1.2, "get_read": 0.8, "keepalive": 0.5},
    socket={
        "open": 1.0,
        "first_delay": 0.05,
        "longest_delay": 0.5,
        "stable_after": 0.3,
        "ping_interval": 0.6,
        "ping_timeout": 0.5,
        "lag_ping_pause": 0.2,
        "lag_report_interval": 0.1,
        "lag_idle_after": 1.0,
    },
    poll={
        "confirm_pause": 0.05,
        "rest_factor": 2,
        "max_rest": 0.5,
        "live_busy": 1.0,
        "live_idle": 4.0,
        "poll_busy": 0.1,
        "poll_idle": 0.4,
        "other_server_pause": 0.5,
        "stats_busy": 0.2,
        "stats_idle": 1.0,
        "watchdog_interval": 0.1,
    },
    connection={"ready": 0.1, "busy_probe": 0.7, "given_up_pause": 1.0},
    submission={"arrival": 3.0, "retry_pause": 0.1, "second_look": 0.05, "last_answer": 0.1},
    session={"late_after": 0.2, "min_stall": 0.8, "load_stall": 4.0, "memory_still": 1.5},
)
"""All intervals shortened alike, so that they keep their proportions."""
