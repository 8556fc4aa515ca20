"""How much the bench measures: in full, or just enough to run every part once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rounds:
    """Repetitions and durations of the measurements; times are in seconds."""

    starts: int = 5
    """Measured starts; one more comes before them, which compiles the bytecode."""
    rest_seconds: float = 2.0
    """Until the requests that follow a start are over."""
    idle_seconds: float = 10.0
    run_seconds: float = 10.0
    rich_seconds: float = 5.0
    burst_frames: int = 1_000
    burst_rest: float = 1.5
    """Until the last frame of a burst is painted."""
    state_frames: int = 200
    """Frames whose way to the state is measured."""
    painted_frames: int = 24
    """Frames whose way to the screen is measured."""
    keys: int = 26
    """Keys typed into a text field."""
    pending: int = 10_000
    """Length of the long queue."""
    openings: int = 3
    """Starts on the long queue."""
    list_keys: int = 12
    """Keys pressed in the list of the long queue; a multiple of three."""
    names: int = 1_000_000
    """Names in the long choice."""
    leak_seconds: float = 10.0
    """Until tasks and connections that are still there count as leaked."""
    memory_frames: int = 100_000
    """Frames after which memory is compared."""
    clients: int = 500
    """Clients that follow a relay."""
    relay_seconds: float = 10.0


FULL = Rounds()
SMOKE = Rounds(
    starts=1,
    rest_seconds=0.0,
    idle_seconds=0.2,
    run_seconds=0.2,
    rich_seconds=0.2,
    burst_frames=50,
    burst_rest=0.3,
    state_frames=5,
    painted_frames=1,
    keys=2,
    pending=50,
    openings=1,
    list_keys=3,
    names=500,
    leak_seconds=0.2,
    memory_frames=200,
    clients=4,
    relay_seconds=0.4,
)
"""Runs every part once, without figures that mean anything."""
