"""How the link goes from state to state."""

import pytest

from comfytui.session.connection import link_after
from comfytui.session.events import (
    Answered,
    BoxChanged,
    Connected,
    Disconnected,
    Heard,
    Lagging,
    LinkEvent,
    Quiet,
    Unanswered,
)
from comfytui.session.model import Link, LinkKind

K = LinkKind
CUT = Disconnected("cut", 2.0)
VAGUE = Disconnected("not answered", 2.0, vague=True)
DEAF, BUSY = Quiet(deaf=True, reason="deaf"), Quiet(deaf=False, reason="busy")
SHUT = Disconnected("who are you", kind=K.UNAUTHORISED)


def after(*events: LinkEvent) -> Link:
    link = Link()
    for second, event in enumerate(events, 1):
        link = link_after(link, event, float(second))
    return link


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ((), K.CONNECTING),
        ((Connected("me"),), K.LIVE),
        ((Connected("me"), CUT), K.OFFLINE),
        ((CUT, Answered(1.0)), K.POLLING),
        ((CUT, Answered(1.0), CUT), K.POLLING),
        ((CUT, Answered(1.0), Unanswered("gone")), K.OFFLINE),
        ((CUT, Answered(1.0), Unanswered("slow", K.BUSY)), K.BUSY),
        ((CUT, Answered(1.0), Unanswered("slow", K.BUSY), Answered(1.0)), K.POLLING),
        ((CUT, Answered(1.0), Connected("me")), K.LIVE),
        ((Connected("me"), Answered(1.0)), K.LIVE),
        ((Connected("me"), Unanswered("gone")), K.LIVE),
        ((Connected("me"), BUSY), K.BUSY),
        ((Connected("me"), BUSY, Heard()), K.LIVE),
        ((Connected("me"), BUSY, CUT), K.OFFLINE),
        ((VAGUE,), K.CONNECTING),
        ((VAGUE, Unanswered("slow", K.BUSY), VAGUE), K.BUSY),
        ((VAGUE, Unanswered("slow", K.BUSY), CUT), K.OFFLINE),
        ((VAGUE, Unanswered("gone"), VAGUE), K.OFFLINE),
        ((Connected("me"), VAGUE), K.OFFLINE),
        ((CUT, Answered(1.0), VAGUE), K.POLLING),
        ((Connected("me"), DEAF), K.DEAF),
        ((Connected("me"), DEAF, Connected("me")), K.LIVE),
        ((Connected("me"), DEAF, Heard()), K.LIVE),
        ((CUT, Heard()), K.OFFLINE),
        ((CUT, BUSY), K.OFFLINE),
        ((SHUT,), K.UNAUTHORISED),
        ((SHUT, Answered(5.0)), K.POLLING),
        ((SHUT, Unanswered("who are you", K.UNAUTHORISED)), K.UNAUTHORISED),
        ((Disconnected("a page", kind=K.NOT_COMFYUI), Answered(5.0)), K.POLLING),
        ((Connected("me"), BoxChanged("another")), K.OTHER_BOX),
        ((Connected("me"), BoxChanged("another"), CUT, Connected("me"), Answered(1.0)), K.OTHER_BOX),
        ((Connected("me"), BoxChanged("another"), BoxChanged(taken=True)), K.CONNECTING),
    ],
)
def test_the_link_is_what_the_last_news_make_of_it(events: tuple[LinkEvent, ...], kind: LinkKind) -> None:
    assert after(*events).kind is kind


def test_since_is_when_the_state_began_and_not_when_it_was_last_told() -> None:
    assert after(Connected("me"), CUT, CUT, CUT).since == 2.0
    assert after(CUT, Answered(1.0), Answered(2.0)).since == 2.0


def test_a_poll_says_how_often_and_why_there_is_no_socket() -> None:
    link = after(Disconnected("no websocket there", 2.0), Answered(3.0))
    assert (link.pause, link.reason, link.retry_at) == (3.0, "no websocket there", 3.0)


@pytest.mark.parametrize("event", [Answered(1.0), Heard(), Connected("me"), Unanswered("gone"), BoxChanged(taken=True)])
def test_what_says_nothing_new_changes_nothing(event: LinkEvent) -> None:
    link = after(Connected("me"))
    assert link_after(link, event, 9.0) is link


@pytest.mark.parametrize(
    ("events", "behind"),
    [
        ((Connected("me"), Lagging(1.9)), 0),
        ((Connected("me"), Lagging(12.7)), 12),
        ((Connected("me"), Lagging(12.7), Answered(1.0), Lagging(13.2)), 13),
        ((Connected("me"), Lagging(12.7), Lagging(0.1)), 0),
        ((Connected("me"), Lagging(12.7), CUT), 0),
        ((Connected("me"), Lagging(12.7), Connected("me")), 0),
        ((Connected("me"), BUSY, Lagging(12.7)), 0),
    ],
)
def test_a_live_link_tells_how_late_its_frames_are(events: tuple[LinkEvent, ...], behind: int) -> None:
    assert after(*events).behind == behind
