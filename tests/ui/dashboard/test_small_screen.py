"""Screens below 100 columns: the page that a start opens with, and the cursor after F5."""

import pytest
from textual.widgets import TextArea

from comfytui.session.model import Batch
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.dashboard.pages import opens_with_form
from comfytui.ui.queue.queue_list import QueueList
from tests.fake_backend import FakeBackend
from tests.faults.proxy import proxy_to
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen

SMALL = (80, 24)
SLOW = SimConfig(steps_per_second=1, load_seconds=0)


def queue_other_clients_job(server: FakeBackend, count: int) -> None:
    """Let another client queue jobs."""
    for seed in range(count):
        server.add_job(text_to_image(seed=seed, steps=500))


def focused(it: Screen) -> str | None:
    return it.app.focused.id if it.app.focused else None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SessionState(), None),
        (SessionState(unobserved_since=5.0), None),
        (SessionState(unobserved_since=None), True),
        (SessionState(unobserved_since=None, queue_remaining=1), False),
        (SessionState(batches={"b": Batch("b", 1, "fox", ("p",), 0.0)}), False),
    ],
    ids=["connecting", "link lost before", "nothing queued", "something queued", "a batch of mine"],
)
def test_form_opens_if_queue_is_known_to_be_empty(state: SessionState, expected: bool | None) -> None:
    assert opens_with_form(state) is expected


async def test_first_start_takes_typed_text_as_prompt() -> None:
    server = FakeBackend()
    async with screen(server, SMALL) as it:
        for key in "axnq":
            it.app.simulate_key(key)
        await it.shows("live")
        await it.shows("Negative")
        await it.press(*"xl", "f5")
        await it.until(lambda: len(server.submitted) == 4, "the batch")
        assert {body["prompt"]["6"]["inputs"]["text"] for body in server.submitted} == {"axnqxl"}
        await it.shows("4 of 4 done")
        assert "Negative" not in it.text


async def test_start_with_jobs_opens_queue() -> None:
    server = FakeBackend(instant=False)
    queue_other_clients_job(server, 2)
    async with screen(server, SMALL) as it:
        await it.shows("next")
        await it.until(lambda: focused(it) == "queue-list", "the queue to take the keys")
        await it.press("x")
        await it.shows("belongs")


async def test_page_does_not_change_while_typing() -> None:
    async with SimServer(SLOW) as sim, proxy_to(sim.url) as proxy:
        for seed in range(2):
            sim.submissions.submit({"prompt": text_to_image(seed=seed, steps=500), "client_id": "somebody"})
        proxy.freeze()
        async with screen(proxy.url, SMALL) as it:
            await it.shows("Negative")
            await it.press("q")
            proxy.thaw()
            await it.shows("queue 2")
            await it.press("x")
            prompt = it.app.screen.query_one("#prompt", TextArea)
            assert (prompt.text, focused(it)) == ("qx", "prompt")


async def test_cursor_is_on_submitted_batch_and_visible() -> None:
    server = FakeBackend(instant=False)
    async with screen(server, SMALL) as it:
        await it.shows("live")
        queue_other_clients_job(server, 30)
        await it.shows("queue 30")
        await it.press(*"fox", "f5")
        await it.shows("1 of 4             30 ahead")
        await it.press("home")
        it.app.clear_notifications()  # They cover rows.
        await it.shows("▶")
        listed = it.app.screen.query_one(QueueList)
        await it.press("end")
        await it.shows("4 of 4")
        await it.press("n")
        await it.shows("Negative")
        await it.press("escape")
        await it.shows("4 of 4")
        assert listed.selected_id == listed.rows[-1].prompt_id


@pytest.mark.parametrize("size", [(200, 24), (160, 30), (120, 18)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_low_terminal_shows_queue(size: tuple[int, int]) -> None:
    server = FakeBackend(instant=False)
    async with screen(server, size) as it:
        queue_other_clients_job(server, 3)
        await it.shows("▶")
        await it.shows("2 ahead")
