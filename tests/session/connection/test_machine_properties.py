"""Whatever happens to a connection, in whatever order, it goes on, with one socket for each client id and proofs.

The test plays the part of whoever carries the effects out, with knowledge of its own of what exists.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from comfytui.comfy.protocol.events import Event, Executing, PreviewImage, Progress, Status
from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import CloseSocket, Effect, EndSocket, OpenSocket, Poll
from comfytui.session.connection.inputs import (
    ClientIdAdded,
    ClientIdRemoved,
    Crashed,
    ErrorKind,
    FrameReceived,
    Input,
    LagMeasured,
    LoggedIn,
    PingsAnswered,
    PingsUnanswered,
    PollFailed,
    PollRequested,
    PollSucceeded,
    ReconnectRequested,
    RequestError,
    RequestUnauthorised,
    ServerExpected,
    ServerSeen,
    ServerVerified,
    SocketClosed,
    SocketOpened,
    Started,
    StatsFailed,
    StatsReceived,
    TimerDue,
    VerificationFailed,
)
from comfytui.session.connection.link_events import LinkChanged
from comfytui.session.connection.machine import step
from comfytui.session.connection.polls import WAITS_FOR_USER
from comfytui.session.connection.socket_inputs import is_run_frame
from comfytui.session.connection.sockets import SocketStatus
from comfytui.session.connection.watchdog import MAX_RENEWALS
from comfytui.session.model import LinkKind, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState
from tests.session.builders import Session, start_frames

IDS = ("first", "second", "third")
FRAMES: tuple[Event, ...] = (Status(1), Progress(1, 4, "p"), PreviewImage("png", b""), Executing(None, None, "p"))
SERVERS = ("known", "other", "third")


def running_session() -> SessionState:
    """A session whose first prompt has run without a step for ages."""
    session = Session()
    (prompt_id,) = session.plan("a", 1)
    return session.do(*start_frames(prompt_id))


SESSIONS = (SessionState(), replace(SessionState(), queue_remaining=3), running_session())


@dataclass(eq=False)
class OpenedSocket:
    """A socket that the test's carrier has."""

    is_open: bool = False
    is_proven: bool = False


@dataclass(frozen=True)
class Request:
    """A request under way that is to identify the server, with the numbers that its sender noted."""

    server: str
    sockets_opened: int
    breaks: int
    open_sockets: frozenset[OpenedSocket]
    breaks_seen: int


@dataclass
class Carrier:
    """What exists outside of the connection."""

    sockets: dict[str, OpenedSocket] = field(default_factory=dict)
    closing: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    """Client ids whose sockets are closed for good."""
    is_polling: bool = False


class ConnectionMachine(RuleBasedStateMachine):
    """Random sequences of all inputs that a carrier can bring."""

    steps_by_kind: ClassVar[Counter[LinkKind]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.connection = Connection()
        self.now = 1_000.0
        self.carrier = Carrier()
        self.requests: list[Request] = []
        self.session_link = SessionState()
        self.breaks = 0
        self.renewals = 0

    def give(self, given: Input) -> tuple[Effect, ...]:
        self.connection, effects = step(self.connection, given, self.now)
        for effect in effects:
            self.carry_out(effect)
        self.steps_by_kind[self.connection.link.kind] += 1
        return effects

    def carry_out(self, effect: Effect) -> None:
        match effect:
            case OpenSocket(client_id=client_id):
                assert client_id not in self.carrier.sockets, "a second socket"
                assert client_id not in self.carrier.removed, "a socket that is not needed"
                self.carrier.sockets[client_id] = OpenedSocket()
            case CloseSocket(client_id=client_id):
                assert client_id in self.carrier.sockets, "nothing to close"
                assert client_id not in self.carrier.closing
                self.carrier.closing.add(client_id)
            case EndSocket(client_id=client_id):
                assert client_id not in self.carrier.sockets, "it is open"
                self.carrier.removed.remove(client_id)
            case Poll():
                assert not self.carrier.is_polling, "a second poll"
                self.carrier.is_polling = True
            case LinkChanged():
                self.session_link = reduce(self.session_link, effect, Stamp(self.now, self.now))
            case _:
                pass

    def ids(self, *, is_open: bool) -> Sequence[str]:
        return [key for key, socket in self.carrier.sockets.items() if socket.is_open is is_open]

    @initialize(count=st.integers(1, 2), expected=st.sampled_from(["", SERVERS[0]]))
    def start(self, count: int, expected: str) -> None:
        self.give(ServerExpected(expected))
        self.give(Started(IDS[:count]))

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.connection.wake_at is not None)
    @rule(session=st.sampled_from(SESSIONS))
    def timer_is_due(self, session: SessionState) -> None:
        wake_at = self.connection.wake_at
        assert wake_at is not None
        self.now = max(self.now, wake_at)
        before = self.connection
        effects = self.give(TimerDue(session))
        assert self.connection != before, "it would be due for ever"
        if before.link.kind is not LinkKind.ORPHANED and self.connection.link.kind is LinkKind.ORPHANED:
            self.renewals += 1
            assert self.renewals <= MAX_RENEWALS
        if before.link.kind is LinkKind.UNAUTHORISED:
            opened = [effect.client_id for effect in effects if isinstance(effect, OpenSocket)]
            assert not any(before.sockets[client_id].given_up for client_id in opened)

    @rule(session=st.sampled_from(SESSIONS))
    def timer_is_early(self, session: SessionState) -> None:
        if self.connection.wake_at is None or self.now < self.connection.wake_at:
            before = self.connection
            assert self.give(TimerDue(session)) == ()
            assert self.connection == before

    @precondition(lambda self: self.ids(is_open=False))
    @rule(data=st.data())
    def socket_opens(self, data: st.DataObject) -> None:
        client_id = data.draw(st.sampled_from(self.ids(is_open=False)))
        self.carrier.sockets[client_id].is_open = True
        self.give(SocketOpened(client_id))
        if client_id in self.carrier.closing:
            return
        if self.connection.link.kind is not LinkKind.OTHER_SERVER:
            assert self.connection.link.socket_open
        assert not self.connection.counts(client_id), "frames count before the server is verified"
        assert not self.connection.gate.is_ready

    @precondition(lambda self: self.carrier.sockets)
    @rule(data=st.data(), kind=st.sampled_from(ErrorKind), jitter=st.floats(0.0, 1.0), had_frames=st.booleans())
    def socket_closes(self, data: st.DataObject, kind: ErrorKind, jitter: float, had_frames: bool) -> None:
        client_id = data.draw(st.sampled_from(list(self.carrier.sockets)))
        was_open = self.carrier.sockets.pop(client_id).is_open
        was_closing, was_removed = client_id in self.carrier.closing, client_id in self.carrier.removed
        self.carrier.closing.discard(client_id)
        error = None if was_open else RequestError(kind, kind.value)
        if not was_closing:
            self.breaks += 1
        closed = SocketClosed(client_id, "why", error, had_frames=was_open and had_frames, jitter=jitter)
        self.give(closed)
        if was_removed:
            self.check_removed(client_id)
            return
        if was_closing:
            assert client_id in self.carrier.sockets, "a renewal ends in an attempt"
            return
        retry_at = self.connection.sockets[client_id].retry_at
        assert retry_at is not None
        delay = retry_at - self.now
        if error is not None and error.kind.is_permanent:
            assert delay > self.connection.timings.socket.longest_delay
        else:
            timings = self.connection.timings.socket
            assert timings.first_delay / 2 - 1e-6 <= delay <= timings.longest_delay + 1e-6

    @precondition(lambda self: self.ids(is_open=True))
    @rule(data=st.data(), frame=st.sampled_from(FRAMES), lag=st.floats(0.0, 60.0))
    def socket_reports(self, data: st.DataObject, frame: Event, lag: float) -> None:
        client_id = data.draw(st.sampled_from(self.ids(is_open=True)))
        if is_run_frame(frame):
            self.renewals = 0
        reports: list[Input] = [FrameReceived(client_id, frame), LagMeasured(client_id, lag)]
        self.give(data.draw(st.sampled_from([*reports, PingsUnanswered(1.0), PingsAnswered()])))

    @rule(server=st.sampled_from(SERVERS))
    def identity_is_requested(self, server: str) -> None:
        gate, sockets = self.connection.gate, self.carrier.sockets
        ours = frozenset(sockets[key] for key in self.ids(is_open=True) if key not in self.carrier.closing)
        self.requests.append(Request(server, gate.sockets_opened, gate.breaks, ours, self.breaks))

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), how=st.sampled_from(["whole", "stats", "fails"]))
    def identity_is_known(self, data: st.DataObject, how: str) -> None:
        request = self.requests.pop(data.draw(st.integers(0, len(self.requests) - 1)))
        if how == "fails":
            self.give(VerificationFailed("no answer"))
            return
        known, is_proven = self.connection.gate.fingerprint, False
        if how == "whole":
            self.give(ServerSeen(request.server, "a server"))
            is_proven = request.server == self.connection.gate.fingerprint
            if is_proven:
                is_proven = request.breaks == self.connection.gate.breaks
                self.give(ServerVerified(request.sockets_opened, request.breaks))
        else:
            self.give(StatsReceived(request.server, request.sockets_opened))
            is_proven = request.server == known
        for socket in request.open_sockets:
            socket.is_proven = socket.is_proven or is_proven

    @precondition(lambda self: self.connection.link.kind is not LinkKind.OTHER_SERVER)
    @rule(whole=st.booleans())
    def known_server_answers(self, whole: bool) -> None:
        gate = self.connection.gate
        known = gate.fingerprint or SERVERS[0]
        for key in self.ids(is_open=True):
            if key not in self.carrier.closing:
                self.carrier.sockets[key].is_proven = True
        if whole or not gate.fingerprint:
            self.give(ServerSeen(known, "a server"))
            self.give(ServerVerified(gate.sockets_opened, gate.breaks))
        else:
            self.give(StatsReceived(known, gate.sockets_opened))

    @precondition(lambda self: self.connection.link.kind is not LinkKind.OTHER_SERVER)
    @rule()
    def everything_opens_and_answers(self) -> None:
        for client_id in self.ids(is_open=False):
            self.carrier.sockets[client_id].is_open = True
            self.give(SocketOpened(client_id))
        self.known_server_answers(whole=True)

    @precondition(lambda self: self.carrier.is_polling)
    @rule(session=st.sampled_from(SESSIONS), seconds=st.floats(0.0, 30.0), light=st.booleans())
    def poll_succeeds(self, session: SessionState, seconds: float, light: bool) -> None:
        self.carrier.is_polling = False
        self.give(PollSucceeded(seconds, session, light))

    @precondition(lambda self: self.carrier.is_polling)
    @rule(kind=st.sampled_from(ErrorKind), seconds=st.floats(0.0, 30.0), history_unread=st.booleans())
    def poll_fails(self, kind: ErrorKind, seconds: float, history_unread: bool) -> None:
        self.carrier.is_polling = False
        self.give(PollFailed(RequestError(kind, kind.value), seconds, history_unread))

    @rule(kind=st.sampled_from([ErrorKind.LOGIN_REQUIRED, ErrorKind.FORBIDDEN]), ask=st.booleans())
    def request_is_rejected(self, kind: ErrorKind, ask: bool) -> None:
        self.give(RequestUnauthorised(RequestError(kind, kind.value), ask))
        assert not self.connection.gate.is_ready

    @rule()
    def nobody_tells_who_the_server_is(self) -> None:
        self.give(StatsFailed())
        assert not self.connection.gate.is_ready
        assert self.connection.polls.requested

    @rule(history=st.booleans())
    def poll_is_requested(self, history: bool) -> None:
        self.give(PollRequested(history))

    @rule()
    def user_reconnects(self) -> None:
        self.give(ReconnectRequested())
        for client_id in self.connection.sockets:
            assert client_id in self.carrier.sockets, "an attempt"
            assert not self.carrier.sockets[client_id].is_open or client_id in self.carrier.closing
        assert self.connection.polls.requested

    @precondition(lambda self: IDS[2] not in self.carrier.removed)
    @rule()
    def client_id_is_added(self) -> None:
        self.give(ClientIdAdded(IDS[2]))

    @precondition(lambda self: len(self.connection.sockets) > 1)
    @rule(data=st.data())
    def client_id_is_removed(self, data: st.DataObject) -> None:
        client_id = data.draw(st.sampled_from([*self.connection.sockets][1:]))
        self.carrier.removed.add(client_id)
        others = {key: socket for key, socket in self.connection.sockets.items() if key != client_id}
        gate = self.connection.gate
        self.give(ClientIdRemoved(client_id))
        assert {key: socket for key, socket in self.connection.sockets.items() if key != client_id} == others
        assert self.connection.gate == gate, "the others need another proof"
        if client_id in self.connection.sockets:
            assert client_id in self.carrier.closing
        else:
            self.check_removed(client_id)

    def check_removed(self, client_id: str) -> None:
        assert client_id not in self.connection.sockets
        assert client_id not in self.carrier.removed, "it is still run"
        if self.connection.link.socket_open:
            assert any(socket.status is SocketStatus.OPEN for socket in self.connection.sockets.values())
        if self.connection.link.kind is LinkKind.LIVE:
            assert self.connection.has_verified_socket

    @rule(given=st.sampled_from([LoggedIn(), Crashed("a fault", 1.0)]), count=st.integers(1, 3))
    def service_starts_again(self, given: Input, count: int) -> None:
        self.give(given)
        self.carrier, self.requests = Carrier(), []
        self.give(Started(IDS[:count]))

    @invariant()
    def only_the_known_server_ends_the_question_about_another_one(self) -> None:
        if self.connection.link.kind is LinkKind.OTHER_SERVER:
            assert self.connection.gate.other_fingerprint
        if self.connection.gate.other_fingerprint:
            assert self.connection.link.kind is LinkKind.OTHER_SERVER

    @invariant()
    def the_session_shows_the_link(self) -> None:
        assert self.session_link.link == self.connection.link

    @invariant()
    def sockets_are_as_the_carrier_has_them(self) -> None:
        for client_id, socket in self.connection.sockets.items():
            theirs = self.carrier.sockets.get(client_id)
            match socket.status:
                case SocketStatus.CLOSED:
                    assert theirs is None
                case SocketStatus.OPENING:
                    assert theirs is not None
                    assert not theirs.is_open
                case SocketStatus.OPEN:
                    assert theirs is not None
                    assert theirs.is_open
                case SocketStatus.CLOSING | SocketStatus.ENDING:
                    assert client_id in self.carrier.closing
            assert (socket.status is SocketStatus.ENDING) == (client_id in self.carrier.removed)
        assert set(self.carrier.sockets) <= set(self.connection.sockets)

    @invariant()
    def frames_count_only_after_a_proof_that_followed_their_socket(self) -> None:
        for client_id, socket in self.carrier.sockets.items():
            if self.connection.counts(client_id):
                assert socket.is_proven
        if self.connection.gate.is_ready:
            assert self.connection.gate.fingerprint
            open_sockets = [
                self.carrier.sockets[key] for key in self.ids(is_open=True) if key not in self.carrier.closing
            ]
            assert all(socket.is_proven for socket in open_sockets)

    @invariant()
    def it_is_live_only_if_the_server_was_verified_after_an_open_socket(self) -> None:
        is_proven = any(socket.is_open and socket.is_proven for socket in self.carrier.sockets.values())
        if self.connection.link.kind is LinkKind.LIVE:
            assert is_proven
        if self.connection.link.kind is LinkKind.CONNECTING and self.connection.link.socket_open:
            assert not self.connection.has_verified_socket

    @invariant()
    def it_is_never_stuck(self) -> None:
        for client_id, socket in self.connection.sockets.items():
            assert client_id in self.carrier.sockets or socket.retry_at is not None
        if self.connection.link.kind not in WAITS_FOR_USER and not self.carrier.is_polling and self.connection.sockets:
            assert self.connection.polls.wake_at is not None
        if self.connection.watchdog.wake_at is None and self.connection.sockets:
            assert self.connection.polls.requested or self.carrier.is_polling


def test_any_sequence_of_inputs_keeps_the_invariants() -> None:
    run_state_machine_as_test(ConnectionMachine, settings=settings(max_examples=100))
    assert ConnectionMachine.steps_by_kind[LinkKind.LIVE] > 0, "what holds of a live link was not tested"
