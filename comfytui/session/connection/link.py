"""What the screen shows of the connection to the server.

A socket that opens makes it `connecting`; it is `live` once the server's identity is verified after that.
"""

from dataclasses import replace
from typing import assert_never

from comfytui.session.connection.link_events import (
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
    SocketVerified,
)
from comfytui.session.model import Link, LinkKind
from comfytui.timings import DEFAULT

SocketState = SocketSilent | SocketVerified | SocketRecovered | Lagging
"""Events about a socket that is open."""
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
        case Connected(verified=verified):
            after = _open(verified, now)
        case Disconnected():
            kept = _KEPT_WHEN_UNANSWERED if event.unanswered else _KEPT_WHEN_CLOSED
            kind = link.kind if link.kind in kept else event.kind
            retry_at = None if event.retry_in is None else now + event.retry_in
            after = Link(kind, now, retry_at, event.reason, link.poll_interval)
        case SocketSilent() | SocketVerified() | SocketRecovered() | Lagging():
            after = _while_open(link, event, now, late_after) if link.socket_open else link
        case HttpSucceeded(poll_interval=poll_interval):
            polling = Link(LinkKind.POLLING, now, link.retry_at, link.reason, poll_interval)
            after = link if link.socket_open else polling
        case HttpFailed():
            after = _http_failed(link, event, now)
        case IdentityMismatch(reason=reason):
            after = Link(LinkKind.OTHER_SERVER, now, reason=reason)
        case IdentityAccepted():
            return link
        case _:
            assert_never(event)
    if after.kind is link.kind:
        after = replace(after, since=link.since)
    return link if after == link else after


def _open(verified: bool, now: float) -> Link:
    return Link(LinkKind.LIVE if verified else LinkKind.CONNECTING, now, socket_open=True)


def _while_open(link: Link, event: SocketState, now: float, late_after: float) -> Link:
    if link.kind is LinkKind.UNAUTHORISED:
        return link  # Only the user, or another socket, ends it.
    match event:
        case SocketSilent(orphaned=orphaned, reason=reason):
            return Link(LinkKind.ORPHANED if orphaned else LinkKind.BUSY, now, reason=reason, socket_open=True)
        case SocketRecovered(verified=verified):
            return _open(verified, now)
        case SocketVerified() if link.kind is LinkKind.CONNECTING:
            return _open(True, now)
        case Lagging(seconds=seconds) if link.kind is LinkKind.LIVE:
            return replace(link, lag_seconds=max(1, int(seconds)) if seconds >= late_after else 0)
        case _:
            return link


def _http_failed(link: Link, failed: HttpFailed, now: float) -> Link:
    if failed.kind is LinkKind.UNAUTHORISED or not link.socket_open:
        return Link(failed.kind, now, link.retry_at, failed.reason, socket_open=link.socket_open)
    # The socket was not closed, but nothing says whose it is.
    return replace(link, reason=failed.reason) if link.kind is LinkKind.CONNECTING else link
