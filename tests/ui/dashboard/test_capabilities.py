"""Footer, help and command palette offer only what the server can do."""

from dataclasses import replace

import pytest

from comfytui.session.delivery import Delivery
from comfytui.session.model import Batch, BatchTag, JobStatus
from comfytui.session.selectors import cancellable_jobs
from comfytui.ui.keys import DASHBOARD_BINDINGS, REQUIREMENTS
from tests.fake_backend import ABLE, FakeBackend
from tests.presentation.queue_jobs import job, state_of
from tests.ui.screen import Screen, screen

UNABLE = replace(ABLE, cancel=False)
KEYS = ("Cancel the selected job", "Cancel the rest of the selected job's batch")
"""What the help says about `x` and `X`."""


async def help_lists(it: Screen) -> list[bool]:
    """Return whether the help lists each of `KEYS`."""
    await it.press("question_mark")
    await it.shows("Go to the prompt form")
    listed = [key in it.text for key in KEYS]
    await it.press("escape")
    return listed


async def palette_lists(it: Screen) -> bool:
    """Return whether the command palette lists what cancels; close it."""
    await it.press("ctrl+p", *"batch")
    await it.until(lambda: KEYS[1] in it.text or "No matches" in it.text, "the search")
    listed = KEYS[1] in it.text
    await it.press("escape")
    return listed


@pytest.mark.parametrize("able", [True, False])
async def test_jobs_of_a_server_that_cancels_none_have_no_cancel_keys(able: bool) -> None:
    server = FakeBackend(instant=False, capabilities=replace(ABLE, cancel=able))
    async with screen(server, (160, 50)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="2")
        await it.until(lambda: len(server.submitted) == 2, "the batch")
        await it.press("escape", "home")
        await it.shows("? Help")
        await it.has_jobs(JobStatus.RUNNING, JobStatus.QUEUED)
        await it.until(lambda: ("x Cancel" in it.text) is able, "the footer")
        assert await help_lists(it) == [able, able]
        assert await palette_lists(it) is able
        if able:
            await it.press("x")
            await it.shows("Interrupted.")
        else:
            await it.press("x", "X")
            await it.pilot.pause()
            assert "Cancel" not in it.text
            assert "cannot cancel" not in it.text
            await it.has_jobs(JobStatus.RUNNING, JobStatus.QUEUED)


async def test_a_server_that_cancels_none_has_no_cancel_keys_in_an_empty_list() -> None:
    async with screen(FakeBackend(capabilities=UNABLE), (160, 50)) as it:
        await it.shows("dreamshaper_8")
        await it.press("escape")
        assert await help_lists(it) == [False, False]


@pytest.mark.parametrize(
    ("key", "question", "result"),
    [
        ("x", "", "Dropped before it was sent."),
        ("X", "Cancel the remaining 2 images of this batch?", "2 dropped before they were sent."),
    ],
)
async def test_what_is_not_sent_can_be_cancelled_on_any_server(key: str, question: str, result: str) -> None:
    server = FakeBackend(capabilities=UNABLE)
    async with screen(server, (160, 50)) as it:
        await it.shows("dreamshaper_8")
        server.go_down()
        await it.generate("a lighthouse", images="2")
        await it.shows("not sent")
        await it.press("escape", "home")
        await it.shows("x Cancel")
        assert await help_lists(it) == [True, True]
        await it.press(key)
        if question:
            await it.shows(question)
            await it.press("y")
        await it.shows(result)


@pytest.mark.parametrize("delivery", [Delivery.SENDING, Delivery.UNCONFIRMED, Delivery.ACCEPTED])
def test_only_what_comfytui_can_do_alone_is_cancelled_without_the_server(delivery: Delivery) -> None:
    batch = Batch("b", 3, "", ("planned", "there", "lost"), 0.0)
    tags = [BatchTag("b", at, 3, "") for at in (1, 2, 3)]
    planned = job("planned", JobStatus.SUBMITTING, delivery=Delivery.PLANNED, batch_tag=tags[0])
    status = JobStatus.QUEUED if delivery is Delivery.ACCEPTED else JobStatus.SUBMITTING
    there = job("there", status, delivery=delivery, batch_tag=tags[1])
    lost = job("lost", JobStatus.LOST, batch_tag=tags[2])
    state = replace(state_of(planned, there, lost), batches={"b": batch}, capabilities=UNABLE)
    cancel, cancel_batch = REQUIREMENTS["cancel"], REQUIREMENTS["cancel_batch"]
    assert [cancel(state, each) for each in (planned, there, lost, None)] == [True, False, True, False]
    assert cancellable_jobs(state, batch) == [planned, lost]
    assert cancel_batch(state, there)
    alone = replace(state, jobs={"there": there})
    assert not cancel_batch(alone, there)
    able = replace(state, capabilities=ABLE)
    assert cancellable_jobs(able, batch) == [planned, there, lost]
    assert cancel(able, None)
    assert cancel_batch(able, None)


def test_requirements_are_of_actions_that_have_a_key() -> None:
    assert REQUIREMENTS.keys() <= {binding.action for binding in DASHBOARD_BINDINGS}


@pytest.mark.parametrize("able", [True, False])
async def test_previews_can_be_switched_where_the_server_sends_them(able: bool) -> None:
    async with screen(FakeBackend(capabilities=replace(ABLE, previews=able)), (120, 50)) as it:
        await it.shows("dreamshaper_8")
        await it.press("escape", "question_mark")
        await it.shows("Go to the prompt form")
        assert ("Live previews" in it.text) is able
        await it.press("escape", "ctrl+p", *"previews")
        await it.shows("Live previews" if able else "No matches")
        await it.press("escape", "p")
        await it.pilot.pause()
        assert ("Previews off" in it.text) is able
