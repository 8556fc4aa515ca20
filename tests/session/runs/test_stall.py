"""How long a run may go without a frame before it stalls."""

from dataclasses import replace

from comfytui.comfy.protocol.events import ExecutionStart
from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.session.connection.link_events import Connected, Lagging
from comfytui.session.events import StatsRead
from comfytui.session.runs.stall import current_stall, memory_changed, stall_timeout
from comfytui.timings import DEFAULT
from tests.session.builders import Session, start_frames, step_frames
from tests.shown_run import stall_of

GIB = 2**30
STATS = SystemStats("0.33.0", 64 * GIB, 50 * GIB, (Device("cuda", "cuda", 24 * GIB, 20 * GIB),))


def running_session(*frames: object) -> Session:
    session = Session()
    session.plan("a", 1)
    session.do(*frames)  # type: ignore[arg-type]
    return session


def test_without_a_run_there_is_no_stall() -> None:
    assert current_stall(Session().state, None, 1e9) is None


def test_a_loading_model_gets_more_time_than_a_run_without_frames() -> None:
    bare = running_session(ExecutionStart("a1", 1))
    loading = running_session(*start_frames("a1"))
    assert stall_timeout(bare.state, bare.state.runs["a1"]) == DEFAULT.session.min_stall
    assert stall_timeout(loading.state, loading.state.runs["a1"]) == DEFAULT.session.load_stall


def test_slow_steps_get_more_time() -> None:
    session = running_session(*start_frames("a1"), *step_frames("a1", 1))
    slow = replace(session.state.runs["a1"], recent_steps=1.0, recent_seconds=30.0)
    assert stall_timeout(session.state, slow) == 150.0


def test_a_stall_reports_whether_the_memory_changes() -> None:
    session = running_session(*start_frames("a1"))
    session.do(StatsRead(STATS))
    assert stall_of(session.state, session.now + DEFAULT.session.load_stall - 10) is None
    session.now += DEFAULT.session.load_stall
    session.do(StatsRead(replace(STATS, devices=(replace(STATS.devices[0], vram_free=10 * GIB),))))
    assert str(stall_of(session.state, session.now)) == "no step for 66 s: memory still moving, loading a model?"
    assert str(stall_of(session.state, session.now + 60)) == "no step for 126 s: no sign of work"


def test_late_frames_are_no_stall() -> None:
    session = running_session(Connected("me"), *start_frames("a1"), *step_frames("a1", 1))
    session.now += 1_000
    assert stall_of(session.state, session.now) is not None
    session.do(Lagging(12.0))
    assert stall_of(session.state, session.now) is None


def test_noise_is_no_memory_change() -> None:
    noisy = replace(STATS, ram_free=STATS.ram_free - 100 * 2**20)
    assert not memory_changed(STATS, noisy)
    assert memory_changed(STATS, replace(STATS, ram_free=STATS.ram_free - GIB))
    assert memory_changed(None, STATS)
