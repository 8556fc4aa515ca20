"""The one function that knows how a session changes."""

from dataclasses import replace

from comfytui.comfy.events import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Progress,
    ProgressState,
    Status,
)
from comfytui.session.events import (
    BatchPlanned,
    Connected,
    Disconnected,
    HistorySnapshot,
    JobCancelled,
    PromptDelayed,
    PromptQueued,
    PromptRejected,
    QueueSnapshot,
    SessionEvent,
    StatsRead,
)
from comfytui.session.frames import end_frame, run_frame
from comfytui.session.model import Link, LinkKind, Stamp
from comfytui.session.orders import ordered
from comfytui.session.snapshots import history_seen, queue_seen
from comfytui.session.state import SessionState


def reduce(state: SessionState, event: SessionEvent, at: Stamp) -> SessionState:
    """The state after an event seen at `at`; the very same object where nothing changed."""
    match event:
        case ExecutionStart() | ExecutionCached() | Executing() | Progress() | ProgressState() | Executed():
            return run_frame(state, event, at)
        case ExecutionSuccess() | ExecutionError() | ExecutionInterrupted():
            return end_frame(state, event, at)
        case QueueSnapshot():
            return queue_seen(state, event, at)
        case HistorySnapshot():
            return history_seen(state, event, at)
        case BatchPlanned() | PromptQueued() | PromptRejected() | PromptDelayed() | JobCancelled():
            return ordered(state, event, at)
        case _:
            return _around(state, event, at)


def _around(state: SessionState, event: SessionEvent, at: Stamp) -> SessionState:
    """What happens around the jobs: the link, the length of the queue, the box."""
    match event:
        case Status(queue_remaining=remaining) if max(remaining, 0) != state.queue_remaining:
            return replace(state, queue_remaining=max(remaining, 0))
        case StatsRead(stats=stats) if stats != state.stats:
            return replace(state, stats=stats)
        case Connected(client_id=client_id):
            return _connected(state, client_id, at)
        case Disconnected():
            link = _broken(state.link, event, at)
            live = replace(state.live, cut=True) if state.live and not state.live.cut else state.live
            return state if (link, live) == (state.link, state.live) else replace(state, link=link, live=live)
        case _:
            return state


def _connected(state: SessionState, client_id: str, at: Stamp) -> SessionState:
    if state.link.kind is LinkKind.LIVE and client_id in state.client_ids:
        return state
    return replace(state, link=Link(LinkKind.LIVE, at.monotonic), client_ids=state.client_ids | {client_id})


def _broken(link: Link, event: Disconnected, at: Stamp) -> Link:
    since = link.since if link.kind is event.kind else at.monotonic
    retry_at = None if event.retry_in is None else at.monotonic + event.retry_in
    return Link(event.kind, since, retry_at, event.reason)
