"""Workflows of the editor: the form waits for the server's node definitions, and is filled in when they are there."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from textual.widgets._toast import Toast
from textual.worker import Worker

from comfytui.cli.dashboard import workflow_to_show
from comfytui.comfy.errors import ServerError
from comfytui.comfy.protocol.models import Json
from comfytui.session.model import JobStatus
from comfytui.ui.drafts import DraftFolder
from comfytui.ui.form.input_controls import InputFilter
from comfytui.ui.screens.enlarged_prompt import EnlargedPromptScreen
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.editor.findings import Finding
from comfytui.workflow.graph import Workflow
from comfytui.workflow.unconverted import workflow_to_open
from tests.fake_backend import FakeBackend
from tests.ui.dashboard.test_open_workflows import dashboard_of, open_, text_in
from tests.ui.screen import Screen, screen
from tests.workflow.graphs.editor import editor_txt2img

WAITING = "Waiting for"


def editor_workflow(prompt: str = "a red fox") -> Workflow:
    return workflow_to_open(WorkflowDocument("fox", editor=editor_txt2img(prompt)))


def editor_screen(backend: FakeBackend, **changes: Any) -> AbstractAsyncContextManager[Screen]:
    return screen(backend, **{"workflow": editor_workflow()} | changes)


async def converted(it: Screen) -> None:
    await it.until(lambda: dashboard_of(it).context.form.workflow.graph, "the converted workflow")


async def test_the_form_is_filled_in_when_the_server_has_described_the_nodes() -> None:
    backend = FakeBackend()
    async with editor_screen(backend) as it:
        await converted(it)
        await it.shows("Prompt · fox")
        assert (text_in(it, "prompt"), text_in(it, "steps"), text_in(it, "width")) == ("a red fox", "4", "64")
        await it.generate("a blue fox")
        await it.has_jobs(*[JobStatus.SUCCEEDED] * 4)
        assert backend.submitted[0]["prompt"]["6"]["inputs"]["text"] == "a blue fox"


def hold_definitions(backend: FakeBackend) -> Event:
    """Have the server not answer with its definitions until the event is set."""
    answers, read = Event(), backend.definitions

    async def read_later() -> Mapping[str, Mapping[str, Json]]:
        while not answers.is_set():  # noqa: ASYNC110 - it is set in another loop
            await asyncio.sleep(0.01)
        return await read()

    setattr(backend, "definitions", read_later)  # noqa: B010 - a method to the type checker
    return answers


async def test_the_form_says_what_it_waits_for() -> None:
    backend = FakeBackend()
    answers = hold_definitions(backend)
    async with editor_screen(backend, size=(80, 24)) as it:
        await it.shows(WAITING)
        await it.press("x", "q", "f5")
        await it.shows("There is nothing to queue yet")
        assert it.app.is_running
        answers.set()
        await converted(it)
        await it.press("a")
        assert text_in(it, "prompt").replace("a red fox", "") == "a"
        assert WAITING not in it.text


async def test_a_draft_is_not_lost_while_the_form_waits(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with editor_screen(FakeBackend(), drafts=drafts) as it:
        await converted(it)
        await it.write("prompt", "mine")
    backend = FakeBackend()
    hold_definitions(backend)
    async with editor_screen(backend, drafts=drafts) as it:
        await it.shows(WAITING)
        await open_(it, txt2img())
        await open_(it, editor_workflow())
    async with editor_screen(FakeBackend(), drafts=drafts) as it:
        await converted(it)
        assert text_in(it, "prompt") == "mine"


async def test_what_is_typed_stays_when_another_server_has_other_nodes() -> None:
    backend = FakeBackend()
    async with editor_screen(backend) as it:
        await converted(it)
        await it.write("prompt", "mine")
        first = dashboard_of(it).context.form
        backend.described = {name: each for name, each in backend.described.items() if name != "EmptyLatentImage"}
        backend.go_down()
        await it.shows("offline")
        backend.is_up = True
        await it.until(lambda: dashboard_of(it).context.form is not first, "another form")
        await it.press("!")
        assert text_in(it, "prompt") == "mine!"


async def test_a_failure_to_read_the_definitions_is_said_and_ctrl_r_tries_again() -> None:
    backend = FakeBackend()

    async def refuse() -> Any:
        raise ServerError("The server has a fault (500).")

    read = backend.definitions
    setattr(backend, "definitions", refuse)  # noqa: B010 - a method to the type checker
    async with editor_screen(backend) as it:
        await it.shows("The server has a fault")
        setattr(backend, "definitions", read)  # noqa: B010 - a method to the type checker
        await it.press("ctrl+r")
        await converted(it)


async def test_a_workflow_that_cannot_be_queued_is_refused_with_the_reason() -> None:
    backend = FakeBackend()
    reason = "Its node 'Sharpen' is of a class that the server lacks."
    async with screen(backend) as it:
        blocked = Workflow(
            "blocked", txt2img().graph, txt2img().fields, findings=(Finding("circle", reason, None, True),)
        )
        await it.write("prompt", "x")
        await open_(
            it,
            Workflow("other", {**blocked.graph, "99": blocked.graph["9"]}, blocked.fields, findings=blocked.findings),
        )
        await it.shows("! Its node")
        await it.press("f5")
        await it.shows("This workflow cannot be queued.")
        it.app.clear_notifications()
        await it.write("steps", "many")  # What else is wrong does not matter.
        await it.press("f5")
        await it.shows("This workflow cannot be queued.")
        assert not backend.submitted


def test_both_formats_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    file.write_text(json.dumps(editor_txt2img()))
    workflow = workflow_to_show(str(file))
    assert workflow.name == "fox"
    assert not workflow.graph
    assert workflow_to_show(None).graph


async def test_what_the_server_lacks_is_said_when_the_workflow_opens() -> None:
    workflow = workflow_to_open(WorkflowDocument("fox", editor=editor_txt2img("a {red|blue} fox", model="gone")))
    async with editor_screen(FakeBackend(), workflow=workflow, size=(80, 24)) as it:
        await converted(it)
        assert text_in(it, "prompt") == "a {red|blue} fox"

        def messages() -> list[str]:
            return [str(toast._notification.message) for toast in it.app.screen.query(Toast)]

        await it.until(messages, "the message")
        assert messages()[-1].endswith("notes on this workflow: F6 shows them.")


async def test_filter_that_is_asked_for_before_the_form_is_filled_in_finds_its_inputs() -> None:
    backend = FakeBackend()
    answers = hold_definitions(backend)
    async with editor_screen(backend, size=(80, 24)) as it:
        await it.shows(WAITING)
        await it.press("ctrl+f")
        answers.set()
        await converted(it)
        await it.press(*"deno")
        panel = dashboard_of(it).context.form.inputs
        assert panel.query_one(InputFilter).has_focus
        assert panel.query_one(InputFilter).value == "deno"
        await it.shows("Denoise")
        await it.until(lambda: "All inputs" not in it.text, "the lines that are found")
        await it.press("escape")
        await it.shows("All inputs")


async def test_letters_that_are_typed_in_the_filter_of_a_form_that_waits_are_kept() -> None:
    backend = FakeBackend()
    answers = hold_definitions(backend)
    async with editor_screen(backend, size=(80, 24)) as it:
        await it.shows(WAITING)
        await it.press("ctrl+f", *"deno", "enter", "escape", "x", "ctrl+f", *"den")
        await it.shows("den")
        answers.set()
        await it.press("o")
        await converted(it)
        await it.press("i")
        await it.until(
            lambda: dashboard_of(it).context.form.inputs.query_one(InputFilter).value == "denoi", "the letters"
        )
        await it.shows("Denoise")
        await it.until(lambda: "All inputs" not in it.text, "the lines that are found")
        item = dashboard_of(it).context.form.inputs.inputs.current_item
        assert item is not None
        assert item.key == "denoise"


async def test_list_of_inputs_stays_as_it_is_when_the_server_describes_the_nodes_anew() -> None:
    backend = FakeBackend()
    async with editor_screen(backend) as it:
        await converted(it)
        await it.shows("live")
        form = dashboard_of(it).context.form
        form.inputs.inputs.focus()
        await it.press("end", "right", "down", "right", "down")
        item = form.inputs.inputs.current_item
        assert item is not None
        workflow = replace(form.workflow, findings=(Finding("deprecated", "Something else.", "1", blocks=False),))
        actions = dashboard_of(it).workflows
        dashboard_of(it).context.run(partial(actions._take_converted, actions.open.shown, workflow), "convert")
        await it.until(lambda: dashboard_of(it).context.form is not form, "another form")
        await it.pilot.pause()
        inputs = dashboard_of(it).context.form.inputs.inputs
        assert inputs.has_focus
        assert inputs.current_item is not None
        assert inputs.current_item.key == item.key


async def test_text_on_the_whole_screen_is_not_lost_when_the_server_describes_the_nodes_anew() -> None:
    async with editor_screen(FakeBackend()) as it:
        await converted(it)
        await it.shows("live")
        dashboard = dashboard_of(it)
        form, actions, entry = dashboard.context.form, dashboard.workflows, dashboard.workflows.open.shown
        await it.write("prompt", "a fox")
        await it.press("alt+z")
        await it.until(lambda: isinstance(it.app.screen, EnlargedPromptScreen), "the whole screen")
        workflow = replace(form.workflow, findings=(Finding("deprecated", "Something else.", "1", blocks=False),))
        taken: Worker[None] = dashboard.run_worker(partial(actions._take_converted, entry, workflow))
        await it.until(lambda: taken.is_finished, "the definitions")
        await it.press("space", "i", "n", "escape")
        await it.until(lambda: text_in(it, "prompt") == "a fox in", "the text in the form")
        await it.until(lambda: not entry.is_due, "another conversion")


async def test_form_that_is_filled_in_begins_with_its_first_label() -> None:
    backend = FakeBackend()
    answers = hold_definitions(backend)
    async with editor_screen(backend, size=(80, 24)) as it:
        await it.shows(WAITING)
        answers.set()
        await converted(it)
        await it.shows("Model")
        await it.until(lambda: it.app.screen.focused is dashboard_of(it).context.form.first_control, "the focus")
        await it.pilot.pause()
        assert it.text.splitlines()[2].split()[1] == "Prompt"


async def test_other_workflow_is_not_written_in_a_hidden_filter() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("live")
        await it.press("ctrl+f", *"den")
        await open_(it, editor_workflow())
        await converted(it)
        await it.press("a")
        assert text_in(it, "prompt").replace("a red fox", "") == "a"
