"""What the screen shows of the connection to the server.

connecting ──► live ◄──► busy (no pong, HTTP times out: the socket is kept)
    │           │  ▲
    │           ▼  └──── orphaned (open, but no frames arrive: the socket is replaced)
    └──► offline ◄──► polling (no socket, HTTP answers)
unauthorised, not a ComfyUI: no retry until the user asks for one. different server: no retry until the user accepts it.
"""

from dataclasses import replace
from typing import assert_never

from comfytui.session.events import (
    Connected,
    Disconnected,
    HttpFailed,
    HttpSucceeded,
    IdentityAccepted,
    IdentityMismatch,
    Lagging,
    LinkEvent,
    SocketRecovered,
    SocketSilent,
)
from comfytui.session.model import Link, LinkKind
from comfytui.timings import DEFAULT

_KEPT_WHEN_CLOSED = frozenset({LinkKind.POLLING})
"""States that do not change when the socket closes."""
_KEPT_WHEN_UNANSWERED = _KEPT_WHEN_CLOSED | {LinkKind.CONNECTING, LinkKind.BUSY}
"""States that do not change when a connection attempt times out: HTTP tells a busy server from one that is down."""


def reduce_link(link: Link, event: LinkEvent, now: float, late_after: float = DEFAULT.session.late_after) -> Link:
    """Return the link after `event` at monotonic second `now`; the same object if nothing changed.

    Frames that are late by `late_after` seconds or more are reported.
    """
    if link.kind is LinkKind.OTHER_SERVER:
        return Link(LinkKind.CONNECTING, now) if isinstance(event, IdentityAccepted) else link
    match event:
        case Connected():
            after = Link(LinkKind.LIVE, now, socket_open=True)
        case Disconnected():
            kept = _KEPT_WHEN_UNANSWERED if event.unanswered else _KEPT_WHEN_CLOSED
            kind = link.kind if link.kind in kept else event.kind
            retry_at = None if event.retry_in is None else now + event.retry_in
            after = Link(kind, now, retry_at, event.reason, link.poll_interval)
        case HttpSucceeded(poll_interval=poll_interval) if not link.socket_open:
            after = Link(LinkKind.POLLING, now, link.retry_at, link.reason, poll_interval)
        case HttpFailed(reason=reason, kind=kind) if not link.socket_open or kind is LinkKind.UNAUTHORISED:
            after = Link(kind, now, link.retry_at, reason, socket_open=link.socket_open)
        case SocketSilent(orphaned=orphaned, reason=reason) if link.socket_open:
            after = Link(LinkKind.ORPHANED if orphaned else LinkKind.BUSY, now, reason=reason, socket_open=True)
        case SocketRecovered() if link.socket_open:
            after = Link(LinkKind.LIVE, now, socket_open=True)
        case Lagging(seconds=seconds) if link.kind is LinkKind.LIVE:
            after = replace(link, lag_seconds=max(1, int(seconds)) if seconds >= late_after else 0)
        case IdentityMismatch(reason=reason):
            after = Link(LinkKind.OTHER_SERVER, now, reason=reason)
        case HttpSucceeded() | HttpFailed() | SocketSilent() | SocketRecovered() | Lagging() | IdentityAccepted():
            return link  # Has no effect in this state.
        case _:
            assert_never(event)
    if after.kind is link.kind:
        after = replace(after, since=link.since)
    return link if after == link else after
