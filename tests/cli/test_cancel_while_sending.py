"""`comfytui cancel` of a batch that another process is still sending: nothing of it is made afterwards."""

import signal
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.service.journal.open_jobs import unsent_batches
from comfytui.sim.server import SimServer
from tests.cli.commands import QUICK, command, ended
from tests.faults.proxy import proxy_to
from tests.sim.gate import Gate
from tests.waiting import eventually

IMAGES = 300


@pytest.mark.parametrize("killed", [False, True], ids=["sends on", "was killed"])
async def test_a_batch_is_cancelled_with_what_is_not_sent(killed: bool, tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        async with command(tmp_path, "run", sim.url, "-n", str(IMAGES), "--json") as run:
            await eventually(lambda: sim.queue.remaining > 5, "some of the batch")
            if killed:
                await run.end(signal.SIGKILL)
            done = await ended(tmp_path, "cancel", sim.url, "--mine")
            assert (done.code, done.err) == (0, ""), done.out
            assert sim.queue.remaining == 0
            if not killed:
                end = await run.end()
                assert (end.code, end.events[-1]["event"]) == (1, "cancelled")
                assert end.events[-1]["counts"] == {"cancelled": IMAGES}
        later = await ended(tmp_path, "wait", sim.url, "--mine")
        assert (later.code, later.out) == (0, "")
        assert sim.queue.remaining == 0


async def test_a_batch_is_known_before_the_server_has_any_of_it(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, proxy_to(sim.url) as proxy:
        refused = proxy.reset_on(b"POST /api/prompt", times=None)
        async with command(tmp_path, "run", proxy.url, "-n", "3"):
            await eventually(lambda: refused.hits > 0, "the first POST")
            [batch] = unsent_batches(tmp_path / "comfytui", Server.from_url(proxy.url).label, proxy.url)
            waited = await ended(tmp_path, "wait", proxy.url, "--batch", batch.batch.id[:8], "--timeout", "3")
            done = await ended(tmp_path, "cancel", proxy.url, "--mine", "--json")
        assert sim.queue.remaining == 0
    assert (waited.code, waited.err) == (4, "Not all have ended within 3 s.\n")
    assert [each["batchId"] for each in done.events] == [batch.batch.id], done.err
    assert "2 dropped before they were sent." in done.events[0]["message"]
