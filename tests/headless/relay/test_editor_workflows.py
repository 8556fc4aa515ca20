"""Workflows in the editor's format through the relay: they are converted for the server, or refused before that."""

from pathlib import Path
from typing import Any

from comfytui.sim.server import SimServer
from tests.headless.relay.running import running_relay
from tests.headless.relay.test_commands import QUICK, ended, generate
from tests.threaded_servers import unused_port
from tests.timings import FAST, timings
from tests.waiting import TIMEOUT, eventually
from tests.workflow.graphs.editor import MODEL, editor_txt2img, with_unknown_class

PATIENT = timings(
    FAST,
    http={"connect": TIMEOUT, "get_read": TIMEOUT, "post_read": TIMEOUT},
    socket={"open": TIMEOUT, "ping_interval": TIMEOUT, "ping_timeout": TIMEOUT},
)
"""Has a machine that stands still for a while not be taken for a server that is away."""


async def test_a_workflow_of_the_editor_is_converted_and_its_fields_are_set() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        body = {"workflow": editor_txt2img(), "values": {"prompt": "a blue door"}, "seed": 5, "images": 2}
        status, answer = await generate(relay, body)
        assert (status, answer["seeds"]) == (202, [{"seed": 5}, {"seed": 6}])
        assert (await ended(relay, answer["batchId"]))["event"] == "done"
        first = sim.submitted[0]["prompt"]
        assert first["6"]["inputs"] == {"text": "a blue door", "clip": ["4", 1]}
        assert first["3"]["inputs"]["steps"] == 4


async def test_a_dynamic_prompt_of_the_file_is_drawn_for_each_image_and_a_given_one_is_not() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        body: dict[str, Any] = {"workflow": editor_txt2img("a {red|blue} fox // note"), "images": 12, "seed": 5}
        _, answer = await generate(relay, body)
        await ended(relay, answer["batchId"])
        texts = [each["prompt"]["6"]["inputs"]["text"] for each in sim.submitted]
        assert set(texts) == {"a red fox ", "a blue fox "}
        _, answer = await generate(relay, {**body, "values": {"prompt": "{x|y}"}, "images": 1})
        await ended(relay, answer["batchId"])
        assert sim.submitted[-1]["prompt"]["6"]["inputs"]["text"] == "{x|y}"


async def test_what_does_not_keep_a_workflow_from_being_queued_is_in_the_answer() -> None:
    workflow = editor_txt2img("a {red|blue} fox", model="missing.safetensors")
    body: dict[str, Any] = {"workflow": workflow, "values": {"model": MODEL}}
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        status, answer = await generate(relay, body, "fox")
        assert (status, len(answer["warnings"])) == (202, 1)
        assert answer["warnings"][0].startswith("Parts of text in node 6 are drawn at random")
        assert (await generate(relay, body, "fox"))[1]["warnings"] == answer["warnings"]
        given: dict[str, Any] = {**body, "values": {"model": MODEL, "6.text": "a fox"}}
        assert (await generate(relay, given))[1]["warnings"] == []
        assert (await generate(relay, {}))[1]["warnings"] == []


async def test_a_key_makes_nothing_twice() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        body = {"workflow": editor_txt2img("a {red|blue} fox")}
        first = await generate(relay, body, "fox")
        await ended(relay, first[1]["batchId"])
        assert await generate(relay, body, "fox") == first
        assert len(sim.submitted) == 1


async def test_what_the_server_lacks_is_said_before_anything_is_sent() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        status, answer = await generate(relay, {"workflow": with_unknown_class(editor_txt2img())})
        assert (status, answer["field"]) == (400, "workflow")
        assert "NoSuchNode" in answer["error"]
        missing: dict[str, Any] = {"workflow": editor_txt2img(model="missing.safetensors")}
        status, answer = await generate(relay, missing)
        assert (status, answer["field"]) == (400, "model")
        assert sim.submitted == []


async def test_a_workflow_of_which_nothing_runs_is_refused() -> None:
    workflow = editor_txt2img()
    for node in workflow["nodes"]:
        node["mode"] = 4
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        status, answer = await generate(relay, {"workflow": workflow})
    assert (status, answer["field"]) == (400, "workflow")
    assert "nothing to queue" in answer["error"]


async def test_a_small_workflow_that_becomes_a_large_graph_is_not_made_often() -> None:
    levels = 12
    inner = [{"id": "0", "nodes": [{"id": 1, "type": "EmptyLatentImage", "widgets_values": [64, 64, 1]}]}]
    outer = [
        {"id": str(level), "nodes": [{"id": node, "type": str(level - 1)} for node in range(2)]}
        for level in range(1, levels)
    ]
    instance = {"id": 1, "type": str(levels - 1)}
    workflow = {"nodes": [instance], "definitions": {"subgraphs": inner + outer}}
    async with SimServer(QUICK) as sim, running_relay(sim.url, timings=PATIENT) as relay:
        await relay.live()
        status, answer = await generate(relay, {"workflow": workflow, "images": 1_000})
        assert (status, answer["field"]) == (400, "images")
        assert sim.submitted == []


async def test_what_the_server_had_before_is_used_while_it_is_away(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url, folder=tmp_path, timings=PATIENT) as relay:
        await relay.live()
        status, answer = await generate(relay, {"workflow": editor_txt2img()})
        assert status == 202, answer
        await sim.stop()
        await eventually(lambda: relay.state.unobserved_since is not None, "the end of the link")
        status, answer = await generate(relay, {"workflow": editor_txt2img("another")})
        assert (status, answer["saved"]) == (503, True)
        await sim.restart()
        assert (await ended(relay, answer["batchId"]))["event"] == "done"
        assert sim.submitted[-1]["prompt"]["6"]["inputs"]["text"] == "another"


async def test_without_any_definitions_nothing_is_saved() -> None:
    async with running_relay(f"http://127.0.0.1:{unused_port()}") as relay:
        status, answer = await generate(relay, {"workflow": editor_txt2img()})
    assert (status, answer["saved"], answer["batchId"]) == (503, False, None)
    assert "converted" in answer["error"]
