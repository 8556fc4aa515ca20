"""A run that brings no frames is polled, and its sockets are renewed only if the server has lost track of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from comfytui.comfy.protocol.events import Event, Executing, ExecutionStart, PreviewImage, Progress, Status
from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import CloseSocket, Effect, Poll
from comfytui.session.connection.inputs import (
    ErrorKind,
    FrameReceived,
    PollFailed,
    PollSucceeded,
    RequestError,
    ServerSeen,
    ServerVerified,
    SocketClosed,
    SocketOpened,
    Started,
    TimerDue,
)
from comfytui.session.connection.machine import step
from comfytui.session.connection.watchdog import MAX_RENEWALS
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT
from tests.session.builders import LOADER, Session, start_frames, step_frames


class Watched:
    """A live connection while a prompt runs that has brought its first step."""

    def __init__(self) -> None:
        session = Session(tick=0.01)
        self.prompt_id, *_ = session.plan("a", 2)
        self.session = session.do(*start_frames(self.prompt_id), *step_frames(self.prompt_id, 1))
        self.now = session.now
        self.connection, _ = step(Connection(), Started(["me"]), self.now)
        self.polls = 0
        self.open()
        self.answer: Callable[[Poll, float], None] = self._answer

    def open(self) -> None:
        """The socket opens, and the server is verified after that."""
        self.connection, _ = step(self.connection, SocketOpened("me"), self.now)
        self.connection, _ = step(self.connection, ServerSeen("known", "a server"), self.now)
        gate = self.connection.gate
        self.connection, _ = step(self.connection, ServerVerified(gate.sockets_opened, gate.breaks), self.now)

    def wait(self, seconds: float, poll_seconds: float = 0.0) -> list[Effect]:
        """Let time pass while each poll succeeds at once; return what was to be done."""
        done: list[Effect] = []
        end = self.now + seconds
        while (wake_at := self.connection.wake_at) is not None and wake_at <= end:
            self.now = max(self.now, wake_at)
            self.connection, effects = step(self.connection, TimerDue(self.session), self.now)
            done += effects
            for effect in effects:
                if isinstance(effect, Poll):
                    self.polls += effect.stats
                    self.answer(effect, poll_seconds)
        self.now = end
        return done

    def _answer(self, _: Poll, seconds: float) -> None:
        self.connection, _effects = step(self.connection, PollSucceeded(seconds, self.session), self.now)

    def receive(self, frame: Event) -> None:
        self.connection, _ = step(self.connection, FrameReceived("me", frame), self.now)


def closes(effects: Sequence[Effect]) -> int:
    return effects.count(CloseSocket("me"))


def test_a_silent_run_is_polled_and_its_socket_renewed() -> None:
    it = Watched()
    assert closes(it.wait(DEFAULT.session.min_stall - 0.1)) == 0
    assert it.polls == 0
    assert closes(it.wait(5.0)) == 1
    assert it.polls == 1
    assert it.connection.link.kind is LinkKind.ORPHANED


@pytest.mark.parametrize("frame", [Progress(2, 4, "a1"), PreviewImage("png", b"")])
def test_frames_of_runs_prove_that_the_socket_brings_them(frame: Event) -> None:
    it = Watched()
    for _ in range(20):
        assert closes(it.wait(DEFAULT.session.min_stall - 1.5)) == 0
        it.receive(frame)
    assert it.polls == 0


def test_a_frame_soon_after_another_leaves_the_connection_as_it_is_and_the_last_one_still_counts() -> None:
    it = Watched()
    it.receive(Progress(2, 4, "a1"))
    connection = it.connection
    for _ in range(1_000):
        it.now += 0.01
        it.receive(Progress(3, 4, "a1"))
    assert it.connection is not connection
    connection = it.connection
    it.receive(Progress(3, 4, "a1"))
    assert it.connection is connection
    assert it.wait(DEFAULT.session.min_stall - 1.0).count(Poll(light=False, history=False, stats=True)) == 0
    assert closes(it.wait(6.0)) == 1


def test_other_frames_prove_nothing() -> None:
    it = Watched()
    closed = 0
    for _ in range(20):
        it.receive(Status(2))
        closed += closes(it.wait(1.0))
    assert closed == 1


def test_a_server_whose_memory_changes_loads_a_model() -> None:
    it = Watched()
    it.session = replace(it.session, memory_changed_at=it.now + DEFAULT.session.min_stall)
    assert closes(it.wait(DEFAULT.session.min_stall + 5)) == 0
    assert it.polls > 0
    assert it.connection.link.kind is LinkKind.LIVE
    assert closes(it.wait(DEFAULT.session.memory_still)) == 1


def test_a_frame_that_arrives_with_the_answer_shows_that_the_server_was_held_up() -> None:
    it = Watched()

    def answer(_: Poll, seconds: float) -> None:
        it.connection, _effects = step(it.connection, PollSucceeded(seconds, it.session), it.now)
        it.receive(Progress(2, 4, "a1"))

    it.answer = answer
    assert closes(it.wait(DEFAULT.session.min_stall + 5)) == 0


def test_a_run_that_ended_without_a_frame_is_enough() -> None:
    it = Watched()

    def answer(poll: Poll, seconds: float) -> None:
        it.session = SessionState() if poll.stats else it.session
        it.connection, _effects = step(it.connection, PollSucceeded(seconds, it.session), it.now)

    it.answer = answer
    assert closes(it.wait(DEFAULT.session.min_stall + 5)) == 1


def test_a_poll_that_fails_confirms_nothing() -> None:
    it = Watched()

    def answer(_: Poll, seconds: float) -> None:
        failed = PollFailed(RequestError(ErrorKind.TIMED_OUT, "no answer"), seconds)
        it.connection, _effects = step(it.connection, failed, it.now)

    it.answer = answer
    assert closes(it.wait(60.0)) == 0
    assert it.polls > 1


def test_the_sockets_are_renewed_a_few_times_for_one_run() -> None:
    it = Watched()
    closed = 0
    for _ in range(10):
        closed += closes(it.wait(DEFAULT.session.min_stall + 5))
        if it.connection.link.kind is LinkKind.ORPHANED:
            it.connection, _ = step(it.connection, SocketClosed("me"), it.now)
            it.open()
    assert closed == MAX_RENEWALS


def test_while_the_sockets_are_renewed_the_server_may_be_replaced_unseen() -> None:
    it = Watched()
    assert it.connection.is_guarded
    assert closes(it.wait(DEFAULT.session.min_stall + 5)) == 1
    it.connection, _ = step(it.connection, SocketClosed("me"), it.now)
    assert it.connection.gate.is_ready
    assert not it.connection.is_guarded
    it.connection, _ = step(it.connection, SocketOpened("me"), it.now)
    assert it.connection.is_guarded


def test_a_run_that_has_left_the_queue_is_expected_to_bring_nothing() -> None:
    it = Watched()
    session = Session(tick=0.01)
    first, second = session.plan("a", 2)
    session.do(*start_frames(first), *step_frames(first, 1), Executing(None, None, first))
    it.session = session.do(ExecutionStart(second, 10_000), Executing(LOADER, LOADER, second))
    # The end of the first one cannot be read, and the model of the second one loads.
    assert closes(it.wait(DEFAULT.session.load_stall - 5)) == 0
    assert it.connection.link.kind is LinkKind.LIVE
    assert closes(it.wait(10)) == 1
