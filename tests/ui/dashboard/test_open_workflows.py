"""Several workflows are open: each keeps what was typed in its form, and no key is lost between two forms."""

import asyncio
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.events import Key
from textual.widgets import Input, TextArea
from textual.worker import Worker

from comfytui.session.model import JobStatus
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.form_swap import swap_form
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.drafts import DraftFolder
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.input_list import InputList
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Workflow, apply_values, workflow_of
from tests.fake_backend import FakeBackend
from tests.settled_pilot import settled
from tests.ui.screen import Screen, screen
from tests.waiting import eventually


def other_workflow(name: str = "portrait", prompt: str = "a portrait") -> Workflow:
    return workflow_of(name, apply_values(txt2img(), {Field.PROMPT: prompt, Field.STEPS: 33}))


def dashboard_of(it: Screen) -> Dashboard:
    dashboard = it.app.screen_stack[-1]
    assert isinstance(dashboard, Dashboard)
    return dashboard


async def open_(it: Screen, workflow: Workflow, texts: dict[str, str] | None = None) -> None:
    """Have the dashboard open a workflow, as its commands do."""
    dashboard = dashboard_of(it)
    await dashboard.run_worker(dashboard.workflows.open_workflow(workflow, texts)).wait()
    await settled(it.app, within=5)


def text_in(it: Screen, field: str) -> str:
    control = dashboard_of(it).context.form.query_one(f"#{field}")
    return control.text if isinstance(control, TextArea) else str(getattr(control, "value"))  # noqa: B009


async def test_each_workflow_keeps_what_was_typed_in_its_form() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a red fox")
        await it.write("steps", "7x")
        await open_(it, other_workflow())
        assert (text_in(it, "prompt"), text_in(it, "steps")) == ("a portrait", "33")
        await it.write("prompt", "an old man")
        await open_(it, txt2img())
        assert (text_in(it, "prompt"), text_in(it, "steps")) == ("a red fox", "7x")
        await open_(it, other_workflow())
        assert text_in(it, "prompt") == "an old man"


async def test_the_title_names_the_workflow_and_counts_the_open_ones() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("Prompt · txt2img")
        await open_(it, other_workflow("por\x1b[31mtrait"))
        await it.shows("2/2 · por")
        assert "\x1b" not in it.text
        await open_(it, txt2img())
        await it.shows("1/2 · txt2img")


async def test_a_draft_is_there_again_at_the_next_start(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(FakeBackend(), drafts=drafts) as it:
        await open_(it, other_workflow())
        await it.write("prompt", "an old man")
        await open_(it, txt2img())
    async with screen(FakeBackend(), drafts=drafts) as it:
        await open_(it, other_workflow())
        assert text_in(it, "prompt") == "an old man"
    async with screen(FakeBackend(), drafts=drafts, fresh=True) as it:
        await open_(it, other_workflow())
        assert text_in(it, "prompt") == "a portrait"


async def test_undo_puts_the_form_back_until_the_new_one_is_edited() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "a red fox")
        await it.write("seed", "12")
        await open_(it, txt2img(), {"prompt": "recalled", "seed": "5", "seed-mode": "fixed", "steps": "9"})
        assert (text_in(it, "prompt"), text_in(it, "seed"), text_in(it, "steps")) == ("recalled", "5", "9")
        await it.press("ctrl+z")
        assert (text_in(it, "prompt"), text_in(it, "seed"), text_in(it, "steps")) == ("a red fox", "12", "20")
        await open_(it, other_workflow())
        await it.write("prompt", "mine")
        await it.press("ctrl+z")
        assert dashboard_of(it).context.form.workflow.name == "portrait"


async def test_undo_closes_a_workflow_that_was_opened_by_mistake() -> None:
    async with screen(FakeBackend()) as it:
        await open_(it, other_workflow())
        await it.shows("2/2")
        await it.press("ctrl+z")
        await it.shows("Prompt · txt2img")


async def test_undo_also_works_from_the_queue() -> None:
    async with screen(FakeBackend()) as it:
        await it.press("escape")
        await open_(it, other_workflow())
        await it.press("ctrl+z")
        await it.shows("Prompt · txt2img")
        assert it.app.focused is dashboard_of(it).context.panel.queue_list


async def test_no_key_is_lost_between_two_forms() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("prompt", "")
        dashboard = dashboard_of(it)
        for letter in "before":
            it.app.post_message(Key(letter, letter))
        worker = dashboard.run_worker(dashboard.workflows.open_workflow(other_workflow(prompt="")))
        await it.until(lambda: worker.is_finished or dashboard.context.form.workflow.name == "portrait", "the swap")
        for letter in "after":
            it.app.post_message(Key(letter, letter))
        await worker.wait()
        await it.until(lambda: text_in(it, "prompt") == "after", "the letters in the new form")
        await open_(it, txt2img())
        assert text_in(it, "prompt") == "before"


async def test_the_cursor_stays_in_a_field_whose_text_is_the_same() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("width", "640")
        await it.press("left")
        await open_(it, other_workflow("wide"), {"width": "640"})
        assert isinstance(it.app.focused, Input)
        assert it.app.focused.id == "width"
        await it.press("1")
        assert text_in(it, "width") == "6410"


async def test_a_batch_goes_on_although_its_form_is_gone() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.generate("a red fox")
        await open_(it, other_workflow())
        await it.until(lambda: it.app.service and it.app.service.state.batches, "the batch")


def answer_later(backend: FakeBackend) -> Event:
    """Let a server say what its nodes accept only when the event is set."""
    answers, read = Event(), backend.object_info

    async def read_later(class_type: str) -> Any:
        while not answers.is_set():  # noqa: ASYNC110 - it is set in another loop
            await asyncio.sleep(0.01)
        return await read(class_type)

    setattr(backend, "object_info", read_later)  # noqa: B010 - a method to the type checker
    return answers


async def test_batches_that_wait_for_choices_are_not_lost_without_a_question() -> None:
    backend = FakeBackend()
    answers = answer_later(backend)
    async with screen(backend) as it:
        await it.generate("a red fox", images="3")
        await it.until(lambda: dashboard_of(it).context.form.awaits_choices, "the batch to wait")
        await open_(it, other_workflow())
        await it.press("escape", "q")
        await it.shows("3 of your images are not sent yet")
        await it.press("n")
        await open_(it, txt2img())
        await it.generate("a blue fox", images="2")
        await it.until(lambda: dashboard_of(it).context.form.awaits_choices, "another batch to wait")
        await it.press("escape", "q")
        await it.shows("5 of your images are not sent yet")
        await it.press("n")
        answers.set()
        await it.until(lambda: len(backend.submitted) == 5, "the batches")


async def test_a_batch_that_waits_for_choices_is_sent_although_another_workflow_is_shown() -> None:
    backend = FakeBackend()
    answers = answer_later(backend)
    async with screen(backend) as it:
        await it.generate("a red fox", images="1")
        await it.until(lambda: dashboard_of(it).context.form.awaits_choices, "the batch to wait")
        await open_(it, other_workflow())
        assert not backend.submitted
        await open_(it, txt2img())
        await open_(it, other_workflow())
        answers.set()
        await it.until(lambda: backend.submitted, "the batch")
        prompt = backend.submitted[0]["prompt"]
        assert prompt["6"]["inputs"]["text"] == "a red fox"
        assert prompt["4"]["inputs"]["ckpt_name"]
        await it.has_jobs(JobStatus.SUCCEEDED)
        assert len(backend.submitted) == 1
        assert dashboard_of(it).context.form.workflow.name == "portrait"


async def test_a_form_that_is_swapped_while_the_program_ends_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    has_begun = asyncio.Event()

    async def swap_late(context: DashboardContext, new: PromptForm, *, same_workflow: bool) -> None:
        has_begun.set()
        await eventually(lambda: not context.form.query(InputList), "the end of the form's innermost widgets")
        await swap_form(context, new, same_workflow=same_workflow)

    async with screen(FakeBackend()) as it:
        await it.shows("live")
        monkeypatch.setattr("comfytui.ui.dashboard.workflow_actions.swap_form", swap_late)
        dashboard = dashboard_of(it)
        _: Worker[None] = dashboard.run_worker(partial(dashboard.workflows.open_workflow, other_workflow()))
        await has_begun.wait()
    assert not it.app.is_running
