"""`comfytui status`: what one look at a server shows, and that it changes nothing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from comfytui.comfy.server import Server
from comfytui.headless.commands.short_ids import short_length
from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, QUICK, ended, submitted
from tests.sim.gate import Gate
from tests.terminal import terminal
from tests.threaded_servers import threaded_server, unused_port
from tests.waiting import eventually
from tests.watcher import watching


async def test_the_queue_shows_my_jobs_and_those_of_others(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        other = await submitted(sim, tmp_path, 1, other_user=True, prompt="a \x1b[2Jgreen door")
        mine = await submitted(sim, tmp_path, 2)
        shown = await ended(tmp_path, "status", sim.url)
    assert (shown.code, shown.err) == (0, "")
    label = sim.url.removeprefix("http://")
    assert shown.lines[0] == f"{label} (ComfyUI 0.33.0): live."
    assert "VRAM" in shown.lines[1]
    assert shown.lines[2] == f"Batch {mine.id}: a red fox in snow: Image 1 of 2 - queued, 1 ahead"
    assert shown.lines[3] == "3 in the queue:"
    first, second, third = shown.lines[4:]
    assert first.startswith(other.prompt_ids[0])
    assert first.endswith("  queued, next  a green door")
    assert second == f"{mine.prompt_ids[0]}  mine  queued, 1 ahead  a red fox in snow (1 of 2)"
    assert third == f"{mine.prompt_ids[1]}  mine  queued, 2 ahead  a red fox in snow (2 of 2)"
    assert "\x1b" not in shown.out


async def test_a_job_that_runs_is_said_to_run_once(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        mine = await submitted(sim, tmp_path, 1)
        await gate.let_steps(1)
        shown = await ended(tmp_path, "status", sim.url)
    assert shown.lines[-2:] == ["1 in the queue:", f"{mine.prompt_ids[0]}  mine  running  a red fox in snow"]


async def test_a_batch_without_a_prompt_has_a_title(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        mine = await submitted(sim, tmp_path, 1, prompt="")
        shown = await ended(tmp_path, "status", sim.url)
    assert shown.lines[2].startswith(f"Batch {mine.id}: untitled: Image 1 of 1")


async def test_json_is_one_document_with_the_server_and_the_queue(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        mine = await submitted(sim, tmp_path, 2)
        shown = await ended(tmp_path, "status", "--json", sim.url)
    document = json.loads(shown.out)
    assert document["version"] == 1
    assert document["server"]["link"]["state"] == "live"
    assert [job["mine"] for job in document["queue"]["running"] + document["queue"]["pending"]] == [True, True]
    assert [batch["batchId"] for batch in document["queue"]["batches"]] == [mine.id]


@pytest.mark.parametrize(("steps", "counts"), [(4, {"done": 1, "running": 1}), (None, {"done": 2})])
async def test_the_images_that_have_ended_count_in_their_batch(
    tmp_path: Path, steps: int | None, counts: dict[str, int]
) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        mine = await submitted(sim, tmp_path, 2)
        await (gate.let_steps(steps) if steps else gate.let_all())
        await eventually(lambda: len(sim.queue.history) == counts["done"], "the end of an image")
        shown = await ended(tmp_path, "status", "--json", sim.url)
    [batch] = json.loads(shown.out)["queue"]["batches"]
    assert (batch["promptIds"], batch["counts"]) == ([*mine.prompt_ids], counts)


async def test_an_empty_queue_is_said(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        assert (await ended(tmp_path, "status", sim.url)).lines[-1] == "The queue is empty."
    assert not (tmp_path / "comfytui").exists()


async def test_a_server_that_does_not_answer_or_refuses_is_said_on_standard_error(tmp_path: Path) -> None:
    shown = await ended(tmp_path, "status", "--json", f"http://127.0.0.1:{unused_port()}")
    assert (shown.code, shown.out) == (5, "")
    assert shown.err.startswith("Error: Nothing listens at 127.0.0.1")
    with threaded_server(401) as server:
        shown = await ended(tmp_path, "status", server.url)
    assert (shown.code, shown.out) == (1, "")
    assert "give --header" in shown.err


async def test_what_is_saved_and_not_sent_yet_is_told(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        lost = await submitted(sim, tmp_path, 1, prompt="a green door")
        await sim.stop(killed=True)
        async with watching(Server.from_url(sim.url), folder=tmp_path / "comfytui") as watcher:
            unsent = await watcher.submit(2, model=MODEL)
        await sim.restart()
        shown = await ended(tmp_path, "status", sim.url)
        document = json.loads((await ended(tmp_path, "status", sim.url, "--json")).out)["queue"]
        assert sim.queue.remaining == 0
    assert shown.lines[2:4] == [f"Batch {unsent.id}: a red fox in snow: 0 of 2 sent", "2 not sent yet:"]
    assert [(job["promptId"], job["status"]) for job in document["pending"]] == [
        (prompt_id, "sending") for prompt_id in unsent.prompt_ids
    ]
    assert [(batch["batchId"], batch["status"]) for batch in document["batches"]] == [(unsent.id, "sending")]
    assert lost.id not in shown.out


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C"}], ids=["unicode", "ascii"])
async def test_a_terminal_shows_each_job_in_one_line(
    tmp_path: Path, size: tuple[int, int], environment: dict[str, str]
) -> None:
    columns, rows = size
    async with SimServer(QUICK, clock=Gate()) as sim:
        first = await submitted(sim, tmp_path, 30, prompt="a fox in snow below an old apple tree, " * 4)
        second = await submitted(sim, tmp_path, 2, prompt="雪の中の赤い狐🦊" * 12)

        def shown() -> tuple[int, list[str]]:
            variables: dict[str, Any] = {"XDG_STATE_HOME": str(tmp_path), **environment}
            with terminal("status", sim.url, columns=columns, rows=rows, **variables) as it:
                return it.exit_code(), it.text.rstrip().splitlines()

        code, lines = await asyncio.to_thread(shown)
    assert code == 0
    assert len(lines) < rows
    assert max(map(cell_len, lines)) <= columns
    assert lines[0].endswith(": live.")
    heading = lines.index("32 in the queue:")
    jobs = [line.split()[0] for line in lines[heading + 1 :] if not line.startswith("and ")]
    assert jobs == [each[:8] for each in (*first.prompt_ids, *second.prompt_ids)][: len(jobs)]
    assert lines[-1] == f"and {32 - len(jobs)} more." or len(jobs) == 32
    assert not environment or not set("◌…") & set("".join(lines))


def test_ids_that_begin_alike_are_shown_as_long_as_they_differ() -> None:
    assert short_length(["0b9c6a4e-3f5d", "1b9c6a4e-3f5d"]) == 8
    assert short_length(["0b9c6a4e-3f5d", "0b9c6a4e-3f5e", "1b9c6a4e-3f5d"]) == 13
    assert short_length(["1", "2"]) == short_length([]) == 8
