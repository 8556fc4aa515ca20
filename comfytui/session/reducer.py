"""The one function that knows how a session changes."""

from dataclasses import replace

from comfytui.comfy.protocol.events import (
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
from comfytui.session.connection import reduce_link
from comfytui.session.events import (
    BatchPlanned,
    CapabilitiesRead,
    ClientIdsAcquired,
    Connected,
    Disconnected,
    HistorySnapshot,
    HttpFailed,
    HttpSucceeded,
    IdentityChanged,
    JobCancelled,
    JobsResent,
    Lagging,
    LinkEvent,
    PromptDelayed,
    PromptLost,
    PromptQueued,
    PromptRejected,
    QueueSnapshot,
    SessionEvent,
    SocketRecovered,
    SocketSilent,
    StatsRead,
)
from comfytui.session.jobs.execution import reduce_end_frame, reduce_run_frame
from comfytui.session.jobs.reconcile import reduce_history_snapshot, reduce_queue_snapshot
from comfytui.session.jobs.submissions import reduce_submission
from comfytui.session.model import LinkKind, Stamp
from comfytui.session.runs.stall import memory_changed
from comfytui.session.state import SessionState


def reduce(state: SessionState, event: SessionEvent, at: Stamp) -> SessionState:
    """The state after an event seen at `at`; the very same object where nothing changed."""
    match event:
        case ExecutionStart() | ExecutionCached() | Executing() | Progress() | ProgressState() | Executed():
            return reduce_run_frame(state, event, at)
        case ExecutionSuccess() | ExecutionError() | ExecutionInterrupted():
            return reduce_end_frame(state, event, at)
        case QueueSnapshot():
            return reduce_queue_snapshot(state, event, at)
        case HistorySnapshot():
            return reduce_history_snapshot(state, event, at)
        case (
            BatchPlanned()
            | PromptQueued()
            | PromptRejected()
            | PromptDelayed()
            | PromptLost()
            | JobCancelled()
            | JobsResent()
        ):
            return reduce_submission(state, event, at)
        case _:
            return _reduce_server(state, event, at)


def _reduce_server(state: SessionState, event: SessionEvent, at: Stamp) -> SessionState:
    """What happens around the jobs: the link, the length of the queue, the box."""
    match event:
        case Status(queue_remaining=remaining) if max(remaining, 0) != state.queue_remaining:
            # What HTTP told since is newer than a frame that is late.
            return state if state.link.behind else replace(state, queue_remaining=max(remaining, 0))
        case StatsRead(stats=stats) if stats != state.stats:
            # Not compared with the last reading: a model that loads slowly moves little between two.
            if memory_changed(state.memory_changed_to, stats):
                state = replace(state, memory_changed_at=at.monotonic, memory_changed_to=stats)
            return replace(state, stats=stats)
        case (
            Connected()
            | Disconnected()
            | HttpSucceeded()
            | HttpFailed()
            | SocketSilent()
            | SocketRecovered()
            | Lagging()
            | IdentityChanged()
        ):
            return _reduce_link_event(state, event, at)
        case ClientIdsAcquired(client_ids=ids, held_elsewhere=elsewhere) if (state.client_ids | ids, elsewhere) != (
            state.client_ids,
            state.held_elsewhere,
        ):
            return replace(state, client_ids=state.client_ids | ids, held_elsewhere=elsewhere)
        case CapabilitiesRead(capabilities=capabilities) if capabilities != state.capabilities:
            return replace(state, capabilities=capabilities)
        case _:
            return state


def _reduce_link_event(state: SessionState, event: LinkEvent, at: Stamp) -> SessionState:
    link = reduce_link(state.link, event, at.monotonic)
    ids = state.client_ids | {event.client_id} if isinstance(event, Connected) else state.client_ids
    run, blind = state.run, state.unobserved_since
    # Frames go astray while there is no socket, or one that is deaf, also where it is only renewed.
    if run and not run.had_gap and (isinstance(event, Disconnected | Connected) or link.kind is LinkKind.DEAF):
        run = replace(run, had_gap=True)
    if blind is None and link.kind.away:
        blind = at.monotonic - (event.silent if isinstance(event, Disconnected | SocketSilent) else 0.0)
    if link is state.link and ids == state.client_ids and run is state.run and blind == state.unobserved_since:
        return state
    return replace(state, link=link, client_ids=ids, run=run, unobserved_since=blind)
