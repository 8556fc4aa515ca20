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
from comfytui.session.connection.effects import DropFrames, ResetUnseenJobs
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
from comfytui.session.connection.link_events import Connected, Disconnected, SocketRecovered, SocketSilent
from comfytui.session.connection.sockets import Socket, SocketStatus
from comfytui.session.connection.transition import Transition
from comfytui.session.jobs.execution import EndFrame, RunFrame
from comfytui.session.model import LinkKind

BUSY_REASON = "The server accepts connections but does not answer: it may be loading a model."
_MAY_BECOME_COMFYUI = frozenset({LinkKind.CONNECTING, LinkKind.POLLING, LinkKind.BUSY, LinkKind.OFFLINE})
"""States of the link in which a socket that was given up is tried again, though none was ever open."""


def take_from_socket(transition: Transition, given: SocketInput) -> None:
    """Change the connection by what a socket reports."""
    match given:
        case SocketOpened(client_id=client_id):
            _socket_opened(transition, client_id)
        case SocketClosed():
            _socket_closed(transition, given)
        case PingsUnanswered(silent_seconds=silent):
            transition.change_link(SocketSilent(orphaned=False, reason=BUSY_REASON, silent=silent))
        case PingsAnswered():
            _recover(transition, of_run=False)
        case FrameReceived(client_id=client_id, frame=frame):
            _frame_received(transition, client_id, frame)
        case LagMeasured(client_id=client_id, seconds=seconds):
            _measure_lag(transition, client_id, seconds)
        case _:
            assert_never(given)


def retry_sockets(transition: Transition) -> None:
    """Open the closed sockets whose time has come."""
    for client_id, socket in transition.connection.sockets.items():
        if socket.status is not SocketStatus.CLOSED or transition.now < (socket.retry_at or 0.0):
            continue
        if socket.given_up and not _may_retry_given_up(transition):
            transition.set_socket(
                client_id,
                replace(socket, retry_at=transition.now + transition.connection.timings.connection.given_up_pause),
            )
        else:
            transition.open_socket(client_id, socket.failures)


def remove_socket(transition: Transition, client_id: str) -> None:
    """Close the socket of a client id for good."""
    socket = transition.connection.sockets[client_id]
    match socket.status:
        case SocketStatus.CLOSED:
            _end_socket(transition, client_id)
        case SocketStatus.OPENING | SocketStatus.OPEN:
            transition.close_socket(client_id, SocketStatus.ENDING)
        case SocketStatus.CLOSING | SocketStatus.ENDING:
            transition.set_socket(client_id, replace(socket, status=SocketStatus.ENDING))
        case _:
            assert_never(socket.status)


def _end_socket(transition: Transition, client_id: str) -> None:
    """Forget a socket that is closed for good; the link is then as the others leave it."""
    transition.end_socket(client_id)
    connection = transition.connection
    still_open = [key for key, socket in connection.sockets.items() if socket.status is SocketStatus.OPEN]
    if transition.link.socket_open and not still_open:
        transition.change_link(Disconnected("", kind=LinkKind.CONNECTING))
    elif transition.link.kind is LinkKind.LIVE and not connection.has_verified_socket:
        transition.change_link(Connected(still_open[0], verified=False))
    if transition.link.lag_seconds:
        transition.report_lag()
        transition.request_poll()


def _may_retry_given_up(transition: Transition) -> bool:
    """Return whether a socket that was given up may open later: the server was, or may be, a ComfyUI."""
    kind = transition.link.kind
    return kind is not LinkKind.UNAUTHORISED and (transition.connection.was_open or kind in _MAY_BECOME_COMFYUI)


def _socket_opened(transition: Transition, client_id: str) -> None:
    socket = transition.connection.sockets[client_id]
    if socket.status is not SocketStatus.OPENING:
        return  # It is being closed already.
    gate = transition.connection.gate.socket_opened()
    watchdog = transition.connection.watchdog.socket_opened(transition.now)
    transition.set(gate=gate, watchdog=watchdog, was_tried=True, was_open=True)
    transition.set_socket(client_id, socket.opened(gate.sockets_opened, transition.now))
    transition.change_link(Connected(client_id, transition.connection.has_verified_socket))
    if transition.connection.reports_queue(client_id):
        transition.effects.append(ResetUnseenJobs())
    transition.request_poll(history=True)


def _socket_closed(transition: Transition, closed: SocketClosed) -> None:
    client_id, socket = closed.client_id, transition.connection.sockets[closed.client_id]
    transition.effects.append(DropFrames(client_id))
    if socket.status is SocketStatus.ENDING:
        _end_socket(transition, client_id)
    elif socket.status is SocketStatus.CLOSING:
        transition.open_socket(client_id)
        if transition.link.kind is LinkKind.LIVE and not transition.connection.has_verified_socket:
            transition.change_link(Disconnected("", kind=LinkKind.CONNECTING))
    elif closed.error is not None and closed.error.kind.is_permanent:
        _give_up(transition, client_id, closed.error)
    else:
        timings = transition.connection.timings.socket
        socket = socket.closed(transition.now, had_frames=closed.had_frames, jitter=closed.jitter, timings=timings)
        transition.set_socket(client_id, socket)
        transition.break_gate()
        retry_in = (socket.retry_at or transition.now) - transition.now
        is_unanswered = closed.error is not None and closed.error.kind is ErrorKind.TIMED_OUT
        event = Disconnected(closed.reason, retry_in, silent=closed.silent_seconds, unanswered=is_unanswered)
        transition.change_link(event)
        if closed.error is not None and closed.error.kind is ErrorKind.UNREACHABLE:
            transition.report_not_reached(closed.error)
        transition.set(was_tried=True)
        transition.request_poll()


def _give_up(transition: Transition, client_id: str, error: RequestError) -> None:
    """Poll the server that refuses our socket: it may answer over HTTP."""
    pause = transition.connection.timings.connection.given_up_pause
    transition.set_socket(client_id, Socket(retry_at=transition.now + pause, given_up=True))
    if transition.link.kind is not LinkKind.POLLING or error.kind.is_unauthorised:
        transition.break_gate()  # Where it is polled already, nothing broke.
    if error.kind.is_unauthorised:
        transition.change_link(Disconnected(error.reason, kind=LinkKind.UNAUTHORISED))
        transition.ask_for_login(error)
    else:
        # Only HTTP shows whether it is a ComfyUI: some proxies let everything through but upgrades.
        transition.change_link(Disconnected(error.reason, kind=LinkKind.CONNECTING, unanswered=True))
    transition.set(reports_failed_polls=True)
    transition.request_poll()


def _frame_received(transition: Transition, client_id: str, frame: Event) -> None:
    of_run = is_run_frame(frame)
    if of_run:
        before = transition.connection.watchdog
        watchdog = before.run_frame_received(client_id, transition.now)
        if watchdog is not before:
            transition.set(watchdog=watchdog)
    _recover(transition, of_run=of_run)
    # A server that rejected the credentials is not polled again at every frame.
    if may_change_queue(frame) and transition.link.kind is not LinkKind.UNAUTHORISED:
        transition.request_poll()


def _recover(transition: Transition, *, of_run: bool) -> None:
    if transition.link.kind is LinkKind.BUSY or (of_run and transition.link.kind is LinkKind.ORPHANED):
        transition.change_link(SocketRecovered(transition.connection.has_verified_socket))


def _measure_lag(transition: Transition, client_id: str, seconds: float) -> None:
    """Record how late frames are; while they are late, polls read what they do not report yet."""
    was_behind = bool(transition.link.lag_seconds)
    transition.set_socket(client_id, replace(transition.connection.sockets[client_id], lag_seconds=seconds))
    transition.report_lag()
    if bool(transition.link.lag_seconds) != was_behind:  # What late frames reported of the queue was not believed.
        transition.request_poll()


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
