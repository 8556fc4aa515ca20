"""Results that arrive while a screen is closing are harmless."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from textual.widget import Widget

from comfytui.comfy.server import Server
from comfytui.service.thread import ServiceThread
from comfytui.ui.dashboard import form_actions, now_images
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.form.form import PromptForm
from comfytui.ui.options import Options
from comfytui.ui.screens import job
from comfytui.ui.screens.job import JobScreen
from comfytui.ui.widgets.now_panel import NowPanel
from comfytui.workflow.graph import workflow_of
from tests.fake_backend import FakeBackend
from tests.sim.graphs import text_to_image
from tests.ui.screen import screen
from tests.waiting import eventually

SMALL = workflow_of("small", text_to_image())


def delay_until_closing(
    monkeypatch: pytest.MonkeyPatch, place: tuple[object, str], leaving: type[Widget], group: str
) -> threading.Event:
    """Let the answer to a question come while a widget goes, when all within it has gone; set once it was asked."""
    module, name = place
    ask: Callable[..., Awaitable[Any]] = getattr(module, name)
    asked, due = threading.Event(), threading.Event()

    async def answer(*args: Any) -> Any:
        given = await ask(*args)
        asked.set()
        await asyncio.to_thread(due.wait)
        return given

    async def on_unmount(widget: Widget) -> None:
        due.set()
        await eventually(
            lambda: all(worker.is_finished for worker in widget.app.workers if worker.group == group), "the answer"
        )

    monkeypatch.setattr(module, name, answer)
    monkeypatch.setattr(leaving, "on_unmount", on_unmount, raising=False)
    return asked


@pytest.mark.parametrize("described", [True, False])
async def test_choices_arrive_while_dashboard_closes(monkeypatch: pytest.MonkeyPatch, *, described: bool) -> None:
    leaving = PromptForm if described else Dashboard
    asked = delay_until_closing(monkeypatch, (form_actions, "fetch_specs"), leaving, "choices")
    server = FakeBackend()
    if not described:
        server.described = {}
    async with screen(server, workflow=SMALL) as it:
        await it.until(asked.is_set, "the question")


async def test_finished_image_arrives_while_dashboard_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = delay_until_closing(monkeypatch, (now_images, "fetch_for_display"), NowPanel, "finished")
    async with screen(FakeBackend(), workflow=SMALL) as it:
        await it.shows("live")
        await it.press("f5")
        await it.until(asked.is_set, "the question")
        await it.shows("4 of 4 done")


async def test_image_arrives_while_job_screen_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = delay_until_closing(monkeypatch, (job, "fetch_for_display"), JobScreen, "image")
    async with screen(FakeBackend(), workflow=SMALL, previews=False) as it:
        await it.shows("live")
        await it.press("f5")
        await it.shows("4 of 4 done")
        await it.press("escape", "home", "enter")
        await it.until(asked.is_set, "the question")
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, Dashboard), "the dashboard")
        await it.shows("4 of 4 done")


async def test_state_is_painted_while_the_program_closes_over_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    painted = []

    async def on_unmount(screen: JobScreen) -> None:
        dashboard = next(each for each in screen.app.screen_stack if isinstance(each, Dashboard))
        dashboard._paint()
        painted.append(screen)

    monkeypatch.setattr(JobScreen, "on_unmount", on_unmount, raising=False)
    async with screen(FakeBackend(), workflow=SMALL) as it:
        await it.shows("live")
        await it.press("f5")
        await it.shows("4 of 4 done")
        await it.press("escape", "home", "enter")
        await it.shows("Image 4 of 4")
    assert painted


@pytest.mark.parametrize("action", ["link", "reconnect", "help", "previews", "write", "filter", "save", "cancel"])
async def test_keys_are_checked_without_the_queue_that_a_closing_screen_no_longer_has(action: str) -> None:
    service = ServiceThread(Server.from_url("127.0.0.1:1"))
    options = Options(SMALL, Path("unused"), demo=lambda: nullcontext(""), remember_server=lambda _: None)
    assert Dashboard(service, options, columns=120).check_action(action, ())
