"""Passwords, headers and tokens stay out of tracebacks and logs, whatever breaks."""

from pathlib import Path

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.terminal import ESCAPE, program_with, terminal

SECRETS = ("hunter2", "aHVudGVyMg", "s3cret", "abracadabra")
BROKEN_SCREEN = """
from comfytui.ui.widgets.header import HeaderLine
def show(self, state):
    server = self.app.service.server
    way_in, address = dict(server.headers), server.http_url("")
    raise RuntimeError(f"a fault of the screen: {way_in} {address}")
HeaderLine.show = show
"""
BROKEN_SERVICE = """
from comfytui.service.connection.poller import Looker
async def look(self, client):
    way_in, address = dict(client._server.headers), client._server.http_url("")
    raise RuntimeError(f"a fault of the service: {way_in} {address}")
Looker.look = look
"""


def secretive(url: str) -> tuple[str, ...]:
    """The arguments for a server, with a secret in every place that can have one."""
    return url.replace("//", "//user:hunter2@") + "?token=s3cret", "--header", "X-Key: abracadabra"


def test_a_fault_of_the_screen_ends_with_a_traceback_without_secrets() -> None:
    with EmbeddedServer(SimConfig()) as box, terminal(*secretive(box.url), program=program_with(BROKEN_SCREEN)) as it:
        assert it.exit_code() == 1
        said = it.said
        assert "Traceback" in said
        assert "a fault of the screen" in said
        assert not [secret for secret in SECRETS if secret in said]


def test_the_log_holds_the_faults_and_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        EmbeddedServer(SimConfig()) as box,
        terminal(*secretive(box.url), program=program_with(BROKEN_SERVICE), COMFYTUI_LOG=str(log)) as it,
    ):
        it.shows("It starts again in")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
        said = it.said
    logged = log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert "Traceback" in logged
    assert "a fault of the service" in logged
    assert not [secret for secret in SECRETS if secret in logged + said]


def test_a_log_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    with terminal("demo", COMFYTUI_LOG=str(tmp_path / "nowhere" / "log")) as it:
        assert it.exit_code() == 1
        assert "cannot be written (No such file or directory)." in it.said
        assert "Traceback" not in it.text
