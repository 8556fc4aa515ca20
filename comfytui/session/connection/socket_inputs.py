"""What a connection makes of what its sockets report, and when it opens them again."""

from dataclasses import replace
from typing import assert_never

from comfytui.comfy.protocol.events import (
    Event,
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionSuccess,
    PreviewImage,
    Status,
)
from comfytui.session.connection.effects import CountArrivals, DropFrames
from comfytui.session.connection.inputs import (
    ErrorKind,
    FrameReceived,
    LagMeasured,
    PingsAnswered,
    PingsUnanswered,
    RequestError,
    SocketClosed,
    SocketInput,
    SocketOpened,
)
from comfytui.session.connection.sockets import Socket, SocketStatus
from comfytui.session.connection.transition import Transition
from comfytui.session.events import Connected, Disconnected, SocketRecovered, SocketSilent
from comfytui.session.jobs.execution import EndFrame, RunFrame
from comfytui.session.model import LinkKind

BUSY_REASON = "The server accepts connections but does not answer: it may be loading a model."
_MAY_BECOME_COMFYUI = frozenset({LinkKind.CONNECTING, LinkKind.POLLING, LinkKind.BUSY, LinkKind.OFFLINE})
"""States of the link in which a socket that was given up is tried again, though none was ever open."""


def take_from_socket(at: Transition, given: SocketInput) -> None:
    """Take in what a socket reports."""
    match given:
        case SocketOpened(client_id=client_id):
            _socket_opened(at, client_id)
        case SocketClosed():
            _socket_closed(at, given)
        case PingsUnanswered(silent_seconds=silent):
            at.change_link(SocketSilent(orphaned=False, reason=BUSY_REASON, silent=silent))
        case PingsAnswered():
            _recover(at, of_run=False)
        case FrameReceived(client_id=client_id, frame=frame):
            _frame_received(at, client_id, frame)
        case LagMeasured(client_id=client_id, seconds=seconds):
            _measure_lag(at, client_id, seconds)
        case _:
            assert_never(given)


def retry_sockets(at: Transition) -> None:
    """Open the closed sockets whose time has come."""
    for client_id, socket in at.connection.sockets.items():
        if socket.status is not SocketStatus.CLOSED or at.now < (socket.retry_at or 0.0):
            continue
        if socket.given_up and not _may_retry_given_up(at):
            at.set_socket(client_id, replace(socket, retry_at=at.now + at.connection.timings.connection.given_up_pause))
        else:
            at.open_socket(client_id, socket.failures)


def _may_retry_given_up(at: Transition) -> bool:
    """Return whether a socket that was given up may open later: the server was, or may be, a ComfyUI."""
    kind = at.link.kind
    return kind is not LinkKind.UNAUTHORISED and (at.connection.was_open or kind in _MAY_BECOME_COMFYUI)


def _socket_opened(at: Transition, client_id: str) -> None:
    socket = at.connection.sockets[client_id]
    if socket.status is not SocketStatus.OPENING:
        return  # It is being closed already.
    gate = at.connection.gate.socket_opened()
    watchdog = at.connection.watchdog.socket_opened(at.now)
    at.set(gate=gate, watchdog=watchdog, was_tried=True, was_open=True)
    at.set_socket(client_id, socket.opened(gate.sockets_opened, at.now))
    at.change_link(Connected(client_id, at.connection.is_proven))
    if at.connection.counts_arrivals(client_id):
        at.effects.append(CountArrivals())
    at.request_poll(history=True)


def _socket_closed(at: Transition, closed: SocketClosed) -> None:
    client_id, socket = closed.client_id, at.connection.sockets[closed.client_id]
    at.effects.append(DropFrames(client_id))
    if socket.status is SocketStatus.CLOSING:
        at.open_socket(client_id)
        if at.link.kind is LinkKind.LIVE and not at.connection.is_proven:
            at.change_link(Disconnected("", kind=LinkKind.CONNECTING))
    elif closed.error is not None and closed.error.kind.is_permanent:
        _give_up(at, client_id, closed.error)
    else:
        timings = at.connection.timings.socket
        socket = socket.closed(at.now, had_frames=closed.had_frames, jitter=closed.jitter, timings=timings)
        at.set_socket(client_id, socket)
        at.break_gate()
        retry_in = (socket.retry_at or at.now) - at.now
        is_unanswered = closed.error is not None and closed.error.kind is ErrorKind.TIMED_OUT
        event = Disconnected(closed.reason, retry_in, silent=closed.silent_seconds, unanswered=is_unanswered)
        at.change_link(event)
        if closed.error is not None and closed.error.kind is ErrorKind.UNREACHABLE:
            at.report_not_reached(closed.error)
        at.set(was_tried=True)
        at.request_poll()


def _give_up(at: Transition, client_id: str, error: RequestError) -> None:
    """Poll the server that refuses our socket: it may answer over HTTP."""
    pause = at.connection.timings.connection.given_up_pause
    at.set_socket(client_id, Socket(retry_at=at.now + pause, given_up=True))
    if at.link.kind is not LinkKind.POLLING or error.kind.is_unauthorised:
        at.break_gate()  # Where it is polled already, nothing broke.
    if error.kind.is_unauthorised:
        at.change_link(Disconnected(error.reason, kind=LinkKind.UNAUTHORISED))
        at.ask_for_login(error)
    else:
        # Only HTTP shows whether it is a ComfyUI: some proxies let everything through but upgrades.
        at.change_link(Disconnected(error.reason, kind=LinkKind.CONNECTING, unanswered=True))
    at.set(reports_failed_polls=True)
    at.request_poll()


def _frame_received(at: Transition, client_id: str, frame: Event) -> None:
    of_run = is_run_frame(frame)
    if of_run:
        before = at.connection.watchdog
        watchdog = before.run_frame_received(client_id, at.now)
        if watchdog is not before:
            at.set(watchdog=watchdog)
    _recover(at, of_run=of_run)
    # A server that rejected the credentials is not polled again at every frame.
    if may_change_queue(frame) and at.link.kind is not LinkKind.UNAUTHORISED:
        at.request_poll()


def _recover(at: Transition, *, of_run: bool) -> None:
    if at.link.kind is LinkKind.BUSY or (of_run and at.link.kind is LinkKind.ORPHANED):
        at.change_link(SocketRecovered(at.connection.is_proven))


def _measure_lag(at: Transition, client_id: str, seconds: float) -> None:
    """Take in how late frames are; while they are late, polls read what they do not report yet."""
    was_behind = bool(at.link.lag_seconds)
    at.set_socket(client_id, replace(at.connection.sockets[client_id], lag_seconds=seconds))
    at.report_lag()
    if bool(at.link.lag_seconds) != was_behind:  # What late frames reported of the queue was not believed.
        at.request_poll()


def is_run_frame(frame: Event) -> bool:
    """Return whether a frame proves that frames of runs arrive; the greeting after a reconnect names no prompt."""
    return isinstance(frame, PreviewImage) or (isinstance(frame, RunFrame | EndFrame) and frame.prompt_id is not None)


def may_change_queue(frame: Event) -> bool:
    """Return whether the queue or the history may tell more than the frame does."""
    match frame:
        case Status() | ExecutionSuccess() | ExecutionError() | ExecutionInterrupted() | Executing(node=None):
            return True
        case _:
            return False
