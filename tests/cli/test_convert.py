"""`comfytui convert` as a script uses it: the real program, with definitions of the simulator or of a file."""

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from comfytui.sim.server import SimServer
from tests.cli.commands import PROGRAM, QUICK, Ended, command, ended
from tests.threaded_servers import unused_port
from tests.waiting import eventually
from tests.workflow.editor.corpus import FOLDER, differences, templates
from tests.workflow.graphs.editor import MODEL, editor_txt2img, with_unknown_class
from tests.workflow.graphs.stable_diffusion import sd15

DEFINITIONS = FOLDER / "object_info.json.gz"


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as sim:
        yield sim


def saved(path: Path, document: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


async def converted(state: Path, *arguments: str) -> Ended:
    """Run the command with the definitions in a file."""
    return await ended(state, "convert", *arguments, "--object-info", str(DEFINITIONS))


async def test_one_file_is_written_to_standard_output_for_a_server(sim: SimServer, tmp_path: Path) -> None:
    result = await ended(tmp_path, "convert", saved(tmp_path / "fox.json", editor_txt2img()), sim.url)
    assert (result.code, result.err) == (0, "")
    graph = json.loads(result.out)
    assert graph["3"]["class_type"] == "KSampler"
    assert graph["3"]["inputs"]["steps"] == 4
    assert graph["4"]["inputs"] == {"ckpt_name": MODEL}
    assert "10" not in graph
    assert not sim.submitted


async def test_what_is_written_can_be_run(sim: SimServer, tmp_path: Path) -> None:
    file = saved(tmp_path / "fox.json", editor_txt2img())
    assert (await ended(tmp_path, "convert", file, sim.url, "--output", str(tmp_path / "api"))).code == 0
    result = await ended(tmp_path, "run", sim.url, "--workflow", str(tmp_path / "api" / "fox.json"))
    assert result.code == 0, result


async def test_official_templates_become_what_the_editor_sends(tmp_path: Path) -> None:
    files = [saved(tmp_path / "in" / each.name, each.workflow) for each in templates()]
    result = await converted(tmp_path, *files, "--output", str(tmp_path / "out"))
    assert sorted(result.lines) == sorted(str(tmp_path / "out" / each.name) for each in templates())
    wrong = {each.name: differences(each.graph, read(tmp_path / "out" / each.name)) for each in templates()}
    assert not any(wrong.values()), wrong


async def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    output = tmp_path / "out"
    mine = saved(output / "fox.json", "mine")
    files = [saved(tmp_path / str(number) / "fox.json", editor_txt2img(f"fox {number}")) for number in range(2)]
    result = await converted(tmp_path, *files, "--output", str(output))
    assert (result.code, result.lines) == (0, [str(output / "fox (2).json"), str(output / "fox (3).json")])
    assert read(Path(mine)) == "mine"
    assert [read(Path(line))["6"]["inputs"]["text"] for line in result.lines] == ["fox 0", "fox 1"]


@pytest.mark.parametrize("name", ["..json", os.fsdecode(b"\xff\xfe.json"), ". \x1b.json"])
async def test_a_file_of_whose_name_nothing_can_be_kept_gets_another_one(name: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "in" / name, editor_txt2img())
    result = await converted(tmp_path, file, "--output", str(tmp_path / "out"))
    assert (result.code, result.lines) == (0, [str(tmp_path / "out" / "workflow.json")])


async def test_a_workflow_that_cannot_be_queued_is_written_and_the_exit_code_says_so(
    sim: SimServer, tmp_path: Path
) -> None:
    good = saved(tmp_path / "good.json", editor_txt2img())
    bad = saved(tmp_path / "bad.json", with_unknown_class(editor_txt2img()))
    result = await ended(tmp_path, "convert", bad, good, sim.url, "--output", str(tmp_path / "out"))
    assert result.code == 1
    [finding] = result.err.splitlines()
    assert finding.startswith(f"{bad}: cannot be queued: ")
    assert "NoSuchNode" in finding
    assert "Sharpen" in finding
    assert result.lines == [str(tmp_path / "out" / "bad.json"), str(tmp_path / "out" / "good.json")]


async def test_a_file_that_is_no_workflow_does_not_keep_the_others(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.json", editor_txt2img())
    text = tmp_path / "notes.txt"
    text.write_text("no workflow")
    missing = str(tmp_path / "missing.json")
    result = await converted(tmp_path, str(text), missing, good, "--output", str(tmp_path / "out"))
    assert (result.code, result.lines) == (1, [str(tmp_path / "out" / "good.json")])
    first, second, third = result.err.splitlines()
    assert first.startswith(f"'{text}' is a text, but not JSON")
    assert second.startswith(f"There is no file '{missing}'")
    assert third.startswith(f"{good}: The server does not have “{MODEL}”")


async def test_a_file_in_the_api_format_needs_no_server(tmp_path: Path) -> None:
    result = await ended(tmp_path, "convert", saved(tmp_path / "api.json", {"prompt": sd15()}))
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == sd15()


async def test_standard_input_is_a_dash(tmp_path: Path) -> None:
    file = saved(tmp_path / "fox.json", editor_txt2img())
    shell = ("sh", "-c", f'cat {file} | "$@"', "sh", *PROGRAM)
    result = await ended(tmp_path, "convert", "-", "--object-info", str(DEFINITIONS), program=shell)
    assert (result.code, result.err.partition(": ")[0]) == (0, "standard input")
    assert json.loads(result.out)["3"]["inputs"]["seed"] == 7


async def test_text_is_written_as_utf_8_whatever_the_locale_is(tmp_path: Path) -> None:
    file = saved(tmp_path / "fox.json", editor_txt2img("狐 🦊"))
    plain = ("env", "LC_ALL=C", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0", *PROGRAM)
    result = await ended(tmp_path, "convert", file, "--object-info", str(DEFINITIONS), program=plain)
    assert json.loads(result.out)["6"]["inputs"]["text"] == "狐 🦊"


async def test_a_name_cannot_write_escape_sequences(tmp_path: Path) -> None:
    file = tmp_path / "\x1b[2Jfox\x9b.json"
    saved(file, with_unknown_class(editor_txt2img()))
    result = await converted(tmp_path, str(file), "--output", str(tmp_path / "out"))
    assert result.code == 1
    assert not {"\x1b", "\x9b"} & {*result.out, *result.err}
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["fox.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument"),
        (("a.json", "b.json"), "give --output"),
        (("-", "-", "--output", "out"), "can be converted once"),
        (("a.json", "--object-info", "missing.json"), "'missing.json' cannot be read"),
        (("a.json", "--object-info", "a.json"), "'a.json' cannot be used, it holds no node definitions"),
        (("a.json", "--output", "a.json"), "not a folder"),
    ],
)
async def test_wrong_usage_is_said(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "a.json", editor_txt2img())
    monkeypatch.chdir(tmp_path)
    result = await ended(tmp_path, "convert", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


async def test_the_last_argument_is_a_server_unless_it_is_a_file(tmp_path: Path) -> None:
    file = saved(tmp_path / "fox.json", editor_txt2img())
    nobody = f"127.0.0.1:{unused_port()}"
    result = await ended(tmp_path, "convert", file, nobody)
    assert (result.code, result.out) == (5, "")
    assert nobody in result.err
    missing = await ended(tmp_path, "convert", file, "missing.PNG", "--output", str(tmp_path / "out"))
    assert "There is no file 'missing.PNG'" in missing.err


async def test_ctrl_c_ends_it(sim: SimServer, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.json"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    try:
        async with command(tmp_path, "convert", str(fifo), sim.url) as running:
            opened = Path(f"/proc/{running.process.pid}/fd")
            await eventually(lambda: any(each.exists() and each.samefile(fifo) for each in opened.iterdir()))
            result = await running.end(signal.SIGINT)
    finally:
        os.close(writer)
    assert (result.code, result.out) == (130, "")
