"""The entry point: commands are found by their first argument, and end with the exit codes that scripts rely on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.main import main
from comfytui.cli.sim import sim
from comfytui.comfy.address import BadServer
from comfytui.command_names import COMMANDS

PROGRAM = (sys.executable, "-m", "comfytui")
LIBRARIES = {"textual", "rich", "httpx", "websockets", "aiohttp", "sqlite3"}


def exit_code(*argv: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(list(argv))
    return ended.value.code


def test_the_help_has_one_line_for_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    lines = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert all(line.endswith(help_line) for line, help_line in zip(lines, COMMANDS.values(), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_help_of_its_own(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert exit_code(command, "-h") == 0
    assert capsys.readouterr().out.startswith(f"Usage: comfytui {command} [OPTIONS]")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_a_help_loads_neither_a_library_nor_another_command(command: str) -> None:
    code = f"""import atexit, sys
from comfytui.cli.main import main
atexit.register(lambda: print("loaded", *sys.modules))
main({[command, "--help"] if command else ["--help"]})"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("loaded")[2].split())
    assert not loaded & LIBRARIES
    others = {f"comfytui.cli.{each}" for each in COMMANDS if each != command} - {"comfytui.cli.demo"}
    assert not loaded & others


def test_all_commands_are_imported_with_click_alone() -> None:
    """The build of a wheel makes their man pages where nothing else is installed."""
    code = f"""import sys
class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in {{"click", "comfytui", *sys.stdlib_module_names}}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing)
from importlib import import_module
for command in {list(COMMANDS)}:
    import_module(f"comfytui.cli.{{command}}")
import comfytui.cli.main"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run([*PROGRAM, "--help"], stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.CLOSED_PIPE, b"")


@pytest.mark.parametrize("arguments", [["--help"], ["config"], ["config", "--json"], ["completion", "bash"]])
def test_output_on_a_full_disk_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        ExitCode.FAILED,
        "Error: The output cannot be written (No space left on device).\n",
    )


def test_output_that_is_closed_from_the_start_is_no_error() -> None:
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "--help"], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, ""),
        (BadServer("Not an address."), ExitCode.USAGE, "Error: Not an address.\n"),
    ],
)
def test_errors_of_a_command_end_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: ExitCode,
    message: str,
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(sim, "callback", fail)
    assert exit_code("sim") == code
    assert capsys.readouterr().err == message


def test_the_result_of_a_command_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "callback", lambda **_: ExitCode.TIMEOUT)
    assert exit_code("sim") == 4
