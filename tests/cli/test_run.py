"""`comfytui run` as a script uses it: the real program as a process, on the simulator."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.cli.commands import command, ended
from tests.sim.gate import Gate
from tests.sim.graphs import text_to_image
from tests.threaded_servers import silent_port, threaded_server, unused_port
from tests.waiting import eventually
from tests.workflow.graphs.editor import MODEL, editor_txt2img, with_unknown_class

FAST = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
SMALL = ("--set", "steps=4", "--set", "width=64", "--set", "height=64")


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(FAST) as sim:
        yield sim


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def held(gate: Gate) -> AsyncIterator[SimServer]:
    """A simulator whose jobs proceed only as the test lets them."""
    async with SimServer(FAST, clock=gate) as sim:
        yield sim


def queued(sim: SimServer) -> int:
    return len(sim.submitted)


def saved(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_a_batch_is_made_and_each_image_is_a_line(sim: SimServer, tmp_path: Path) -> None:
    result = await ended(tmp_path, "run", sim.url, "-n", "2", "--seed", "7", *SMALL)
    assert result.code == 0, result
    lines = [line for line in result.lines if " - " not in line]
    assert lines == [
        "Image 1 of 2 done: comfytui_00001_.png (seed 7)",
        "Image 2 of 2 done: comfytui_00002_.png (seed 8)",
        "2 of 2 done",
    ]
    assert result.err == ""


async def test_json_is_all_that_is_on_standard_output(held: SimServer, gate: Gate, tmp_path: Path) -> None:
    async with command(tmp_path, "run", held.url, "-n", "2", "--seed", "7", "--json", *SMALL) as program:
        await eventually(lambda: queued(held) == 2)
        await gate.let_steps(2)
        await program.until('"currentStep":2')
        await gate.let_all()
        result = await program.end()
    assert (result.code, result.err) == (0, "")
    images = [event for event in result.events if event["event"] == "image"]
    assert [(event["imageIndex"], event["seed"], event["status"]) for event in images] == [
        (1, 7, "done"),
        (2, 8, "done"),
    ]
    assert result.events[-1]["event"] == "done"
    assert {event["version"] for event in result.events} == {1}


async def test_the_first_event_names_the_jobs(sim: SimServer, tmp_path: Path) -> None:
    result = await ended(tmp_path, "run", sim.url, "-n", "2", "--seed", "7", "--json", *SMALL)
    first = result.events[0]
    assert (first["event"], first["seeds"]) == ("submitted", [7, 8])
    assert first["promptIds"] == [body["prompt_id"] for body in sim.submitted]


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
async def test_jq_reads_the_events(sim: SimServer, tmp_path: Path) -> None:
    script = (
        f"{sys.executable} -m comfytui run {sim.url} -n 2 --seed 7 --json {' '.join(SMALL)}"
        """ | jq -r 'select(.event == "image") | .outputs[].filename'"""
    )
    process = await asyncio.create_subprocess_shell(
        script, stdout=asyncio.subprocess.PIPE, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    )
    out, _ = await process.communicate()
    assert out.decode().split() == ["comfytui_00001_.png", "comfytui_00002_.png"]


async def test_files_are_saved_before_their_event_and_equal_the_servers(sim: SimServer, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    result = await ended(tmp_path, "run", sim.url, "-n", "3", "--json", "--output", str(folder), *SMALL)
    assert result.code == 0, result
    images = [event["outputs"][0] for event in result.events if event["event"] == "image"]
    assert len(images) == 3
    for image in images:
        assert Path(image["path"]).parent == folder
        assert saved(image["path"]) == sim.files.get("output", "", image["filename"])
    assert [each["path"] for each in result.events[-1]["outputs"]] == [image["path"] for image in images]


@pytest.mark.parametrize("as_json", [False, True])
async def test_what_cannot_be_saved_is_counted_and_the_images_go_on(
    held: SimServer, gate: Gate, tmp_path: Path, as_json: bool
) -> None:
    folder = tmp_path / "images"
    options = ("-n", "2", "--output", str(folder), *(["--json"] if as_json else []))
    async with command(tmp_path, "run", held.url, *options, *SMALL) as program:
        await eventually(lambda: queued(held) == 2)
        folder.write_text("in the way")
        await gate.let_all()
        result = await program.end()
    assert result.code == 1, result
    assert "Image 1: " in result.err
    assert (result.err if as_json else result.out).splitlines()[-1] == "2 of 2 images could not be saved."
    if as_json:
        assert result.events[-1]["counts"] == {"done": 2}


async def test_a_job_that_fails_is_explained(tmp_path: Path) -> None:
    async with SimServer(SimConfig(steps_per_second=0, load_seconds=0, fail_step=2)) as sim:
        result = await ended(tmp_path, "run", sim.url, *SMALL)
    assert result.code == 1
    assert "Image 1 of 1 failed in KSampler: " in "\n".join(result.lines)
    assert result.lines[-1] == "0 of 1 done, 1 failed"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--set", "stepz=4"), "did you mean steps?"),
        (("--set", "steps=many"), "Steps"),
        (("--set", "steps"), "--set takes FIELD=VALUE"),
        (("-n", "0"), "Images"),
        (("--workflow", "/no/such.json"), "such.json"),
        (("--output", "/dev/null"), "is not a folder"),
        (("--output", "/dev/null/images"), "/dev/null is not a folder"),
        (("--output", "/proc/images"), "Nothing was saved in /proc"),
        (("--detach", "--output", "/tmp"), "--detach"),
        (("--seed-mode", "none"), "none"),
        (("--seed", "5", "--seed-mode", "random"), "Seed has no effect if seeds are random"),
    ],
)
async def test_wrong_usage_submits_nothing(sim: SimServer, tmp_path: Path, argv: tuple[str, ...], message: str) -> None:
    result = await ended(tmp_path, "run", sim.url, *argv)
    assert result.code == 2, result
    assert message in " ".join(result.err.split())
    assert (result.lines, queued(sim)) == ([], 0)


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    result = await ended(tmp_path, "run", f"http://127.0.0.1:{unused_port()}")
    assert (result.code, result.lines) == (5, [])
    assert "Nothing listens" in result.err


async def test_a_login_is_asked_for_by_naming_the_option(tmp_path: Path) -> None:
    with threaded_server(401, b"no") as server:
        result = await ended(tmp_path, "run", server.url)
    assert result.code == 1
    assert "--header" in result.err


async def test_a_restarted_server_loses_the_jobs(held: SimServer, gate: Gate, tmp_path: Path) -> None:
    async with command(tmp_path, "run", held.url, "-n", "2", *SMALL) as program:
        await eventually(lambda: queued(held) == 2)
        await gate.let_steps(2)
        await program.until(" - Step ")
        await held.restart()
        result = await program.end()
    assert result.code == 3, result
    assert result.lines[-1] == "0 of 2 done, 2 lost"
    assert "Connection: live" in result.err


async def test_a_connection_that_breaks_heals(held: SimServer, gate: Gate, tmp_path: Path) -> None:
    async with command(tmp_path, "run", held.url, *SMALL) as program:
        await eventually(lambda: queued(held) == 1)
        await gate.let_steps(2)
        await program.until(" - Step ")
        held.faults.refuse_sockets(404)
        await held.sockets.close_all()
        await program.error_until("Connection: polling")
        await gate.let_all()
        result = await program.end()
    assert (result.code, result.lines[-1]) == (0, "1 of 1 done")


async def test_detached_jobs_are_on_the_server(held: SimServer, tmp_path: Path) -> None:
    result = await ended(tmp_path, "run", held.url, "-n", "2", "--detach", *SMALL)
    assert result.code == 0, result
    assert result.lines[0].endswith(": 2 images")
    for line, body in zip(result.lines[1:], held.submitted, strict=True):
        assert body["prompt_id"] in line
    batch = result.lines[0].removeprefix("Batch ").partition(":")[0]
    assert f"--batch {batch}" in result.err


@pytest.mark.parametrize("options", [("--detach",), ("--timeout", "5")])
async def test_without_a_state_folder_the_jobs_are_waited_for_by_their_ids(
    held: SimServer, gate: Gate, options: tuple[str, ...]
) -> None:
    state = Path("/dev/null")
    result = await ended(state, "run", held.url, "-n", "2", *options, *SMALL)
    *_, line = result.err.splitlines()
    program, *arguments = shlex.split(line.removeprefix("Wait with: "))
    assert (program, arguments[2:]) == ("comfytui", [body["prompt_id"] for body in held.submitted])
    await gate.let_all()
    waited = await ended(state, *arguments)
    assert (waited.code, len(waited.lines)) == (0, 2), waited


async def test_detached_jobs_are_named_in_one_document(held: SimServer, tmp_path: Path) -> None:
    result = await ended(tmp_path, "run", held.url, "-n", "2", "--detach", "--json", *SMALL)
    [event] = result.events
    assert (result.code, event["event"]) == (0, "submitted")
    assert event["promptIds"] == [body["prompt_id"] for body in held.submitted]


async def test_what_a_server_rejects_is_explained(sim: SimServer, tmp_path: Path) -> None:
    graph = tmp_path / "graph.json"
    graph.write_text('{"1": {"class_type": "NoSuchNode", "inputs": {}}}')
    for options in ((), ("--detach",)):
        result = await ended(tmp_path, "run", sim.url, "--workflow", str(graph), *options)
        assert result.code == 1, result
        assert "NoSuchNode" in "\n".join(result.lines) + result.err


async def test_after_the_timeout_the_jobs_go_on(held: SimServer, tmp_path: Path) -> None:
    result = await ended(tmp_path, "run", held.url, "--timeout", "6", *SMALL)
    assert result.code == 4, result
    [body] = held.submitted
    assert "Not done within 6 s." in result.err
    assert f"--batch {body['extra_data']['comfytui']['batch']}" in result.err
    assert "comfytui wait" in result.err


@pytest.mark.parametrize("argv", [("run",), ("wait", "--mine")])
async def test_a_server_that_does_not_answer_in_time_got_nothing(tmp_path: Path, argv: tuple[str, ...]) -> None:
    with silent_port() as port:
        result = await ended(tmp_path, argv[0], f"127.0.0.1:{port}", *argv[1:], "--timeout", "0.5")
    assert (result.code, result.out) == (4, "")
    nothing = ": nothing was sent" if argv[0] == "run" else ""
    assert result.err == f"The server did not answer within 0.5 s{nothing}.\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_without_a_terminal_a_signal_detaches(
    held: SimServer, gate: Gate, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    async with command(tmp_path, "run", held.url, *SMALL) as program:
        await eventually(lambda: queued(held) == 1)
        await gate.let_steps(2)
        await program.until(" - Step ")
        program.process.send_signal(number)
        result = await program.end()
    assert result.code == code, result
    assert f"--batch {held.submitted[0]['extra_data']['comfytui']['batch']}" in result.err
    assert "Traceback" not in result.err
    await gate.let_all()
    await eventually(lambda: held.files.newest("output"), "the image")


async def test_a_closed_pipe_ends_it_quietly(held: SimServer, gate: Gate, tmp_path: Path) -> None:
    async with command(tmp_path, "run", held.url, *SMALL) as program:
        await eventually(lambda: queued(held) == 1)
        await gate.let_steps(2)
        await program.until(" - Step ")
        assert program.process.stdout
        program.process.stdout._transport.close()  # type: ignore[attr-defined]
        await gate.let_all()
        error = await asyncio.wait_for(program.process.stderr.read(), 60)  # type: ignore[union-attr]
        assert await program.process.wait() == 141
    assert error == b""


async def test_a_workflow_of_the_editor_is_converted_for_the_server(sim: SimServer, tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    file.write_text(json.dumps(editor_txt2img()))
    result = await ended(tmp_path, "run", sim.url, "--workflow", str(file), "--set", "steps=5", "--seed", "3")
    assert (result.code, result.err) == (0, "")
    assert result.lines[-1] == "1 of 1 done"
    sampler = sim.submitted[0]["prompt"]["3"]["inputs"]
    assert (sampler["steps"], sampler["seed"], sampler["cfg"]) == (5, 3, 7.0)


async def test_a_workflow_that_the_server_cannot_run_is_not_sent(sim: SimServer, tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    file.write_text(json.dumps(with_unknown_class(editor_txt2img())))
    result = await ended(tmp_path, "run", sim.url, "--workflow", str(file))
    assert (result.code, result.out) == (1, "")
    assert "NoSuchNode" in result.err
    assert not sim.submitted


async def test_what_a_conversion_decides_at_random_is_noted(sim: SimServer, tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    file.write_text(json.dumps(editor_txt2img("a {red|red} fox")))
    result = await ended(tmp_path, "run", sim.url, "--workflow", str(file))
    assert result.code == 0
    assert "at random" in result.err
    assert sim.submitted[0]["prompt"]["6"]["inputs"]["text"] == "a red fox"


async def test_what_is_wrong_with_a_workflow_is_said_once_and_not_of_values_that_are_set(
    sim: SimServer, tmp_path: Path
) -> None:
    file = tmp_path / "fox.json"
    file.write_text(json.dumps(editor_txt2img("a {red|red} fox", model="missing.safetensors")))
    options = ("--workflow", str(file), "--set", f"model={MODEL}", "--json")
    result = await ended(tmp_path, "run", sim.url, *options)
    assert result.code == 0
    assert result.err.count("at random") == 1
    assert "missing.safetensors" not in result.err
    [warning] = json.loads(result.lines[0])["warnings"]
    assert warning in result.err


@pytest.mark.parametrize("options", [(), ("--no-variations",)])
async def test_the_prompt_of_a_picture_is_sent_as_it_was(
    sim: SimServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    text = "a {red|blue} fox <lora:none:1>"
    info = PngInfo()
    info.add_text("prompt", json.dumps(text_to_image(text=text)))
    Image.new("RGB", (1, 1)).save(tmp_path / "fox.png", pnginfo=info)
    result = await ended(tmp_path, "run", sim.url, "--workflow", str(tmp_path / "fox.png"), *options)
    assert result.code == 0, result
    assert [body["prompt"]["6"]["inputs"]["text"] for body in sim.submitted] == [text]
