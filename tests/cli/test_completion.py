"""What the shells complete, with their own functions and the program as they call it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote

import click
import pytest
from click.shell_completion import ShellComplete

from comfytui.cli.completion_values import COMPLETION_VARIABLE, complete_server_or_job
from comfytui.command_names import COMMANDS
from comfytui.service.journal.journal import Journal
from tests.service.journal.batches import recorded_batch

Complete = Callable[[str], list[str]]
HEAVY = {"textual", "rich", "httpx", "websockets", "aiohttp", "PIL", "comfytui.service", "comfytui.ui", "comfytui.sim"}
SERVERS = ["gpu-box", "studio"]

BASH = """
eval "$(comfytui completion bash)"
read -ra COMP_WORDS <<< {line}
[[ {line} == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_comfytui_completion comfytui
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
compdef() {{ : }}
_describe() {{ print -rl -- "${{(@P)3}}" }}
compadd() {{ print -rl -- "${{(@P)@[-1]}}" }}
eval "$(comfytui completion zsh)"
words=("${{(@s: :)${{:-{line}}}}}")
CURRENT=${{#words}}
_comfytui_completion
"""
FISH = "comfytui completion fish | source; complete -C {line}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with `comfytui` in its path, and a config file with two servers whose secrets need a command."""
    program = tmp_path / "bin" / "comfytui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {quote(sys.executable)} -m comfytui "$@"\n')
    program.chmod(0o755)
    config = tmp_path / "comfytui" / "config.toml"
    config.parent.mkdir()
    command = f'token_command = ["touch", "{tmp_path / "ran"}"]'
    config.write_text(
        "".join(f'[servers.{each}]\nurl = "{each}"\n{command}\n' for each in SERVERS)
        + '[servers."$(touch ran) *"]\nurl = "box"\n'
    )
    return {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }


def completed(shell: str, script: str, line: str, environment: dict[str, str]) -> list[str]:
    """Return what a shell completes at the end of a line, in order and without descriptions."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    code = script.format(line=f'"{line}"')
    done = subprocess.run(
        [shell, *options, "-c", code],
        env=environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    assert not (Path(environment["HOME"]) / "ran").exists()
    return [each.split("\t")[0].split(":")[0] for each in done.stdout.splitlines() if each]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("comfytui ", [*COMMANDS, *SERVERS]),
        ("comfytui g", ["gpu-box"]),
        ("comfytui s", ["status", "sim", "studio"]),
        ("comfytui --ascii ", SERVERS),
        ("comfytui gpu-box ", []),
        ("comfytui gpu-box --fre", ["--fresh"]),
        ("comfytui sim --po", ["--port"]),
        ("comfytui config ", SERVERS),
        ("comfytui completion ", ["bash", "zsh", "fish"]),
    ],
)
@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_a_shell_completes(
    environment: dict[str, str], shell: str, script: str, line: str, expected: list[str]
) -> None:
    found = completed(shell, script, line, environment)
    assert sorted(found) == sorted(expected)


def test_files_come_before_servers(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "goose.json").touch()
    assert completed("fish", FISH, "comfytui convert g", environment) == ["goose.json"]
    assert set(completed("fish", FISH, "comfytui convert goose.json g", environment)) == {"goose.json", "gpu-box"}


def test_another_config_file_is_read(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('[servers.other]\nurl = "box"\n')
    assert completed("bash", BASH, "comfytui --config other.toml o", environment) == ["other"]


@pytest.mark.parametrize("content", ["no TOML", "servers = 3", 'servers.box = "x"\n'])
def test_a_wrong_config_file_does_no_harm(environment: dict[str, str], tmp_path: Path, content: str) -> None:
    (tmp_path / "comfytui" / "config.toml").write_text(content)
    found = completed("bash", BASH, "comfytui ", environment)
    assert set(found) - {"box"} == set(COMMANDS)


@pytest.mark.parametrize("words", ["comfytui ", "comfytui --", "comfytui sim --", "comfytui config "])
def test_completing_loads_no_library(environment: dict[str, str], words: str) -> None:
    code = """import atexit, sys
from comfytui.cli.main import main
atexit.register(lambda: print("loaded", *sys.modules))
main([])"""
    asking = {COMPLETION_VARIABLE: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | asking, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.rpartition("loaded")[2].split())


@click.command()
@click.argument("arguments", nargs=-1, shell_complete=complete_server_or_job)
@click.option("--config", "config_path")
def wait(arguments: tuple[str, ...], config_path: str | None) -> None:
    """A command with a server and jobs, as `wait` and `cancel` have them."""


def test_open_jobs_follow_the_server(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Journal.open(tmp_path / "comfytui") as journal:
        newest, oldest = reversed(recorded_batch(journal).prompt_ids)

    def words(*args: str) -> list[str]:
        *complete, last = args
        completer = ShellComplete(wait, {}, "wait", COMPLETION_VARIABLE)
        return [item.value for item in completer.get_completions(complete, last)]

    assert words("") == [*SERVERS, newest, oldest]
    assert words("gpu-box", "") == [newest, oldest]
    assert words("gpu-box", newest, "") == [oldest]
    assert words(oldest[:8]) == [oldest]
