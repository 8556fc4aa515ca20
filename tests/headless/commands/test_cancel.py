"""Cancelling on a server that does not answer is over in time, and says so once."""

import json
from pathlib import Path
from time import monotonic

import pytest

from comfytui.comfy.server import Server
from comfytui.headless.commands.cancel import cancel
from comfytui.headless.commands.connecting import UnreachableError
from comfytui.headless.commands.selection import Selection
from comfytui.sim.server import SimServer
from tests.cli.commands import QUICK, submitted
from tests.faults.proxy import proxy_to
from tests.sim.gate import Gate


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def test_all_of_them_together_wait_as_long_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, proxy_to(sim.url) as proxy:
        batches = [await submitted(sim, tmp_path, 1) for _ in range(3)]
        proxy.hold_response_to(b"POST ", times=None)
        ids = tuple(batch.prompt_ids[0] for batch in batches)
        server, selection = Server.from_url(proxy.url), Selection(prompt_ids=ids)
        began = monotonic()
        with pytest.raises(UnreachableError) as raised:
            await cancel(server, selection, as_json=True, force=False, ask=False, seconds=5.0)
        assert monotonic() - began < 12  # One after another, they take 15 s.
    assert (
        str(raised.value) == "The server does not answer. 3 of 3 may go on: cancel once more when the server is back."
    )
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["promptId"], each["cancelled"]) for each in documents] == [(each, False) for each in ids]
