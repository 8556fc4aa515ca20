"""What a connection makes of the answers to its requests: who the server is, and when it is polled again."""

from dataclasses import replace
from typing import assert_never

from comfytui.session.connection.effects import FingerprintChanged, Poll, ReleaseFrames
from comfytui.session.connection.inputs import (
    ErrorKind,
    HttpInput,
    IdentityInput,
    PollFailed,
    PollSucceeded,
    RequestUnauthorised,
    ServerExpected,
    ServerSeen,
    ServerVerified,
    StatsFailed,
    StatsReceived,
    VerificationFailed,
)
from comfytui.session.connection.polls import is_settling, pause_of, pause_without_socket
from comfytui.session.connection.transition import Transition
from comfytui.session.events import (
    HttpFailed,
    HttpSucceeded,
    IdentityAccepted,
    IdentityMismatch,
    SocketSilent,
    SocketVerified,
)
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState

ORPHANED_REASON = "Your job runs, but no messages about it arrive: the server has lost track of this connection."


def take_identity(at: Transition, given: IdentityInput) -> None:
    """Take in who the server says that it is."""
    gate = at.connection.gate
    match given:
        case ServerExpected(fingerprint=fingerprint):
            at.set(gate=replace(gate, fingerprint=gate.fingerprint or fingerprint))
        case ServerSeen(fingerprint=fingerprint, description=description):
            _server_seen(at, fingerprint, description)
        case ServerVerified(sockets_opened=sockets_opened, breaks=breaks):
            at.set(gate=gate.verified(sockets_opened, breaks))
            _server_verified(at)
        case StatsReceived(fingerprint=fingerprint, sockets_opened=sockets_opened):
            if fingerprint == gate.fingerprint:
                at.set(gate=gate.proven(sockets_opened))
                _server_verified(at)
            elif gate.fingerprint:
                at.break_gate()
                at.request_poll()
        case VerificationFailed(reason=reason):
            at.set(gate=replace(gate, reason=reason))
        case StatsFailed():
            at.break_gate()
            at.request_poll()
        case _:
            assert_never(given)


def take_from_http(at: Transition, given: HttpInput) -> None:
    """Take in how a request ended."""
    match given:
        case PollSucceeded():
            _poll_succeeded(at, given)
        case PollFailed():
            _poll_failed(at, given)
        case RequestUnauthorised(error=error, ask_for_login=ask_for_login):
            at.break_gate()
            at.change_link(HttpFailed(error.reason, error.kind.link_kind))
            if ask_for_login:
                at.ask_for_login(error)
        case _:
            assert_never(given)


def _server_seen(at: Transition, fingerprint: str, description: str) -> None:
    before = at.connection.gate
    at.set(gate=before.seen(fingerprint))
    if at.connection.gate.fingerprint != fingerprint:
        at.change_link(IdentityMismatch(f"A different server answers here now: {description}."))
        return
    if fingerprint != before.fingerprint:
        at.effects.append(FingerprintChanged(fingerprint))
    at.change_link(IdentityAccepted())
    if before.other_fingerprint:
        at.renew_sockets()  # Those of the meantime may lead to the other server.


def _server_verified(at: Transition) -> None:
    """Let frames count of the sockets that opened before the verification was requested."""
    if at.link.kind is not LinkKind.LIVE and at.connection.is_proven:
        at.change_link(SocketVerified())
        at.report_lag()
    at.effects.append(ReleaseFrames())


def advance_polls(at: Transition, session: SessionState) -> None:
    """Begin the poll that is due, or plan the next one."""
    polls, timings = at.connection.polls, at.connection.timings.poll
    if polls.wake_at is None or at.now < polls.wake_at:
        return
    if polls.requested or polls.is_planned:
        watchdog = at.connection.watchdog
        light = not polls.requested and not is_settling(session)
        at.set(polls=polls.begun(), watchdog=watchdog.poll_begun())
        at.effects.append(Poll(light, polls.history_wanted, stats=watchdog.suspicion is not None))
    else:
        ready = at.connection.gate.is_ready
        pause = pause_of(session, at.link, polls.last_seconds, timings, ready=ready)
        at.set(polls=polls.planned(None if pause is None else at.now + pause))


def advance_watchdog(at: Transition, session: SessionState) -> None:
    """Check whether the sockets bring the frames of runs; if it seems not, poll first, and then renew them."""
    watchdog, timings = at.connection.watchdog, at.connection.timings.poll
    if watchdog.wake_at is None or at.now < watchdog.wake_at:
        return
    if (suspicion := watchdog.suspicion) is None:
        suspicion = watchdog.suspected(session, at.link, at.now)
        at.set(watchdog=replace(watchdog, suspicion=suspicion, check_at=at.now + timings.watchdog_interval))
        if suspicion is not None:
            at.request_poll()
        return
    is_orphaned = watchdog.confirms(suspicion, session, at.link, at.now)
    # A huge queue is not read without a break while a model loads.
    pause = timings.watchdog_interval + timings.rest_factor * (suspicion.poll_seconds or 0.0)
    at.set(watchdog=watchdog.restarted(at.now + pause))
    if is_orphaned:
        at.set(watchdog=at.connection.watchdog.renewed(suspicion, session))
        at.change_link(SocketSilent(orphaned=True, reason=ORPHANED_REASON))
        at.renew_sockets()


def _poll_succeeded(at: Transition, poll: PollSucceeded) -> None:
    before, timings = at.connection.polls, at.connection.timings.poll
    polls = before.succeeded(at.now, poll.seconds, timings, light=poll.light)
    at.set(polls=polls, watchdog=at.connection.watchdog.poll_succeeded(at.now, poll.seconds, timings))
    at.change_link(HttpSucceeded(pause_without_socket(poll.session, polls.last_seconds, timings)))
    if before.last_failed and not at.link.socket_open:
        at.renew_sockets()  # The server is back: they do not wait for their next attempt.


def _poll_failed(at: Transition, poll: PollFailed) -> None:
    error, timings = poll.error, at.connection.timings.poll
    polls = at.connection.polls.failed(at.now, poll.seconds, timings, history_unread=poll.history_unread)
    at.set(polls=polls, watchdog=at.connection.watchdog.poll_failed(at.now, timings))
    if not at.link.socket_open or error.kind.is_unauthorised:
        at.break_gate()
    at.change_link(HttpFailed(error.reason, error.kind.link_kind))
    at.ask_for_login(error)
    if at.connection.reports_failed_polls and error.kind is not ErrorKind.LOGIN_REQUIRED:
        at.report_not_reached(error)
