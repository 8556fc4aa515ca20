"""How a command ends although a thread of it hangs, and where its standard streams are closed."""

import signal
import sys
from pathlib import Path

import pytest

from comfytui.clock import SYSTEM_CLOCK
from comfytui.sim.server import SimServer
from tests.cli.commands import PROGRAM as COMFYTUI
from tests.cli.commands import QUICK, command, ended

HANGING_LOOKUP = """
import socket, sys, time
resolve = socket.getaddrinfo
def hang(host, *arguments, **options):
    if host not in ("nowhere.example", b"nowhere.example"):
        return resolve(host, *arguments, **options)
    print("looked up", file=sys.stderr, flush=True)
    time.sleep(600)
socket.getaddrinfo = hang
from comfytui.cli.main import main
main()
"""
PROGRAM = (sys.executable, "-c", HANGING_LOOKUP)
URL = "http://nowhere.example:8188"
SECONDS = 6.0
"""For an end on a busy machine, far below the lookup's."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", URL],
        ["wait", URL, "--mine"],
        ["watch", URL],
        ["status", URL],
        ["cancel", URL, "--mine"],
        ["relay", URL, "--port", "0"],
    ],
    ids=lambda arguments: arguments[0],
)
async def test_a_hanging_lookup_does_not_delay_the_end(tmp_path: Path, arguments: list[str]) -> None:
    async with command(tmp_path, *arguments, program=PROGRAM) as running:
        assert running.process.stderr
        while b"looked up" not in (line := await running.process.stderr.readline()):
            assert line, "the lookup did not begin"
        began = SYSTEM_CLOCK.monotonic()
        done = await running.end(signal.SIGTERM)
    assert SYSTEM_CLOCK.monotonic() - began < SECONDS
    assert done.code == (0 if arguments[0] == "relay" else 128 + signal.SIGTERM)
    assert "Traceback" not in done.err


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_run_needs_none_of_the_standard_streams(tmp_path: Path, closed: str) -> None:
    async with SimServer(QUICK) as sim:
        shell = ("sh", "-c", f'"$@" {closed}', "sh", *COMFYTUI)
        done = await ended(tmp_path, "run", sim.url, "--set", "steps=1", program=shell)
        assert (done.code, done.err) == (0, "")
