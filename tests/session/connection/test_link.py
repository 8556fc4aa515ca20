"""State transitions of the link."""

import pytest

from comfytui.session.connection.link import reduce_link
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

K = LinkKind
RESET = Disconnected("reset", 2.0)
UNANSWERED = Disconnected("not answered", 2.0, unanswered=True)
UNVERIFIED = Connected("me", verified=False)
ORPHANED, BUSY = SocketSilent(orphaned=True, reason="orphaned"), SocketSilent(orphaned=False, reason="busy")
REFUSED = Disconnected("who are you", kind=K.UNAUTHORISED)


def link_after(*events: LinkEvent) -> Link:
    link = Link()
    for second, event in enumerate(events, 1):
        link = reduce_link(link, event, float(second))
    return link


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ((), K.CONNECTING),
        ((Connected("me"),), K.LIVE),
        ((Connected("me"), RESET), K.OFFLINE),
        ((RESET, HttpSucceeded(1.0)), K.POLLING),
        ((RESET, HttpSucceeded(1.0), RESET), K.POLLING),
        ((RESET, HttpSucceeded(1.0), HttpFailed("gone")), K.OFFLINE),
        ((RESET, HttpSucceeded(1.0), HttpFailed("slow", K.BUSY)), K.BUSY),
        ((RESET, HttpSucceeded(1.0), HttpFailed("slow", K.BUSY), HttpSucceeded(1.0)), K.POLLING),
        ((RESET, HttpSucceeded(1.0), Connected("me")), K.LIVE),
        ((Connected("me"), HttpSucceeded(1.0)), K.LIVE),
        ((Connected("me"), HttpFailed("gone")), K.LIVE),
        ((Connected("me"), BUSY), K.BUSY),
        ((Connected("me"), BUSY, SocketRecovered()), K.LIVE),
        ((Connected("me"), BUSY, RESET), K.OFFLINE),
        ((UNVERIFIED,), K.CONNECTING),
        ((UNVERIFIED, SocketVerified()), K.LIVE),
        ((UNVERIFIED, HttpSucceeded(1.0)), K.CONNECTING),
        ((UNVERIFIED, HttpFailed("slow", K.BUSY)), K.CONNECTING),
        ((UNVERIFIED, HttpFailed("who are you", K.UNAUTHORISED)), K.UNAUTHORISED),
        ((UNVERIFIED, HttpFailed("who are you", K.UNAUTHORISED), SocketVerified()), K.UNAUTHORISED),
        ((UNVERIFIED, BUSY, SocketRecovered(verified=False)), K.CONNECTING),
        ((UNVERIFIED, BUSY, SocketVerified()), K.BUSY),
        ((UNVERIFIED, RESET), K.OFFLINE),
        ((RESET, HttpSucceeded(1.0), UNVERIFIED), K.CONNECTING),
        ((RESET, SocketVerified()), K.OFFLINE),
        ((Connected("me"), IdentityMismatch("another"), SocketVerified()), K.OTHER_SERVER),
        ((UNANSWERED,), K.CONNECTING),
        ((UNANSWERED, HttpFailed("slow", K.BUSY), UNANSWERED), K.BUSY),
        ((UNANSWERED, HttpFailed("slow", K.BUSY), RESET), K.OFFLINE),
        ((UNANSWERED, HttpFailed("gone"), UNANSWERED), K.OFFLINE),
        ((Connected("me"), UNANSWERED), K.OFFLINE),
        ((RESET, HttpSucceeded(1.0), UNANSWERED), K.POLLING),
        ((Connected("me"), ORPHANED), K.ORPHANED),
        ((Connected("me"), ORPHANED, Connected("me")), K.LIVE),
        ((Connected("me"), ORPHANED, SocketRecovered()), K.LIVE),
        ((RESET, SocketRecovered()), K.OFFLINE),
        ((RESET, BUSY), K.OFFLINE),
        ((REFUSED,), K.UNAUTHORISED),
        ((REFUSED, HttpSucceeded(5.0)), K.POLLING),
        ((REFUSED, HttpFailed("who are you", K.UNAUTHORISED)), K.UNAUTHORISED),
        ((Disconnected("a page", kind=K.NOT_COMFYUI), HttpSucceeded(5.0)), K.POLLING),
        ((Connected("me"), IdentityMismatch("another")), K.OTHER_SERVER),
        ((Connected("me"), IdentityMismatch("another"), RESET, Connected("me"), HttpSucceeded(1.0)), K.OTHER_SERVER),
        ((Connected("me"), IdentityMismatch("another"), IdentityAccepted()), K.CONNECTING),
    ],
)
def test_events_decide_the_state_of_the_link(events: tuple[LinkEvent, ...], kind: LinkKind) -> None:
    assert link_after(*events).kind is kind


def test_an_open_socket_of_a_server_that_does_not_answer_has_a_reason() -> None:
    link = link_after(UNVERIFIED, HttpFailed("it does not answer"))
    assert (link.kind, link.reason, link.socket_open) == (K.CONNECTING, "it does not answer", True)


def test_since_is_when_the_state_began() -> None:
    assert link_after(Connected("me"), RESET, RESET, RESET).since == 2.0
    assert link_after(RESET, HttpSucceeded(1.0), HttpSucceeded(2.0)).since == 2.0


def test_a_polling_link_has_its_interval_and_the_reason_for_no_socket() -> None:
    link = link_after(Disconnected("no websocket there", 2.0), HttpSucceeded(3.0))
    assert (link.poll_interval, link.reason, link.retry_at) == (3.0, "no websocket there", 3.0)


@pytest.mark.parametrize(
    "event", [HttpSucceeded(1.0), SocketRecovered(), Connected("me"), HttpFailed("gone"), IdentityAccepted()]
)
def test_events_without_effect_return_the_same_link(event: LinkEvent) -> None:
    link = link_after(Connected("me"))
    assert reduce_link(link, event, 9.0) is link


@pytest.mark.parametrize(
    ("events", "behind"),
    [
        ((Connected("me"), Lagging(1.9)), 0),
        ((Connected("me"), Lagging(12.7)), 12),
        ((Connected("me"), Lagging(12.7), HttpSucceeded(1.0), Lagging(13.2)), 13),
        ((Connected("me"), Lagging(12.7), Lagging(0.1)), 0),
        ((Connected("me"), Lagging(12.7), RESET), 0),
        ((Connected("me"), Lagging(12.7), Connected("me")), 0),
        ((Connected("me"), BUSY, Lagging(12.7)), 0),
    ],
)
def test_a_live_link_reports_how_late_its_frames_are(events: tuple[LinkEvent, ...], behind: int) -> None:
    assert link_after(*events).lag_seconds == behind
