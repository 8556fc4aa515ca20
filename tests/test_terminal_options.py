"""Options and environment that change what the program does with its terminal, or what it needs on the machine."""

import re
from pathlib import Path

import pytest

from tests.terminal import ESCAPE, F2, program_with, terminal
from tests.threaded_servers import threaded_server, unused_port

WITHOUT_AIOHTTP = "import sys; sys.modules['aiohttp'] = None"
INSTALL = "The simulated server needs aiohttp: run pip install '.[demo]' in your clone of comfytui."
MOUSE = tuple(f"\x1b[?{mode}h".encode() for mode in (9, 1000, 1001, 1002, 1003, 1005, 1006, 1015, 1016))


def no_local_server() -> str:
    """Return code that points the search for a local server at a closed port, so that the start screen opens."""
    address = f"127.0.0.1:{unused_port()}"
    return f"""
from functools import partial
from comfytui.cli import startup_server
startup_server.find_startup_server = partial(startup_server.find_startup_server, local_servers=("{address}",))
"""


@pytest.mark.parametrize(("option", "taken"), [((), True), (("--no-mouse",), False)], ids=["mouse", "no-mouse"])
def test_no_mouse_leaves_the_mouse_to_the_terminal(option: tuple[str, ...], taken: bool, tmp_path: Path) -> None:
    with terminal(*option, program=program_with(no_local_server()), XDG_STATE_HOME=str(tmp_path)) as it:
        it.shows("Enter a server's address.")
        it.send(ESCAPE)
        assert it.exit_code() == 0
        assert any(mode in it.written for mode in MOUSE) is taken


@pytest.mark.parametrize("command", ["demo", "sim"])
def test_without_aiohttp_the_message_says_how_to_install_it(command: str) -> None:
    with terminal(command, program=program_with(WITHOUT_AIOHTTP)) as it:
        assert it.exit_code() == 1
        assert it.text.split("\n", 1)[0] == f"Error: {INSTALL}"
        assert it.text.strip().count("\n") == 0


def test_without_aiohttp_the_start_screen_stays_open(tmp_path: Path) -> None:
    program = program_with(f"{WITHOUT_AIOHTTP}\n{no_local_server()}")
    with terminal(program=program, XDG_STATE_HOME=str(tmp_path)) as it:
        it.shows("Enter a server's address.")
        it.send(F2)
        it.shows("pip install '.[demo]'")
        it.send(ESCAPE)
        assert it.exit_code() == 0


def test_a_redirect_to_a_login_exits_with_advice() -> None:
    with threaded_server(302, Location="/login?next=s3cret") as login, terminal(login.url) as it:
        assert it.exit_code() == 1
        assert "asks for a login (302): give --header, or add the server" in it.output
        assert "Traceback" not in it.output
        assert not [request for request in login.requests if request.startswith("/login")]


def test_no_color_paints_only_shades_of_grey() -> None:
    with terminal("demo", NO_COLOR="1") as it:
        it.shows("live")
        colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", it.rest())
        assert colours
        assert all(red == green == blue for red, green, blue in colours)
