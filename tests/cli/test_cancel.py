"""`comfytui cancel`, on real processes."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus
from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, QUICK, ended, submitted
from tests.faults.proxy import proxy_to
from tests.sim.gate import Gate
from tests.terminal import terminal
from tests.watcher import small_batch, watching

UNKNOWN = "0b9c6a4e-3f5d-4c0e-9d6e-2f1f0c7a8b15"


async def statuses(sim: SimServer, state: Path) -> list[JobStatus]:
    """Return the statuses of my jobs, as the next session of the same user has them."""
    async with watching(Server.from_url(sim.url), folder=state / "comfytui") as watcher:
        await watcher.live()
        return [job.status for job in watcher.state.jobs.values() if job.mine]


async def test_jobs_of_mine_and_of_others_are_cancelled_by_their_ids(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        mine = await submitted(sim, tmp_path, 2)
        other = await submitted(sim, tmp_path, 1, other_user=True)
        done = await ended(tmp_path, "cancel", sim.url, mine.prompt_ids[1], other.prompt_ids[0])
        again = await ended(tmp_path, "cancel", sim.url, mine.prompt_ids[1], "--json")
        assert await statuses(sim, tmp_path) == [JobStatus.QUEUED, JobStatus.CANCELLED]
        assert sim.queue.remaining == 1
    assert (done.code, done.err) == (0, "")
    assert done.lines == [
        f"{each}  Removed from the queue before it ran." for each in (mine.prompt_ids[1], *other.prompt_ids)
    ]
    document = json.loads(again.out)
    assert (again.code, document["cancelled"], document["outcome"]) == (0, True, "already_ended")
    assert document["promptId"] == mine.prompt_ids[1]


async def test_all_of_mine_are_cancelled_without_a_question_where_there_is_no_terminal(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        first, second = await submitted(sim, tmp_path, 2), await submitted(sim, tmp_path, 1)
        done = await ended(tmp_path, "cancel", sim.url, "--mine")
        none_left = await ended(tmp_path, "cancel", sim.url, "--mine")
    assert done.code == 0
    assert done.lines == [f"Batch {first.id}  2 removed.", f"Batch {second.id}  1 removed."]
    assert (none_left.code, none_left.out, none_left.err) == (0, "", "None of your jobs is open.\n")


async def test_a_terminal_is_asked_before_all_of_mine_are_cancelled(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        await submitted(sim, tmp_path, 2)

        def answer(key: str) -> tuple[int, str]:
            with terminal("cancel", sim.url, "--mine", controlling=True, XDG_STATE_HOME=str(tmp_path)) as it:
                it.shows("Cancel 2 jobs? [y/N]")
                it.send(key)
                return it.exit_code(), it.text

        code, text = await asyncio.to_thread(answer, "\r")
        assert code == 1
        assert "Nothing was cancelled." in text
        assert sim.queue.remaining == 2
        code, text = await asyncio.to_thread(answer, "y\r")
        assert code == 0
        assert "removed" in text


async def test_an_old_server_takes_force(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(replace(QUICK, like="0.3.10"), clock=gate) as sim:
        batch = await submitted(sim, tmp_path, 1)
        refused = await ended(tmp_path, "cancel", sim.url, "--batch", batch.id)
        forced = await ended(tmp_path, "cancel", sim.url, "--batch", batch.id, "--force")
    assert refused.code == 1
    assert refused.lines == [
        f"Batch {batch.id}  Not interrupted: this server is too old to interrupt a single job; "
        "--force stops whatever runs."
    ]
    assert forced.code == 0, forced
    assert forced.lines == [f"Batch {batch.id}  1 interrupted."]


async def test_an_unknown_job_is_a_usage_error(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        unknown = await ended(tmp_path, "cancel", sim.url, UNKNOWN)
    assert (unknown.code, unknown.out) == (2, "")
    assert UNKNOWN in unknown.err


@pytest.mark.parametrize("chosen", [("--mine", "--yes"), ("--batch",), ()], ids=["mine", "batch", "ids"])
async def test_a_server_that_went_away_is_said_in_one_sentence(tmp_path: Path, chosen: tuple[str, ...]) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, proxy_to(sim.url) as proxy:
        batch = await submitted(sim, tmp_path, 2)
        proxy.reset_on(b"POST ", times=None)
        ids = {"--mine": (), "--batch": (batch.id,)}.get("".join(chosen[:1]), batch.prompt_ids)
        done = await ended(tmp_path, "cancel", proxy.url, *chosen, *ids)
    assert done.code == 5
    assert "\n" not in done.err.rstrip("\n")
    assert done.err.endswith("may go on: cancel once more when the server is back.\n")


async def test_the_beginning_of_an_id_is_enough(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        batch, other = await submitted(sim, tmp_path, 2), await submitted(sim, tmp_path, 1)
        one = await ended(tmp_path, "cancel", sim.url, batch.prompt_ids[0][:8].upper())
        all_of_it = await ended(tmp_path, "cancel", sim.url, "--batch", batch.id[:13].upper())
        unknown = await ended(tmp_path, "cancel", sim.url, "00000000")
        waited = await ended(tmp_path, "wait", sim.url, batch.prompt_ids[0][:13], batch.prompt_ids[0])
        assert sim.queue.remaining == len(other.prompt_ids)
    assert one.lines == [f"{batch.prompt_ids[0]}  Removed from the queue before it ran."]
    assert all_of_it.lines == [f"Batch {batch.id}  1 removed."]
    assert (unknown.code, unknown.err) == (2, "Error: Job 00000000 is in neither the server's queue nor its history.\n")
    assert [line[:36] for line in waited.lines] == [batch.prompt_ids[0]]


async def test_the_beginning_of_several_ids_is_a_usage_error(tmp_path: Path) -> None:
    ids = [f"0b9c6a4e-3f5d-4c0e-9d6e-2f1f0c7a8b1{last}" for last in range(2)]
    async with SimServer(QUICK, clock=Gate()) as sim, ComfyClient(Server.from_url(sim.url)) as client:
        graph = small_batch(1, model=MODEL).graphs[0]
        for each in ids:
            await client.submit(graph, prompt_id=each, client_id="someone", tag={}, preview_method=None)
        done = await ended(tmp_path, "cancel", sim.url, "0b9c6a4e-3f5d")
        assert sim.queue.remaining == 2
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: 2 ids begin with 0b9c6a4e-3f5d: {', '.join(ids)}.\n"
