"""The key `e`: the form shows what a job was made of, as values of an open workflow or as a workflow of its own."""

import copy
from typing import Any
from uuid import uuid4

from textual.widgets import Input, Select, TextArea

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.dashboard.screen import Dashboard
from comfytui.ui.queue.queue_list import QueueList
from comfytui.workflow.graph import workflow_of
from tests.fake_backend import FakeBackend
from tests.sim.graphs import text_to_image, two_seeds
from tests.ui.dashboard.test_open_workflows import open_
from tests.ui.screen import Screen, screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
FAILING = SimConfig(steps_per_second=0, load_seconds=0, fail_step=1)


def dashboard_of(it: Screen) -> Dashboard:
    dashboard = it.app.screen_stack[1]
    assert isinstance(dashboard, Dashboard)
    return dashboard


def form_texts(it: Screen, *fields: str) -> list[str]:
    """Return the texts of fields; those of a form that is just being replaced are empty."""
    texts = dashboard_of(it).context.form.texts()
    return [texts.get(field, "") for field in fields]


async def end_job_of_another_client(it: Screen, sim: SimServer, graph: dict[str, Any]) -> None:
    """Have another client's job end, and read the queue and the history again, with the focus in the queue."""
    async with ComfyClient(Server.from_url(sim.url)) as client:
        await client.submit(graph, prompt_id=str(uuid4()), client_id="they", tag={})
        await it.until(lambda: sim.queue.history, "its end")
    await it.press("escape", "ctrl+r")


def controls(it: Screen) -> dict[str, Any]:
    return {each.id or "": each for each in dashboard_of(it).context.form.query("TextArea, Input, Select")}


async def test_a_job_of_the_open_workflow_fills_its_form_and_can_be_made_again() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.shows("live")
        await it.generate("a red fox", steps="7", images="2")
        await it.shows("2 of 2 done")
        sent = backend.submitted[1]["prompt"]
        await it.write("prompt", "something else")
        await it.write("steps", "30")
        await it.press("escape", "home", "e")
        await it.shows("The form shows what this job was made of")
        wanted = [sent["6"]["inputs"]["text"], "7", str(sent["3"]["inputs"]["seed"]), "fixed", "1"]
        assert form_texts(it, "prompt", "steps", "seed", "seed-mode", "images") == wanted
        assert isinstance(it.app.focused, TextArea | Input | Select)
        await it.press("f5")
        await it.until(lambda: len(backend.submitted) == 3, "the job once more")
        assert backend.submitted[2]["prompt"] == sent


async def test_undo_puts_back_what_was_typed() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.shows("live")
        await it.generate("a red fox", images="1")
        await it.shows("1 of 1 done")
        await it.write("prompt", "something else")
        await it.write("steps", "3x")
        await it.press("escape", "home", "e")
        await it.until(lambda: form_texts(it, "prompt") == ["a red fox"], "the prompt")
        await it.press("ctrl+z")
        await it.until(lambda: form_texts(it, "prompt", "steps") == ["something else", "3x"], "the form before it")


async def test_undo_gives_a_workflow_that_was_not_shown_its_draft_back() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.shows("live")
        await it.generate("a red fox", images="1")
        await it.shows("1 of 1 done")
        await it.write("prompt", "something else")
        await open_(it, workflow_of("other", two_seeds()))
        await it.shows("2/2 · other")
        await it.press("escape", "home", "e")
        await it.shows("1/2 · txt2img")
        assert form_texts(it, "prompt") == ["a red fox"]
        await it.press("ctrl+z")
        await it.shows("2/2 · other")
        await it.press("ctrl+o", *"txt2img", "enter")
        await it.shows("1/2 · txt2img")
        assert form_texts(it, "prompt") == ["something else"]


async def test_another_clients_job_is_opened_as_a_workflow_of_its_own() -> None:
    async with SimServer(QUICK) as sim, screen(sim.url, (120, 40)) as it:
        await it.shows("live")
        await end_job_of_another_client(it, sim, two_seeds())
        await it.shows("✓ they")
        await it.press("home", "e")
        await it.shows("2/2 · ")
        assert "seed-2" in controls(it)
        await it.press("ctrl+z")
        await it.shows("Prompt · txt2img")


async def test_a_job_is_recalled_from_its_image() -> None:
    backend = FakeBackend()
    async with screen(backend, (80, 24)) as it:
        await it.shows("live")
        await it.generate("a red fox", images="1")
        await it.shows("1 of 1 done")
        await it.write("prompt", "something else")
        await it.press("escape", "home", "enter")
        await it.shows("Edit")
        await it.press("e")
        await it.until(lambda: form_texts(it, "prompt") == ["a red fox"], "the prompt")
        assert it.app.screen is dashboard_of(it)
        await it.shows("Negative")


async def test_a_job_that_only_its_image_remembers_is_recalled() -> None:
    async with SimServer(QUICK) as sim, screen(sim.url, (120, 40)) as it:
        await it.shows("live")
        await end_job_of_another_client(it, sim, two_seeds())
        await it.shows("✓ they")
        sim.queue.history.clear()
        await it.press("home", "e")
        await it.shows("2/2 · ")


async def test_a_job_whose_graph_is_gone_leaves_the_form_as_it_is() -> None:
    async with SimServer(FAILING) as sim, screen(sim.url, (120, 40)) as it:
        await it.shows("live")
        await it.write("prompt", "mine")
        await end_job_of_another_client(it, sim, text_to_image(seed=1))
        await it.shows("✗ they")
        sim.queue.history.clear()
        await it.press("home", "e")
        await it.shows("neither comfytui nor")
        assert form_texts(it, "prompt") == ["mine"]


async def test_without_a_job_there_is_nothing_to_recall() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("live")
        await it.press("escape", "e")
        await it.shows("Select a job first.")


async def test_a_model_that_the_server_does_not_have_stays_and_is_marked() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.shows("live")
        await it.generate("a red fox", images="1")
        await it.shows("1 of 1 done")
        gone = copy.deepcopy(backend.submitted[0]["prompt"])
        gone["4"]["inputs"]["ckpt_name"] = "gone.safetensors"
        nodes, backend.nodes = backend.nodes, catalogue(SimConfig(checkpoints=("gone.safetensors",)))
        prompt_id = backend.add_job(gone)
        backend.nodes = nodes
        await it.press("escape", "ctrl+r")
        rows = it.app.screen.query_one(QueueList)
        await it.until(lambda: rows.select(prompt_id), "the other client's job")
        await it.press("e")
        await it.until(lambda: it.app.screen.query("#model.-wrong"), "the mark")
        assert form_texts(it, "model") == ["gone.safetensors"]
        await it.press("f5")
        assert len(backend.submitted) == 1
        await it.press("ctrl+z")
        await it.until(lambda: form_texts(it, "model") != ["gone.safetensors"], "the model before it")


async def test_another_clients_braces_are_not_expanded() -> None:
    backend = FakeBackend()
    text = "a {red|blue} fox <lora:none:1>"
    async with screen(backend) as it:
        await it.shows("live")
        await it.press("escape")
        prompt_id = backend.add_job(text_to_image(text=text))
        await it.press("ctrl+r")
        rows = it.app.screen.query_one(QueueList)
        await it.until(lambda: rows.select(prompt_id), "the other client's job")
        await it.press("e")
        await it.until(lambda: form_texts(it, "prompt") == [r"a \{red|blue\} fox \<lora:none:1>"], "the prompt")
        await it.press("f5")
        await it.until(lambda: backend.submitted, "the job once more")
        assert backend.submitted[0]["prompt"]["6"]["inputs"]["text"] == text


async def test_an_image_of_a_grid_brings_back_the_template_and_its_own_values() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.shows("live")
        await it.generate("a {red|blue} fox", steps="7, 9", images="1")
        await it.shows("2 of 2 done")
        await it.write("prompt", "something else")
        await it.press("escape")
        await it.shows("Steps 7 · a ")
        rows = it.app.screen.query_one(QueueList)
        sent = backend.submitted[1]
        await it.until(lambda: rows.select(sent["prompt_id"]), "the second image")
        await it.press("enter")
        await it.shows("Image 2 of 2   Steps 9   ")
        await it.press("e")
        await it.until(lambda: form_texts(it, "prompt", "steps") == ["a {red|blue} fox", "9"], "the template")
        await it.press("f5")
        await it.until(lambda: len(backend.submitted) == 3, "the job once more")
        graph = backend.submitted[2]["prompt"]
        assert [graph[node_id]["inputs"] for node_id in graph] == [
            sent["prompt"][node_id]["inputs"] for node_id in graph
        ]


async def test_a_value_that_only_the_list_of_inputs_has_is_recalled_in_the_same_workflow() -> None:
    backend = FakeBackend()
    async with screen(backend) as it:
        await it.shows("live")
        await it.generate("a red fox", images="1")
        await it.shows("1 of 1 done")
        graph = copy.deepcopy(backend.submitted[0]["prompt"])
        graph["3"]["inputs"]["denoise"] = 0.5
        graph["5"]["inputs"]["batch_size"] = 2
        prompt_id = backend.add_job(graph)
        await it.press("escape", "ctrl+r")
        rows = it.app.screen.query_one(QueueList)
        await it.until(lambda: rows.select(prompt_id), "the other client's job")
        await it.press("e")
        await it.until(lambda: form_texts(it, "denoise", "5.batch_size") == ["0.5", "2"], "the values")
        assert "Prompt · txt2img" in it.text
        await it.press("f5")
        await it.until(lambda: len(backend.submitted) == 2, "the job once more")
        assert backend.submitted[1]["prompt"] == graph
