"""Named servers end to end: a config file, the program in a terminal, and a server that requires a login."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.color import Color

from comfytui.cli.main import main
from comfytui.comfy.server import basic_auth
from comfytui.ui.themes import LIGHT
from tests.comfy.auth_servers import AuthServer
from tests.stub_servers import unused_port
from tests.terminal import ENTER, ESCAPE, Terminal, terminal

SECRETS = ("hunter2", "s3cret", "abracadabra")
KEYS = """\
token_command = ["sh", "-c", "echo hunter2; echo s3cret >&2"]
headers = { X-Key = "s3cret" }
cookies = { session = { env = "BOX_COOKIE" } }
query = { token = "abracadabra" }
"""


@contextmanager
def serving(auth_server: AuthServer) -> Iterator[str]:
    """Run the server in a thread of its own, as this one waits for the terminal; give its URL."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with auth_server.open():
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield auth_server.url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def write_config(folder: Path, content: str, mode: int = 0o600) -> Path:
    file = folder / "comfytui" / "config.toml"
    file.parent.mkdir()
    file.write_text(content)
    file.chmod(mode)
    return file


@contextmanager
def started(folder: Path, *argv: str) -> Iterator[Terminal]:
    """Run the program with config, state and log in a folder."""
    with terminal(
        *argv,
        columns=200,
        BOX_COOKIE="abracadabra",
        COMFYTUI_LOG=str(folder / "log"),
        XDG_CONFIG_HOME=str(folder),
        XDG_STATE_HOME=str(folder / "state"),
    ) as it:
        yield it


def assert_no_secrets(it: Terminal, folder: Path) -> None:
    """Check that no secret is on the screen, in the log or in the state folder."""
    files = [file for file in [folder / "log", *(folder / "state").rglob("*")] if file.is_file()]
    everything = it.written + b"".join(file.read_bytes() for file in files)
    for secret in SECRETS:
        assert secret.encode() not in everything


def test_a_named_server_is_shown_and_remembered_by_its_name(tmp_path: Path) -> None:
    auth_server = AuthServer(
        lambda request: (
            request.headers.get("Authorization") == "Bearer hunter2"
            and (request.headers.get("X-Key"), request.cookies.get("session")) == ("s3cret", "abracadabra")
            and request.query.get("token") == "abracadabra"
        )
    )
    with serving(auth_server) as url:
        file = write_config(tmp_path, f'[servers.gpu-box]\nurl = "{url}"\n{KEYS}', 0o644)
        (tmp_path / "state" / "comfytui").mkdir(parents=True)
        (tmp_path / "state" / "comfytui" / "theme").write_text(f"{LIGHT.name}\n")
        with started(tmp_path, "gpu-box") as it:
            it.shows("live")
            assert f"48;2;{';'.join(map(str, Color.parse(str(LIGHT.background)).rgb))}" in it.output
            assert "gpu-box" in it.text
            assert "127.0.0.1" not in it.text
            it.send("\x1b", "q")
            assert it.exit_code() == 0
            assert f"chmod 600 {file}".encode() in it.written
            assert_no_secrets(it, tmp_path)
        assert (tmp_path / "state" / "comfytui" / "last_server").read_text() == "gpu-box\n"
    assert auth_server.seen["/ws", True] == 1
    assert not [path for path, welcome in auth_server.seen if not welcome]


def test_a_rejected_login_says_what_to_set(tmp_path: Path) -> None:
    with serving(AuthServer(lambda _: False)) as url:
        write_config(tmp_path, f'[servers.gpu-box]\nurl = "{url}"\n{KEYS}')
        with started(tmp_path, "gpu-box") as it:
            it.shows("The server refused this login (401): try again.")
            it.send(ESCAPE)
            assert it.exit_code() == 1
            assert "gpu-box refused this login (401): set token" in it.text
            assert "chmod" not in it.text
            assert_no_secrets(it, tmp_path)


def test_a_login_typed_on_the_screen_is_not_stored(tmp_path: Path) -> None:
    login = basic_auth("me:hunter2")
    auth_server = AuthServer(lambda request: request.headers.get("Authorization") == login)
    with serving(auth_server) as url, started(tmp_path, url) as it:
        it.shows("The server asks for a login (401).")
        it.send("me", ENTER, "s3cret", ENTER)
        it.shows("The server refused this login (401): try again.")
        it.send("hunter2", ENTER)
        it.shows("live")
        argv = Path(f"/proc/{it.process.pid}/cmdline")
        assert not argv.exists() or b"hunter2" not in argv.read_bytes()
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
        assert_no_secrets(it, tmp_path)
    assert auth_server.seen["/ws", True] == 1
    assert auth_server.seen["/api/prompt", True] >= 1


def test_a_bad_config_exits_with_one_message(tmp_path: Path) -> None:
    file = write_config(
        tmp_path, '[servers.gpu-box]\nurl = "http://me:hunter2@box"\ntoken_command = ["false", "s3cret"]\n'
    )
    with started(tmp_path, "gpu-box") as it:
        assert it.exit_code() == 2
        assert f"{file}, servers.gpu-box.token_command: the command ended with code 1" in it.text
        assert "Traceback" not in it.text
        assert_no_secrets(it, tmp_path)


def test_an_unknown_name_exits_with_a_suggestion(tmp_path: Path) -> None:
    write_config(tmp_path, '[servers.gpu-box]\nurl = "http://10.0.0.9"\n')
    with started(tmp_path, "gpubox") as it:
        assert it.exit_code() == 1
        assert 'Unknown host "gpubox", and no server of that name in config.toml' in it.output
        assert it.output.endswith("Did you mean comfytui gpu-box?")


def test_the_start_screen_shows_an_invalid_default_and_opens_the_others(tmp_path: Path) -> None:
    with serving(AuthServer(lambda _: True)) as url:
        wrong = '[servers.wrong]\nurl = "box"\ndefault = true\ntokken = "hunter2"\n'
        write_config(tmp_path, f'{wrong}[servers.gpu-box]\nurl = "{url}"\n')
        with started(tmp_path) as it:
            it.shows("servers.wrong.tokken: unknown key")
            it.send("\x15", "gpu-box", ENTER)
            it.shows("live")
            assert_no_secrets(it, tmp_path)


def test_the_start_screen_accepts_names(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{asyncio.run(unused_port())}"
    with serving(AuthServer(lambda request: request.headers.get("X-Key") == "k")) as url:
        write_config(
            tmp_path,
            f'[servers.away]\nurl = "{away}"\ndefault = true\n[servers.gpu-box]\nurl = "{url}"\nheaders.X-Key = "k"\n'
            '[servers.locked]\nurl = "locked"\ntoken_env = "NO_SUCH"\n',
        )
        with started(tmp_path) as it:
            it.shows("away does not answer")
            it.send("\x15locked", ENTER)
            it.shows("servers.locked.token_env")
            it.send("\x15gpu-box", ENTER)
            it.shows("live")
            assert "127.0.0.1" not in it.text


def test_config_reads_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(tmp_path / "none.toml"), "gpu-box"])
    assert ended.value.code == 2
    assert "none.toml" in capsys.readouterr().err
