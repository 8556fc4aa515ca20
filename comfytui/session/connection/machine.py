"""The connection to one server: `step` takes one input after another and returns what is to be done.

It opens no socket, sends no request and reads no clock. Whoever carries the effects out brings back what became of
them, and steps again with `TimerDue` at `Connection.wake_at`.

    socket, of each client id                     CLOSED ──► OPENING ──► OPEN
                                                    ▲           │          │   a renewal:
                                                    └───────────┴──────────┴──► CLOSING ──► OPENING
                                                  from any, once the client id needs none: ENDING ──► forgotten
    identity, see `IdentityGate`                  broken ──► verified ──► ready, once it was so after the last socket
    polls, see `PollSchedule`                     rest ──► planned or requested ──► running ──► rest
    link, see `reduce_link`                       what the screen shows of all this
"""

from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import Effect
from comfytui.session.connection.inputs import (
    ClientIdAdded,
    ClientIdRemoved,
    Crashed,
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
    RequestUnauthorised,
    ServerExpected,
    ServerSeen,
    ServerVerified,
    ServiceInput,
    SocketClosed,
    SocketOpened,
    Started,
    StatsFailed,
    StatsReceived,
    TimerDue,
    UserInput,
    VerificationFailed,
)
from comfytui.session.connection.link_events import Disconnected, HttpFailed
from comfytui.session.connection.server_inputs import advance_polls, advance_watchdog, take_from_http, take_identity
from comfytui.session.connection.socket_inputs import remove_socket, retry_sockets, take_from_socket
from comfytui.session.connection.transition import Transition
from comfytui.session.model import LinkKind


def step(connection: Connection, given: Input, now: float) -> tuple[Connection, tuple[Effect, ...]]:
    """Return the connection after an input at monotonic second `now`, and what is to be done, in order."""
    transition = Transition(connection, now)
    _take(transition, given)
    return transition.connection, tuple(transition.effects)


def _take(transition: Transition, given: Input) -> None:
    """Change the connection by one input."""
    match given:
        case SocketOpened() | SocketClosed() | FrameReceived() | LagMeasured():
            take_from_socket(transition, given)
        case PingsUnanswered() | PingsAnswered():
            take_from_socket(transition, given)
        case (
            ServerExpected() | ServerSeen() | ServerVerified() | VerificationFailed() | StatsReceived() | StatsFailed()
        ):
            take_identity(transition, given)
        case PollSucceeded() | PollFailed() | RequestUnauthorised():
            take_from_http(transition, given)
        case Started() | ClientIdAdded() | ClientIdRemoved() | Crashed():
            _take_from_service(transition, given)
        case PollRequested() | ReconnectRequested() | LoggedIn():
            _take_from_user(transition, given)
        case TimerDue(session=session):
            retry_sockets(transition)
            advance_polls(transition, session)
            advance_watchdog(transition, session)
        case _:
            assert_never(given)


def _take_from_service(transition: Transition, given: ServiceInput) -> None:
    match given:
        case Started(client_ids=client_ids):
            polls = replace(transition.connection.polls, is_running=False, is_planned=False, rest_until=transition.now)
            watchdog = transition.connection.watchdog.restarted(
                transition.now + transition.connection.timings.poll.watchdog_interval
            )
            transition.set(sockets=MappingProxyType({}), polls=polls, watchdog=watchdog)
            transition.break_gate()
            for client_id in client_ids:
                transition.open_socket(client_id)
        case ClientIdAdded(client_id=client_id):
            if client_id not in transition.connection.sockets:
                transition.open_socket(client_id)
        case ClientIdRemoved(client_id=client_id):
            if client_id in transition.connection.sockets:
                remove_socket(transition, client_id)
        case Crashed(reason=reason, retry_in=retry_in):
            transition.change_link(Disconnected(reason, retry_in))
            transition.change_link(HttpFailed(reason))
        case _:
            assert_never(given)


def _take_from_user(transition: Transition, given: UserInput) -> None:
    match given:
        case PollRequested(history=history):
            transition.request_poll(history=history)
        case ReconnectRequested():
            transition.break_gate()
            transition.renew_sockets()
            transition.request_poll()
        case LoggedIn():
            transition.change_link(Disconnected("", kind=LinkKind.CONNECTING))
        case _:
            assert_never(given)
