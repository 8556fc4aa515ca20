"""Footer, help and command palette offer only what the server can do."""

from dataclasses import replace

import pytest

from comfytui.session.model import JobStatus
from tests.fake_backend import ABLE, FakeBackend
from tests.ui.screen import screen


@pytest.mark.parametrize("able", [True, False])
async def test_jobs_of_a_server_that_cancels_none_have_no_cancel_key(able: bool) -> None:
    server = FakeBackend(instant=False, capabilities=replace(ABLE, cancel=able))
    async with screen(server, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="2")
        await it.until(lambda: len(server.submitted) == 2, "the batch")
        await it.press("escape", "home")
        await it.shows("? Help")
        await it.shows("running")
        assert ("x Cancel" in it.text) is able
        await it.press("x")
        if able:
            await it.shows("Interrupted.")
        else:
            await it.press("X")
            await it.shows("Cancel the remaining 2 images")
            await it.press("y")
            await it.shows("this server cannot cancel jobs")
            assert it.app.service is not None
            assert {job.status for job in it.app.service.state.jobs.values()} == {JobStatus.RUNNING, JobStatus.QUEUED}


async def test_what_is_not_sent_can_be_cancelled_on_any_server() -> None:
    server = FakeBackend(capabilities=replace(ABLE, cancel=False))
    async with screen(server, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        server.go_down()
        await it.generate("a lighthouse", images="1")
        await it.shows("not sent")
        await it.press("escape", "home")
        await it.shows("x Cancel")
        await it.press("x")
        await it.shows("Dropped before it was sent.")


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
