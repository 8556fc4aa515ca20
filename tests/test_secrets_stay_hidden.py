"""Passwords, headers and tokens stay out of tracebacks and logs when the program crashes."""

from pathlib import Path

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.terminal import ESCAPE, program_with, terminal

SECRETS = ("hunter2", "aHVudGVyMg", "s3cret", "abracadabra")
BROKEN_SCREEN = """
from comfytui.ui.widgets.header import DashboardHeader
def show(self, state):
    server = self.app.service.server
    headers, address = dict(server.headers), server.http_url("")
    raise RuntimeError(f"a fault of the screen: {headers} {address}")
DashboardHeader.show = show
"""
BROKEN_SERVICE = """
from comfytui.service.connection.poller import Poller
async def poll(self, client):
    headers, address = dict(client._server.headers), client._server.http_url("")
    raise RuntimeError(f"a fault of the service: {headers} {address}")
Poller.poll = poll
"""


def with_secrets(url: str) -> tuple[str, ...]:
    """Return arguments for a server, with a secret in every part that can hold one."""
    return url.replace("//", "//user:hunter2@") + "?token=s3cret", "--header", "X-Key: abracadabra"


def test_the_traceback_of_a_crashed_screen_has_no_secrets() -> None:
    with (
        EmbeddedServer(SimConfig()) as server,
        terminal(*with_secrets(server.url), program=program_with(BROKEN_SCREEN)) as it,
    ):
        assert it.exit_code() == 1
        said = it.output
        assert "Traceback" in said
        assert "a fault of the screen" in said
        assert not [secret for secret in SECRETS if secret in said]


def test_the_log_of_a_crashed_service_has_no_secrets(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        EmbeddedServer(SimConfig()) as server,
        terminal(*with_secrets(server.url), program=program_with(BROKEN_SERVICE), COMFYTUI_LOG=str(log)) as it,
    ):
        it.shows("It starts again in")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
        said = it.output
    logged = log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert "Traceback" in logged
    assert "a fault of the service" in logged
    assert not [secret for secret in SECRETS if secret in logged + said]


def test_an_unwritable_log_is_one_message(tmp_path: Path) -> None:
    with terminal("demo", COMFYTUI_LOG=str(tmp_path / "nowhere" / "log")) as it:
        assert it.exit_code() == 1
        assert "cannot be written (No such file or directory)." in it.output
        assert "Traceback" not in it.text
