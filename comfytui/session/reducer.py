"""The reducer: how each event changes the state of a session."""

from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from comfytui.comfy.protocol.events import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    Logs,
    NodeText,
    PreviewImage,
    Progress,
    ProgressState,
    Status,
    Unknown,
)
from comfytui.comfy.protocol.models import SystemStats
from comfytui.session.connection.link_events import (
    Connected,
    Disconnected,
    LinkChanged,
    LinkEvent,
    SocketSilent,
)
from comfytui.session.delivery import CancelRequested, CancelSent, PromptNotAccepted, PromptSending, PromptUnconfirmed
from comfytui.session.events import (
    BatchPlanned,
    CapabilitiesRead,
    ClientIdsAcquired,
    EndsRecorded,
    HistorySnapshot,
    JobCancelled,
    JobsResent,
    PromptAccepted,
    PromptDelayed,
    PromptLost,
    PromptRejected,
    QueueSnapshot,
    SessionEvent,
    StatsRead,
)
from comfytui.session.jobs.adoption import adopt_ended
from comfytui.session.jobs.execution import reduce_end_frame, reduce_run_frame
from comfytui.session.jobs.reconcile import reduce_history_snapshot, reduce_queue_snapshot
from comfytui.session.jobs.submissions import reduce_submission
from comfytui.session.model import Link, LinkKind, Stamp
from comfytui.session.runs.stall import memory_changed
from comfytui.session.state import SessionState

_ServerEvent = (
    LinkChanged
    | Status
    | StatsRead
    | ClientIdsAcquired
    | CapabilitiesRead
    | PreviewImage
    | NodeText
    | FeatureFlags
    | Logs
    | Unknown
)
"""Events that are not about jobs."""


def reduce(state: SessionState, event: SessionEvent, at: Stamp) -> SessionState:
    """Return the state after an event; the same object if nothing changed.

    Args:
        state: The state before.
        event: What happened; events are applied in the order in which they were received.
        at: When it was received, by the clocks of this machine.
    """
    match event:
        case ExecutionStart() | ExecutionCached() | Executing() | Progress() | ProgressState() | Executed():
            return reduce_run_frame(state, event, at)
        case ExecutionSuccess() | ExecutionError() | ExecutionInterrupted():
            return reduce_end_frame(state, event, at)
        case QueueSnapshot():
            return reduce_queue_snapshot(state, event, at)
        case HistorySnapshot() | EndsRecorded():
            return _reduce_ends(state, event, at)
        case (
            BatchPlanned()
            | PromptAccepted()
            | PromptRejected()
            | PromptDelayed()
            | PromptLost()
            | JobCancelled()
            | JobsResent()
            | PromptSending()
            | PromptUnconfirmed()
            | PromptNotAccepted()
            | CancelRequested()
            | CancelSent()
        ):
            return reduce_submission(state, event, at)
        case _:
            return _reduce_server_event(state, event, at)


def _reduce_ends(state: SessionState, event: HistorySnapshot | EndsRecorded, at: Stamp) -> SessionState:
    if isinstance(event, EndsRecorded):
        return adopt_ended(state, event.jobs, at.wall)
    return reduce_history_snapshot(state, event, at)


def _reduce_server_event(state: SessionState, event: _ServerEvent, at: Stamp) -> SessionState:
    match event:
        case LinkChanged(link=link, event=changed):
            return _with_link(state, link, changed, at)
        case Status(queue_remaining=remaining):
            return _with_queue_length(state, max(remaining, 0))
        case StatsRead(stats=stats):
            return _with_stats(state, stats, at)
        case ClientIdsAcquired(client_ids=client_ids, held_elsewhere=held_elsewhere):
            return _with_client_ids(state, state.client_ids | client_ids, held_elsewhere)
        case CapabilitiesRead(capabilities=capabilities):
            return state if capabilities == state.capabilities else replace(state, capabilities=capabilities)
        case PreviewImage() | NodeText() | FeatureFlags() | Logs() | Unknown():
            return state
        case _:
            assert_never(event)


def _with_queue_length(state: SessionState, queue_remaining: int) -> SessionState:
    # A late frame is older than what HTTP answered since.
    if state.link.lag_seconds or queue_remaining == state.queue_remaining:
        return state
    return replace(state, queue_remaining=queue_remaining)


def _with_stats(state: SessionState, stats: SystemStats, at: Stamp) -> SessionState:
    if stats == state.stats:
        return state
    # Compared with the last visible change, not the last reading: a model that loads slowly moves little between two.
    if memory_changed(state.memory_changed_to, stats):
        state = replace(state, memory_changed_at=at.monotonic, memory_changed_to=stats)
    return replace(state, stats=stats)


def _with_client_ids(state: SessionState, client_ids: frozenset[str], held_elsewhere: frozenset[str]) -> SessionState:
    if (client_ids, held_elsewhere) == (state.client_ids, state.held_elsewhere):
        return state
    return replace(state, client_ids=client_ids, held_elsewhere=held_elsewhere)


def _with_link(state: SessionState, link: Link, event: LinkEvent, at: Stamp) -> SessionState:
    client_ids = state.client_ids | {event.client_id} if isinstance(event, Connected) else state.client_ids
    runs, workers, unobserved_since = state.runs, state.workers, state.unobserved_since
    # Frames are lost while no socket is open, while it is orphaned, and also when it is replaced.
    has_gap = isinstance(event, Disconnected | Connected) or link.kind is LinkKind.ORPHANED
    if has_gap and not all(run.had_gap for run in runs.values()):
        runs = MappingProxyType({key: replace(run, had_gap=True) for key, run in runs.items()})
    if isinstance(event, Connected):
        workers = 1  # It may have been started anew, with fewer.
    if unobserved_since is None and link.kind.away:
        silent = event.silent if isinstance(event, Disconnected | SocketSilent) else 0.0
        unobserved_since = at.monotonic - silent
    after = replace(
        state, link=link, client_ids=client_ids, runs=runs, workers=workers, unobserved_since=unobserved_since
    )
    return state if after == state else after
