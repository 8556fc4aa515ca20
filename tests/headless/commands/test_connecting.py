"""A command gets a session whose queue is known, or a sentence about why there is none."""

import asyncio
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import ConnectError, RefusedError, UnreachableError, connected
from comfytui.headless.session import is_current
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.paths import state_folder
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.threaded_servers import silent_port, threaded_server, unused_port
from tests.waiting import TIMEOUT


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def failure(url: str, seconds: float = 60.0) -> ConnectError:
    with pytest.raises(ConnectError) as raised:
        async with connected(Server.from_url(url), seconds=seconds):
            pass
    return raised.value


async def test_a_session_is_given_once_the_queue_is_known() -> None:
    async with SimServer(SimConfig()) as sim, connected(Server.from_url(sim.url)) as session:
        assert is_current(session.state)


async def test_changes_are_not_waited_for_longer_than_needed_until_the_queue_is_known() -> None:
    async with (
        SimServer(SimConfig()) as sim,
        asyncio.timeout(TIMEOUT),
        connected(Server.from_url(sim.url), min_interval=3 * TIMEOUT, seconds=2 * TIMEOUT) as session,
    ):
        assert session.is_paced


async def test_a_port_without_a_server_is_unreachable() -> None:
    error = await failure(f"http://127.0.0.1:{unused_port()}")
    assert isinstance(error, UnreachableError)
    assert "Nothing listens" in str(error)


async def test_a_server_that_never_answers_is_unreachable_after_a_while() -> None:
    with silent_port() as port:
        assert isinstance(await failure(f"http://127.0.0.1:{port}", 0.3), UnreachableError)


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (200, UnreachableError, "is not ComfyUI"),
        (401, RefusedError, "asks for a login: give --header"),
        (403, RefusedError, "give --header"),
    ],
)
async def test_an_answer_that_is_not_a_comfyuis_is_explained(status: int, kind: type[ConnectError], text: str) -> None:
    with threaded_server(status, b"hello") as server:
        error = await failure(server.url)
    assert type(error) is kind
    assert text in str(error)


async def test_another_server_than_before_is_refused() -> None:
    async with SimServer(SimConfig()) as sim:
        with Journal.open(state_folder()) as journal:
            journal.record_fingerprint(Server.from_url(sim.url).label, "another machine")
        error = await failure(sim.url)
    assert isinstance(error, RefusedError)
    assert str(error).startswith(f"Another server than before answers at {sim.url.removeprefix('http://')}")
