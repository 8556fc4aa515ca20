"""For how long a run may be quiet, and what its silence says."""

from dataclasses import replace

from comfytui.comfy.protocol.events import ExecutionStart
from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.session.events import Connected, Lagging, StatsRead
from comfytui.session.runs.run import MIN_STALL_SECONDS
from comfytui.session.runs.stall import LOAD_STALL_SECONDS, current_stall, memory_changed, stall_since, stall_timeout
from tests.session.builders import Session, head, step

GIB = 2**30
BOX = SystemStats("0.33.0", 64 * GIB, 50 * GIB, (Device("cuda", "cuda", 24 * GIB, 20 * GIB),))


def running(*frames: object) -> Session:
    session = Session()
    session.plan("a", 1)
    session.do(*frames)  # type: ignore[arg-type]
    return session


def test_nothing_that_runs_is_never_silent() -> None:
    assert stall_since(Session().state, 0.0, 1e9) is None


def test_a_run_that_never_brought_a_frame_is_soon_suspicious_and_a_cold_model_late() -> None:
    bare = running(ExecutionStart("a1", 1))
    loading = running(*head("a1"))
    assert bare.state.run is not None
    assert loading.state.run is not None
    assert stall_timeout(bare.state, bare.state.run) == MIN_STALL_SECONDS
    assert stall_timeout(loading.state, loading.state.run) == LOAD_STALL_SECONDS


def test_slow_steps_have_their_time() -> None:
    session = running(*head("a1"), *step("a1", 1))
    run = session.state.run
    assert run is not None
    slow = replace(run, recent_steps=1.0, recent_seconds=30.0)
    assert stall_timeout(session.state, slow) == 150.0


def test_a_silence_tells_whether_the_memory_moves() -> None:
    session = running(*head("a1"))
    session.do(StatsRead(BOX))
    assert current_stall(session.state, session.now + LOAD_STALL_SECONDS - 10) is None
    session.now += LOAD_STALL_SECONDS
    session.do(StatsRead(replace(BOX, devices=(replace(BOX.devices[0], vram_free=10 * GIB),))))
    assert str(current_stall(session.state, session.now)) == "no step for 66 s: memory still moving, loading a model?"
    assert str(current_stall(session.state, session.now + 60)) == "no step for 126 s: no sign of work"


def test_frames_that_are_late_are_no_stall() -> None:
    session = running(Connected("me"), *head("a1"), *step("a1", 1))
    session.now += 1_000
    assert current_stall(session.state, session.now) is not None
    session.do(Lagging(12.0))
    assert current_stall(session.state, session.now) is None


def test_noise_is_no_movement() -> None:
    noisy = replace(BOX, ram_free=BOX.ram_free - 100 * 2**20)
    assert not memory_changed(BOX, noisy)
    assert memory_changed(BOX, replace(BOX, ram_free=BOX.ram_free - GIB))
    assert memory_changed(None, BOX)
