"""A subscriber that sleeps finds only the newest state and preview, and all other notifications."""

from comfytui.service.mailbox import MAX_QUEUED, Mailbox
from comfytui.service.notifications import PreviewReceived, SessionChanged, UserMessage
from comfytui.session.state import SessionState


def test_it_wakes_once_until_it_is_emptied() -> None:
    wakes: list[None] = []
    mailbox = Mailbox(lambda: wakes.append(None))
    for _ in range(1_000):
        mailbox.put(SessionChanged("server", SessionState()))
    assert len(wakes) == 1
    mailbox.take()
    mailbox.put(SessionChanged("server", SessionState()))
    assert len(wakes) == 2


def test_newer_states_and_previews_replace_older_ones_and_other_notifications_stay() -> None:
    mailbox = Mailbox(lambda: None)
    newest = SessionState(queue_remaining=3)
    mailbox.put(SessionChanged("server", SessionState()))
    mailbox.put(UserMessage("server", "one"))
    mailbox.put(PreviewReceived("server", "id", b"old"))
    mailbox.put(PreviewReceived("server", "id", b"new"))
    mailbox.put(UserMessage("server", "two"))
    mailbox.put(SessionChanged("server", newest))
    notifications = mailbox.take()
    assert [n.text for n in notifications if isinstance(n, UserMessage)] == ["one", "two"]
    assert [n.image for n in notifications if isinstance(n, PreviewReceived)] == [b"new"]
    assert [n.state for n in notifications if isinstance(n, SessionChanged)] == [newest]
    assert mailbox.take() == ()


def test_a_subscriber_that_never_takes_costs_bounded_memory() -> None:
    mailbox = Mailbox(lambda: None)
    for number in range(MAX_QUEUED * 3):
        mailbox.put(UserMessage("server", str(number)))
    assert len(mailbox.take()) == MAX_QUEUED
