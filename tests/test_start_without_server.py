"""Bare `comfytui`: the server of last time, else one on this machine, else the start screen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.strangers import closed_port, silent_port, stranger
from tests.terminal import ENTER, ESCAPE, F2, Terminal, program_with, terminal

SECRETS = ("hunter2", "s3cret", "abracadabra")
MOVED = """
from comfytui.cli import startup_server
at = {{":8188": ":{comfyui}", ":8000": ":{desktop}"}}
startup_server.ON_THIS_MACHINE = tuple(url[:-5] + at[url[-5:]] for url in startup_server.ON_THIS_MACHINE)
"""
"""ComfyUI's own port and that of its desktop version, moved to where a test has its servers."""
HURRIED = "startup_server.FIRST_ANSWER_SECONDS = 0.2"


@pytest.fixture(scope="module")
def box() -> Iterator[str]:
    """A ComfyUI."""
    with EmbeddedServer(SimConfig()) as server:
        yield server.url


@pytest.fixture(scope="module")
def other_box() -> Iterator[str]:
    with EmbeddedServer(SimConfig()) as server:
        yield server.url


@contextmanager
def bare(
    state: Path, *argv: str, at_8188: str | None = None, at_8000: str | None = None, change: str = ""
) -> Iterator[Terminal]:
    """`comfytui` without a server, where these stand at the two usual ports of this machine."""
    comfyui, desktop = (str(at or closed_port()).rpartition(":")[2] for at in (at_8188, at_8000))
    program = program_with(MOVED.format(comfyui=comfyui, desktop=desktop) + change)
    with terminal(*argv, program=program, XDG_STATE_HOME=str(state)) as it:
        yield it


def remember(state: Path, url: str) -> None:
    """Open a server once, so that it is the one of last time."""
    with terminal(url, XDG_STATE_HOME=str(state)) as it:
        it.shows("live")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0


def label(url: str) -> str:
    return url.removeprefix("http://")


def kept_in(folder: Path) -> str:
    """All that is written in a folder, names and contents."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return "\n".join(f"{file}\n{file.read_bytes().decode(errors='replace')}" for file in files)


def test_the_server_of_last_time_is_opened_again_and_no_secret_is_remembered(
    box: str, other_box: str, tmp_path: Path
) -> None:
    remember(tmp_path, box.replace("//", "//user:hunter2@") + "?token=s3cret")
    assert label(box) in kept_in(tmp_path)
    assert not [secret for secret in SECRETS if secret in kept_in(tmp_path)]
    with bare(tmp_path, at_8188=other_box) as it:
        it.shows("live")
        assert label(box) in it.text
        assert label(other_box) not in it.text


def test_the_first_time_it_is_the_one_at_comfyuis_own_port(box: str, other_box: str, tmp_path: Path) -> None:
    with bare(tmp_path, at_8188=box, at_8000=other_box) as it:
        it.shows("live")
        assert label(box) in it.text


def test_else_it_is_the_one_at_the_port_of_the_desktop_version(box: str, tmp_path: Path) -> None:
    with stranger() as other, bare(tmp_path, at_8188=other.url, at_8000=box) as it:
        it.shows("live")
        assert label(box) in it.text


def test_a_busy_server_of_last_time_still_opens(box: str, tmp_path: Path) -> None:
    with silent_port() as port:
        state = tmp_path / "comfytui" / "last_server"
        state.parent.mkdir()
        state.write_text(f"127.0.0.1:{port}\n")
        with bare(tmp_path, at_8188=box, change=HURRIED) as it:
            it.shows("Nothing is running")
            assert f"127.0.0.1:{port}" in it.text
            assert "live" not in it.text


def test_where_nothing_answers_it_asks_and_says_who_does_not(tmp_path: Path) -> None:
    gone = f"127.0.0.1:{closed_port()}"
    (tmp_path / "comfytui").mkdir()
    (tmp_path / "comfytui" / "last_server").write_text(gone)
    with bare(tmp_path) as it:
        it.shows(f"{gone} does not answer. No ComfyUI answers")
        it.send(ESCAPE)
        assert it.exit_code() == 0


def test_where_the_server_of_last_time_is_no_comfyui_no_other_is_taken(tmp_path: Path) -> None:
    (tmp_path / "comfytui").mkdir()
    with stranger() as last, stranger() as other:
        (tmp_path / "comfytui" / "last_server").write_text(last.url)
        with bare(tmp_path, "--header", "X-Key: abracadabra", at_8188=other.url) as it:
            it.shows("Enter a server's address.")
        assert "abracadabra" in "".join(last.heard)
        assert other.heard == []


def test_on_the_start_screen_f2_opens_the_demo_which_is_not_remembered(tmp_path: Path) -> None:
    with bare(tmp_path) as it:
        it.shows("Enter a server's address.")
        it.send(F2)
        it.shows("live")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_on_the_start_screen_a_typed_address_opens_and_is_remembered_without_its_login(
    box: str, tmp_path: Path
) -> None:
    with bare(tmp_path) as it:
        it.shows("Enter a server's address.")
        it.send(box.replace("//", "//user:hunter2@"), ENTER)
        it.shows("live")
        assert it.process.poll() is None
    assert label(box) in kept_in(tmp_path)
    assert "hunter2" not in kept_in(tmp_path)
