"""The server that a command talks to, and the ids of jobs that may follow it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import pytest

from comfytui.cli import startup_server
from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.main import main
from comfytui.cli.server_options import NoServerError, resolve_server, server_options, split_server
from comfytui.cli.startup_server import find_startup_server, remember_server
from comfytui.comfy.server import Server
from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.threaded_servers import unused_port

IDS = ["0b9c6a4e-3f5d-4c0e-9d6e-2f1f0c7a8b15", "7D444840-9DC0-11D1-B245-5FFDCE74FAD2"]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without a config file, where nothing was used yet and no ComfyUI runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    find_on_this_machine(monkeypatch, f"127.0.0.1:{unused_port()}")
    return tmp_path


def find_on_this_machine(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Look for a ComfyUI on this machine at this address alone."""
    find = partial(find_startup_server, local_servers=(address,))
    monkeypatch.setattr(startup_server, "find_startup_server", find)


@pytest.fixture(scope="module")
def comfyui() -> Iterator[str]:
    """The URL of a ComfyUI."""
    with EmbeddedServer(SimConfig()) as server:
        yield server.url


def configure(folder: Path, content: str) -> Path:
    file = folder / "comfytui" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    file.chmod(0o600)
    return file


def resolve(*argv: str) -> Server:
    """Resolve the server of a command line."""
    found: list[Server] = []

    @click.command()
    @click.argument("server", required=False)
    @server_options
    def command(**arguments: object) -> None:
        found.append(resolve_server(**arguments))  # type: ignore[arg-type]

    with command.make_context("comfytui run", list(argv)) as context:
        command.invoke(context)
    return found[0]


def test_a_server_is_a_name_or_an_address(home: Path) -> None:
    configure(home, '[servers.box]\nurl = "http://10.0.0.5:8188"\ntoken = "hunter2"\n')
    assert resolve("box").headers == {"Authorization": "Bearer hunter2"}
    assert resolve("10.0.0.6").base == "http://10.0.0.6:8188"


def test_options_apply_to_the_server(home: Path) -> None:
    file = configure(home, '[servers.box]\nurl = "http://10.0.0.5:8188"\n')
    other = file.rename(home / "other.toml")
    server = resolve("box", "--header", "X-Key: k", "--insecure", "--config", str(other))
    assert (server.name, dict(server.headers), server.insecure) == ("box", {"X-Key": "k"}, True)


def test_without_a_server_the_last_one_is_used_then_the_default(home: Path) -> None:
    configure(home, '[servers.box]\nurl = "http://10.0.0.5"\n[servers.spare]\nurl = "spare"\ndefault = true\n')
    assert resolve("--header", "X-Key: k").name == "spare"
    remember_server("box")
    server = resolve("--header", "X-Key: k")
    assert (server.name, dict(server.headers)) == ("box", {"X-Key": "k"})


def test_a_server_on_this_machine_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, comfyui: str) -> None:
    find_on_this_machine(monkeypatch, comfyui)
    assert resolve().base == comfyui


def test_without_any_server_the_message_says_what_to_give() -> None:
    with pytest.raises(NoServerError, match=r"give the server, as in comfytui run http://") as error:
        resolve()
    assert error.value.exit_code == ExitCode.UNREACHABLE


@pytest.mark.parametrize("command", ["run", "wait --mine", "watch", "status", "cancel --mine", "relay"])
def test_without_any_server_a_command_says_so_in_one_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 5
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: No ComfyUI answers on this machine: ")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["ftp://box"], "write http:// or https://"),
        (["box", "--header", "X-Key hunter2"], "A header reads 'Name: value'"),
        (["box", "--config", "/no/such.toml"], "/no/such.toml cannot be read"),
        (["wrong"], "servers.wrong.tokken: unknown key"),
    ],
)
def test_a_wrong_server_is_wrong_usage(home: Path, argv: list[str], message: str) -> None:
    configure(home, '[servers.wrong]\nurl = "box"\ntokken = "hunter2"\n')
    with pytest.raises(click.UsageError, match=message) as error:
        resolve(*argv)
    assert "hunter2" not in str(error.value)


def test_others_who_can_read_secrets_are_reported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(home, '[servers.box]\nurl = "box"\ntoken = "hunter2"\n').chmod(0o644)
    resolve("box")
    captured = capsys.readouterr()
    assert "chmod 600" in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (None, [])),
        (["box"], ("box", [])),
        (IDS, (None, IDS)),
        (["http://box", *IDS, IDS[0]], ("http://box", IDS)),
        (["box", IDS[0][:8], IDS[1][:20]], ("box", [IDS[0][:8], IDS[1][:20]])),
        ([IDS[0][:8]], (None, [IDS[0][:8]])),
        ([IDS[0][:7]], (IDS[0][:7], [])),
        ([IDS[0].replace("-", "")], (IDS[0].replace("-", ""), [])),
    ],
)
def test_a_first_argument_that_is_no_id_is_the_server(
    arguments: list[str], expected: tuple[str | None, list[str]]
) -> None:
    assert split_server(arguments) == expected


def test_a_named_server_may_look_like_the_beginning_of_an_id(home: Path) -> None:
    configure(home, '[servers.deadbeef]\nurl = "http://10.0.0.5:8188"\n')
    assert split_server(["deadbeef", IDS[0]]) == ("deadbeef", [IDS[0]])
    assert split_server(["deadbee0", IDS[0]]) == (None, ["deadbee0", IDS[0]])
    other = configure(home, "").rename(home / "other.toml")
    assert split_server(["deadbeef"], other) == (None, ["deadbeef"])


@pytest.mark.parametrize("arguments", [[IDS[0], "http://me:hunter2@box"], ["box", "hunter2"]])
def test_anything_else_after_an_id_or_the_server_is_refused(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError, match="Argument 2 is not the id of a job") as error:
        split_server(arguments)
    assert "hunter2" not in str(error.value)
