"""The footer shows the keys that are useful now, and never cuts one in the middle."""

from dataclasses import replace

import pytest

from comfytui.session.model import Batch, BatchTag, JobStatus
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui import keys
from comfytui.ui.widgets.footer import PRIORITY, contextual_keys, fitting_keys, should_resend
from tests.fake_backend import FakeBackend
from tests.faults.proxy import proxy_to
from tests.presentation.queue_jobs import job, state_of
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen

SLOW = SimConfig(steps_per_second=4, load_seconds=0)
BINDINGS = [(binding, binding.key_display or binding.key) for binding in keys.DASHBOARD_BINDINGS]
CONTEXTUAL = frozenset({"cancel", "save", "again", "link", "reconnect"})


LOST, DONE, FAILED, RUNNING = JobStatus.LOST, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.RUNNING


def session(*batches: tuple[JobStatus, ...]) -> SessionState:
    """Return a session with these batches of mine; their jobs are named `0.0`, `0.1`, `1.0` and so on."""
    ids = [tuple(f"{at}.{index}" for index in range(len(batch))) for at, batch in enumerate(batches)]
    jobs = [
        job(each, status, batch_tag=BatchTag(each[0], 1, len(batch), ""))
        for batch, names in zip(batches, ids, strict=True)
        for each, status in zip(names, batch, strict=True)
    ]
    known = {str(at): Batch(str(at), len(names), "", names, 0.0) for at, names in enumerate(ids)}
    return replace(state_of(*jobs), batches=known)


@pytest.mark.parametrize(
    ("state", "selected", "descriptions"),
    [
        (session((DONE, LOST)), "0.1", {"cancel": "Dismiss", "again": "Resend"}),
        (session((DONE, LOST)), "0.0", {"again": "Resend"}),
        (session((DONE,), (LOST,)), "0.0", {}),
        (session((FAILED, LOST)), "0.0", {"again": "Retry"}),
        (session((RUNNING,), (LOST,)), "0.0", {"cancel": "Cancel", "again": "Resend"}),
        (session((RUNNING,), (DONE,)), "0.0", {"cancel": "Cancel"}),
        (session((LOST,)), None, {"again": "Resend"}),
    ],
)
def test_the_keys_are_described_by_what_they_do_to_the_selected_job(
    state: SessionState, selected: str | None, descriptions: dict[str, str]
) -> None:
    shown = contextual_keys(state, state.jobs[selected] if selected else None)
    assert {key: text for key, text in shown.items() if key in {"cancel", "again"}} == descriptions
    assert should_resend(state, state.jobs[selected] if selected else None) == (descriptions.get("again") == "Resend")


def test_lost_jobs_of_another_running_comfytui_cannot_be_resent() -> None:
    state = session((LOST,))
    theirs = replace(state, jobs={"0.0": replace(state.jobs["0.0"], owner="b")}, held_elsewhere=frozenset({"b"}))
    assert "again" not in contextual_keys(theirs, theirs.jobs["0.0"])


def footer(it: Screen) -> str:
    return it.text.splitlines()[-1]


def test_every_key_that_may_be_shown_has_a_priority() -> None:
    assert {binding.id for binding, _ in BINDINGS if binding.show or binding.id in CONTEXTUAL} <= set(PRIORITY)


def test_a_narrow_footer_shows_the_most_important_keys() -> None:
    assert fitting_keys(BINDINGS, CONTEXTUAL, 20) == {"generate"}
    assert fitting_keys(BINDINGS, CONTEXTUAL, 60) >= {"generate", "again", "link", "leave"}
    assert fitting_keys(BINDINGS, CONTEXTUAL, 200) >= CONTEXTUAL | {"filter", "write", "help", "detach"}
    assert not fitting_keys(BINDINGS, frozenset(), 200) & CONTEXTUAL


async def test_escape_is_described_by_what_it_leaves() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("live")
        await it.until(lambda: "esc Commands" in footer(it), "the way out of the form")
        await it.press("escape")
        await it.until(lambda: "esc" not in footer(it) and "q Detach" in footer(it), "nothing to leave")
        await it.press("slash", *"fox")
        await it.until(lambda: "esc Clear filter" in footer(it), "the way out of the filter")
        await it.press("enter")
        await it.until(lambda: "esc Clear filter" in footer(it) and "q Detach" in footer(it), "the filtered list")
        await it.press("n")
        await it.until(lambda: "esc Commands" in footer(it), "the form again")
        await it.press("escape")
        await it.until(lambda: "esc Clear filter" in footer(it), "the filter, still there")
        await it.press("escape")
        await it.until(lambda: "esc" not in footer(it), "the end of the filter")


async def test_an_empty_list_offers_no_job_to_show() -> None:
    server = FakeBackend()
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.press("escape")
        await it.until(lambda: "q Detach" in footer(it), "the commands")
        assert "Show" not in footer(it)
        server.add_job(text_to_image())
        await it.until(lambda: "enter Show" in footer(it) and "s Save" in footer(it), "a job to show")
        await it.press("slash", *"nosuchjob", "enter")
        await it.until(lambda: "esc Clear filter" in footer(it) and "Show" not in footer(it), "an empty list again")
        assert "Save" not in footer(it)


async def test_an_open_menu_shows_how_it_is_closed() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one("#sampler").focus()
        await it.press("enter")
        await it.until(lambda: "esc Dismiss menu" in footer(it), "the way out")


@pytest.mark.parametrize("columns", [60, 80, 100])
async def test_with_lost_jobs_and_a_broken_link_the_keys_that_help_are_shown(columns: int) -> None:
    async with SimServer(SLOW) as sim, proxy_to(sim.url) as proxy, screen(proxy.url, (columns, 24)) as it:
        await it.shows("live")
        await it.generate("a lighthouse", images="2", steps="2000")
        await it.shows("Image 1 of 2 - Step")
        await it.has_jobs(RUNNING, JobStatus.QUEUED)
        await it.press("escape", "home")
        await it.until(lambda: "x Cancel" in footer(it), "a job to cancel")
        assert "Resend" not in footer(it)
        assert "Reconnect" not in footer(it)
        await sim.restart()
        await it.until(lambda: "x Dismiss" in footer(it) and "r Resend" in footer(it), "lost jobs")
        proxy.go_down()
        proxy.reset_connections()
        await it.until(lambda: "l Link  ctrl+r Reconnect" in footer(it), "the broken link")
        assert "r Resend" in footer(it)
        assert len(footer(it)) <= columns
        assert footer(it).split()[-1] in {binding.description for binding in keys.DASHBOARD_BINDINGS}
        await proxy.come_up()
        await it.until(lambda: "Reconnect" not in footer(it), "the mended link")
        await it.press("X")
        await it.shows("Dismiss 2 lost jobs of this batch?")
        await it.press("y")
        await it.until(lambda: "Resend" not in footer(it), "the lost ones to be dismissed")
        assert "x " not in footer(it)
