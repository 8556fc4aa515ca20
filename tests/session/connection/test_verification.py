"""A link is live only while the server's identity is verified, and what the user has to do is not taken from them."""

from collections.abc import Sequence

import pytest

from comfytui.session.connection.connection import Connection
from comfytui.session.connection.inputs import (
    ClientIdAdded,
    ClientIdRemoved,
    ErrorKind,
    Input,
    LagMeasured,
    PingsAnswered,
    PingsUnanswered,
    PollFailed,
    PollSucceeded,
    ReconnectRequested,
    RequestError,
    RequestUnauthorised,
    ServerSeen,
    ServerVerified,
    SocketClosed,
    SocketOpened,
    Started,
    StatsFailed,
    StatsReceived,
    TimerDue,
)
from comfytui.session.connection.machine import step
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState

IDLE = SessionState()
OPENED = (Started(["me"]), SocketOpened("me"))
SEEN = ServerSeen("known", "a server")
LIVE = (*OPENED, TimerDue(IDLE), SEEN, ServerVerified(1, 1), PollSucceeded(0.1, IDLE))
OTHER_LIVE = (
    Started(["me"]),
    ClientIdAdded("other"),
    SocketOpened("other"),
    SEEN,
    ServerVerified(1, 1),
    SocketOpened("me"),
)
"""The socket of another client id was verified, that of the first one was not."""
REMOVED = (ClientIdRemoved("other"), SocketClosed("other"))
REFUSED = RequestUnauthorised(RequestError(ErrorKind.FORBIDDEN, "refused"), ask_for_login=False)
DOWN = PollFailed(RequestError(ErrorKind.UNREACHABLE, "no answer"), 0.1)


def after(*inputs: Input) -> Connection:
    """The connection after these inputs, a second apart."""
    connection = Connection()
    for now, given in enumerate(inputs, 1_000):
        connection, _ = step(connection, given, float(now))
    return connection


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (OPENED, LinkKind.CONNECTING),
        (LIVE, LinkKind.LIVE),
        ((*OPENED, TimerDue(IDLE), DOWN), LinkKind.CONNECTING),
        ((*OPENED, StatsReceived("known", 1)), LinkKind.CONNECTING),
        ((*OPENED, SEEN, ServerVerified(0, 1)), LinkKind.CONNECTING),
        ((*OPENED, SEEN, ServerVerified(1, 0)), LinkKind.CONNECTING),
        ((*OPENED, PingsUnanswered(8.0), PingsAnswered()), LinkKind.CONNECTING),
        ((*LIVE, PingsUnanswered(8.0), PingsAnswered()), LinkKind.LIVE),
        ((*LIVE, ClientIdAdded("other"), SocketOpened("other")), LinkKind.LIVE),
        ((*LIVE, ClientIdAdded("other"), SocketOpened("other"), *REMOVED), LinkKind.LIVE),
        (OTHER_LIVE, LinkKind.LIVE),
        ((*OTHER_LIVE, *REMOVED), LinkKind.CONNECTING),
        ((*OTHER_LIVE, *REMOVED, StatsReceived("known", 2)), LinkKind.LIVE),
        ((*LIVE, ReconnectRequested(), SocketClosed("me")), LinkKind.CONNECTING),
        ((*LIVE, ReconnectRequested(), SocketClosed("me"), SocketOpened("me")), LinkKind.CONNECTING),
        ((*LIVE, SocketClosed("me", "reset"), TimerDue(IDLE), SocketOpened("me")), LinkKind.CONNECTING),
    ],
)
def test_a_link_is_live_once_the_server_was_verified_after_its_socket(inputs: Sequence[Input], kind: LinkKind) -> None:
    assert after(*inputs).link.kind is kind


@pytest.mark.parametrize(
    "inputs",
    [
        (StatsReceived("known", 1),),
        (ServerVerified(1, 1),),
        (PollSucceeded(0.1, IDLE), StatsFailed(), SEEN, ServerVerified(1, 3)),
        (PingsUnanswered(8.0), PingsAnswered()),
        (LagMeasured("me", 12.0),),
    ],
)
def test_a_refused_request_is_shown_until_the_user_connects_again(inputs: Sequence[Input]) -> None:
    connection = after(*LIVE, REFUSED, TimerDue(IDLE), *inputs)
    assert connection.link.kind is LinkKind.UNAUTHORISED
    assert connection.link.reason == "refused"
    again = after(*LIVE, REFUSED, TimerDue(IDLE), *inputs, ReconnectRequested(), SocketClosed("me"), SocketOpened("me"))
    assert again.link.kind is LinkKind.CONNECTING
    assert again.polls.requested


def test_a_link_whose_server_cannot_be_verified_says_why() -> None:
    link = after(*OPENED, TimerDue(IDLE), DOWN).link
    assert (link.kind, link.reason, link.socket_open) == (LinkKind.CONNECTING, "no answer", True)


def test_frames_that_were_late_before_the_server_was_verified_are_shown_as_late() -> None:
    assert after(*OPENED, LagMeasured("me", 12.7), SEEN, ServerVerified(1, 1)).link.lag_seconds == 12
