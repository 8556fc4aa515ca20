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
from comfytui.session.connection.link_events import (
    HttpFailed,
    HttpSucceeded,
    IdentityAccepted,
    IdentityMismatch,
    SocketSilent,
    SocketVerified,
)
from comfytui.session.connection.polls import needs_confirmation, pause_of, pause_without_socket
from comfytui.session.connection.transition import Transition
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState

ORPHANED_REASON = "Your job runs, but no messages about it arrive: the server has lost track of this connection."


def take_identity(transition: Transition, given: IdentityInput) -> None:
    """Change the connection by what the server says of its identity."""
    gate = transition.connection.gate
    match given:
        case ServerExpected(fingerprint=fingerprint):
            transition.set(gate=replace(gate, fingerprint=gate.fingerprint or fingerprint))
        case ServerSeen(fingerprint=fingerprint, description=description):
            _server_seen(transition, fingerprint, description)
        case ServerVerified(sockets_opened=sockets_opened, breaks=breaks):
            transition.set(gate=gate.verified(sockets_opened, breaks))
            _server_verified(transition)
        case StatsReceived(fingerprint=fingerprint, sockets_opened=sockets_opened):
            if fingerprint == gate.fingerprint:
                transition.set(gate=gate.answered_after(sockets_opened))
                _server_verified(transition)
            elif gate.fingerprint:
                transition.break_gate()
                transition.request_poll()
        case VerificationFailed(reason=reason):
            transition.set(gate=replace(gate, reason=reason))
        case StatsFailed():
            transition.break_gate()
            transition.request_poll()
        case _:
            assert_never(given)


def take_from_http(transition: Transition, given: HttpInput) -> None:
    """Change the connection by how a request ended."""
    match given:
        case PollSucceeded():
            _poll_succeeded(transition, given)
        case PollFailed():
            _poll_failed(transition, given)
        case RequestUnauthorised(error=error, ask_for_login=ask_for_login):
            transition.break_gate()
            transition.change_link(HttpFailed(error.reason, error.kind.link_kind))
            if ask_for_login:
                transition.ask_for_login(error)
        case _:
            assert_never(given)


def _server_seen(transition: Transition, fingerprint: str, description: str) -> None:
    before = transition.connection.gate
    transition.set(gate=before.seen(fingerprint))
    if transition.connection.gate.fingerprint != fingerprint:
        transition.change_link(IdentityMismatch(f"A different server answers here now: {description}."))
        return
    if fingerprint != before.fingerprint:
        transition.effects.append(FingerprintChanged(fingerprint))
    transition.change_link(IdentityAccepted())
    if before.other_fingerprint:
        transition.renew_sockets()  # Those of the meantime may lead to the other server.


def _server_verified(transition: Transition) -> None:
    """Let frames count of the sockets that opened before the verification was requested."""
    if transition.link.kind is not LinkKind.LIVE and transition.connection.has_verified_socket:
        transition.change_link(SocketVerified())
        transition.report_lag()
    transition.effects.append(ReleaseFrames())


def advance_polls(transition: Transition, session: SessionState) -> None:
    """Begin the poll that is due, or plan the next one."""
    polls, timings = transition.connection.polls, transition.connection.timings.poll
    if polls.wake_at is None or transition.now < polls.wake_at:
        return
    if polls.requested or polls.is_planned:
        watchdog = transition.connection.watchdog
        light = not polls.requested and not needs_confirmation(session)
        transition.set(polls=polls.begun(), watchdog=watchdog.poll_begun())
        transition.effects.append(Poll(light, polls.history_wanted, stats=watchdog.suspicion is not None))
    else:
        ready = transition.connection.gate.is_ready
        pause = pause_of(session, transition.link, polls.last_seconds, timings, ready=ready)
        transition.set(polls=polls.planned(None if pause is None else transition.now + pause))


def advance_watchdog(transition: Transition, session: SessionState) -> None:
    """Check whether the sockets bring the frames of runs; if it seems not, poll first, and then renew them."""
    watchdog, timings = transition.connection.watchdog, transition.connection.timings.poll
    if watchdog.wake_at is None or transition.now < watchdog.wake_at:
        return
    if (suspicion := watchdog.suspicion) is None:
        suspicion = watchdog.suspected(session, transition.link, transition.now)
        transition.set(
            watchdog=replace(watchdog, suspicion=suspicion, check_at=transition.now + timings.watchdog_interval)
        )
        if suspicion is not None:
            transition.request_poll()
        return
    is_orphaned = watchdog.confirms(suspicion, session, transition.link, transition.now)
    # A huge queue is not read without a break while a model loads.
    pause = timings.watchdog_interval + timings.rest_factor * (suspicion.poll_seconds or 0.0)
    transition.set(watchdog=watchdog.restarted(transition.now + pause))
    if is_orphaned:
        transition.set(watchdog=transition.connection.watchdog.renewed(suspicion, session))
        transition.change_link(SocketSilent(orphaned=True, reason=ORPHANED_REASON))
        transition.renew_sockets()


def _poll_succeeded(transition: Transition, poll: PollSucceeded) -> None:
    before, timings = transition.connection.polls, transition.connection.timings.poll
    polls = before.succeeded(transition.now, poll.seconds, timings, light=poll.light)
    transition.set(
        polls=polls, watchdog=transition.connection.watchdog.poll_succeeded(transition.now, poll.seconds, timings)
    )
    transition.change_link(HttpSucceeded(pause_without_socket(poll.session, polls.last_seconds, timings)))
    if before.last_failed and not transition.link.socket_open:
        transition.renew_sockets()  # The server is back: they do not wait for their next attempt.


def _poll_failed(transition: Transition, poll: PollFailed) -> None:
    error, timings = poll.error, transition.connection.timings.poll
    polls = transition.connection.polls.failed(
        transition.now, poll.seconds, timings, history_unread=poll.history_unread
    )
    transition.set(polls=polls, watchdog=transition.connection.watchdog.poll_failed(transition.now, timings))
    if not transition.link.socket_open or error.kind.is_unauthorised:
        transition.break_gate()
    transition.change_link(HttpFailed(error.reason, error.kind.link_kind))
    transition.ask_for_login(error)
    if transition.connection.reports_failed_polls and error.kind is not ErrorKind.LOGIN_REQUIRED:
        transition.report_not_reached(error)
