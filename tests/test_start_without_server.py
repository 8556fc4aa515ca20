"""`comfytui` without a server: it opens the last one used, or one on this machine, or the start screen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.terminal import ENTER, ESCAPE, F2, Terminal, program_with, terminal
from tests.threaded_servers import silent_port, threaded_server, unused_port

SECRETS = ("hunter2", "s3cret", "abracadabra")
WITH_LOCAL_PORTS = """
from functools import partial
from comfytui.cli import startup_server
ports = {{":8188": ":{comfyui}", ":8000": ":{desktop}"}}
local = tuple(url[:-5] + ports[url[-5:]] for url in startup_server.LOCAL_SERVERS)
startup_server.find_startup_server = partial(startup_server.find_startup_server, local_servers=local)
"""
"""Points the local addresses of ComfyUI and of its desktop version at the ports of a test's servers."""
SHORT_TIMEOUT = "startup_server.find_startup_server = partial(startup_server.find_startup_server, probe_timeout=0.2)"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a ComfyUI."""
    with EmbeddedServer(SimConfig()) as embedded:
        yield embedded.url


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    with EmbeddedServer(SimConfig()) as embedded:
        yield embedded.url


@contextmanager
def without_server(
    state: Path, *argv: str, at_8188: str | None = None, at_8000: str | None = None, change: str = ""
) -> Iterator[Terminal]:
    """Run `comfytui` without a server, while these URLs seem to be at the usual ports of this machine."""
    comfyui, desktop = (str(at or unused_port()).rpartition(":")[2] for at in (at_8188, at_8000))
    program = program_with(WITH_LOCAL_PORTS.format(comfyui=comfyui, desktop=desktop) + change)
    with terminal(*argv, program=program, XDG_STATE_HOME=str(state)) as it:
        yield it


def remember(state: Path, url: str) -> None:
    """Open a server once, so that it is the last one used."""
    with terminal(url, XDG_STATE_HOME=str(state)) as it:
        it.shows("live")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0


def label(url: str) -> str:
    return url.removeprefix("http://")


def content_of(folder: Path) -> str:
    """Return the names and contents of all files in a folder."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return "\n".join(f"{file}\n{file.read_bytes().decode(errors='replace')}" for file in files)


def test_the_last_server_opens_again_and_no_secret_is_stored(server: str, other_server: str, tmp_path: Path) -> None:
    remember(tmp_path, server.replace("//", "//user:hunter2@") + "?token=s3cret")
    assert label(server) in content_of(tmp_path)
    assert not [secret for secret in SECRETS if secret in content_of(tmp_path)]
    with without_server(tmp_path, at_8188=other_server) as it:
        it.shows("live")
        assert label(server) in it.text
        assert label(other_server) not in it.text


def test_the_first_start_opens_the_server_at_comfyuis_port(server: str, other_server: str, tmp_path: Path) -> None:
    with without_server(tmp_path, at_8188=server, at_8000=other_server) as it:
        it.shows("live")
        assert label(server) in it.text


def test_else_the_server_at_the_desktop_versions_port_opens(server: str, tmp_path: Path) -> None:
    with threaded_server() as other, without_server(tmp_path, at_8188=other.url, at_8000=server) as it:
        it.shows("live")
        assert label(server) in it.text


def test_a_busy_last_server_still_opens(server: str, tmp_path: Path) -> None:
    with silent_port() as port:
        state = tmp_path / "comfytui" / "last_server"
        state.parent.mkdir()
        state.write_text(f"127.0.0.1:{port}\n")
        with without_server(tmp_path, at_8188=server, change=SHORT_TIMEOUT) as it:
            it.shows("Nothing is running")
            assert f"127.0.0.1:{port}" in it.text
            assert "live" not in it.text


def test_without_an_answer_the_start_screen_names_the_last_server(tmp_path: Path) -> None:
    gone = f"127.0.0.1:{unused_port()}"
    (tmp_path / "comfytui").mkdir()
    (tmp_path / "comfytui" / "last_server").write_text(gone)
    with without_server(tmp_path) as it:
        it.shows(f"{gone} does not answer. Enter a server's address.")
        it.send(ESCAPE)
        assert it.exit_code() == 0


def test_if_the_last_server_is_not_comfyui_no_other_is_tried(tmp_path: Path) -> None:
    (tmp_path / "comfytui").mkdir()
    with threaded_server() as last, threaded_server() as other:
        (tmp_path / "comfytui" / "last_server").write_text(last.url)
        with without_server(tmp_path, "--header", "X-Key: abracadabra", at_8188=other.url) as it:
            it.shows("Enter a server's address.")
        assert "abracadabra" in "".join(last.requests)
        assert other.requests == []


def test_f2_on_the_start_screen_opens_the_demo_which_is_not_remembered(tmp_path: Path) -> None:
    with without_server(tmp_path) as it:
        it.shows("Enter a server's address.")
        it.send(F2)
        it.shows("live")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_an_address_from_the_start_screen_is_remembered_without_its_login(server: str, tmp_path: Path) -> None:
    with without_server(tmp_path) as it:
        it.shows("Enter a server's address.")
        it.send(server.replace("//", "//user:hunter2@"), ENTER)
        it.shows("live")
        assert it.process.poll() is None
    assert label(server) in content_of(tmp_path)
    assert "hunter2" not in content_of(tmp_path)
