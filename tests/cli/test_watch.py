"""`comfytui watch`, on real processes."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, PROGRAM, QUICK, Command, command, ended, submitted
from tests.sim.gate import Gate
from tests.watcher import watching

STEPS = 3


async def until_event(watch: Command, name: str, **fields: object) -> list[dict[str, Any]]:
    """Return the events up to the next one of a name with these fields."""
    events: list[dict[str, Any]] = []
    while True:
        line = await watch.line()
        assert line, f"no {name} {fields} in {events}"
        events.append(event := json.loads(line))
        if event["event"] == name and fields.items() <= event.items():
            return events


async def test_a_restart_of_the_server_is_survived_and_lost_jobs_are_said(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(QUICK, clock=gate) as sim:
        batch = await submitted(sim, tmp_path, 2)
        async with command(tmp_path, "watch", sim.url, "--json", "--interval", "0") as watch:
            assert json.loads(await watch.line()) == {"version": 1, "event": "link", "link": "live", "reason": ""}
            await gate.let_steps(STEPS + 1)
            await until_event(watch, "image", imageIndex=1, status="done")
            await sim.stop(killed=True)
            assert (await until_event(watch, "link", link="offline"))[-1]["reason"]
            await sim.restart()
            seen = await until_event(watch, "lost", batchId=batch.id)
            assert [event["link"] for event in seen if event["event"] == "link"][-1] in {
                "live",
                "connecting",
                "polling",
            }
            assert seen[-1]["counts"] == {"done": 1, "lost": 1}
            done = await watch.end(signal.SIGINT)
    assert (done.code, done.err) == (130, "")


async def test_text_has_one_line_for_each_change(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with (
        SimServer(QUICK, clock=gate) as sim,
        command(tmp_path, "watch", sim.url, "--interval", "3600") as watch,
        watching(Server.from_url(sim.url)) as other,
    ):
        assert await watch.line() == "Connection: live."
        await other.live()
        await other.submit(1, model=MODEL, prompt="a \x1b[31mgreen door")
        assert (await watch.line()).endswith("): started: a green door")
        await gate.let_all()
        assert "): done in 0:" in (await watch.until("Another user"))[-1]
        await submitted(sim, tmp_path, 2)
        lines = await watch.until("a red fox in snow: 2 of 2 done")
        done = await watch.end(signal.SIGTERM)
    assert (done.code, done.out, done.err) == (143, "", "")
    # Whose they are is found out while they end, so that either may be told first.
    assert sorted(line[:36] for line in lines if " done: " in line) == [
        "a red fox in snow: Image 1 of 2 done",
        "a red fox in snow: Image 2 of 2 done",
    ]


@pytest.mark.parametrize("reads", ["head -n 1", "true"])
async def test_a_pipe_that_closes_ends_it_at_once_though_nothing_changes(tmp_path: Path, reads: str) -> None:
    async with SimServer(QUICK) as sim:
        script = f'server=$1; shift; {{ "$@" watch "$server"; echo $? >&2; }} | {reads}'
        done = await ended(tmp_path, program=("sh", "-c", script, "sh", sim.url, *PROGRAM))
    assert done.err == "141\n"


async def test_progress_is_written_at_most_once_an_interval_and_ends_at_once(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(QUICK, clock=gate) as sim:
        batch = await submitted(sim, tmp_path, 1)
        async with command(tmp_path, "watch", sim.url, "--json", "--interval", "3600") as watch:
            await until_event(watch, "progress", batchId=batch.id)
            await gate.let_steps(STEPS - 1)
            await gate.let_all()
            assert [event["event"] for event in await until_event(watch, "done")] == ["image", "done"]


async def test_json_has_the_jobs_of_other_users_as_text_has(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with (
        SimServer(QUICK, clock=gate) as sim,
        command(tmp_path, "watch", sim.url, "--json") as watch,
        watching(Server.from_url(sim.url)) as other,
    ):
        await until_event(watch, "link", link="live")
        await other.live()
        first, second = (await other.submit(2, model=MODEL, prompt="a green door")).prompt_ids
        started = (await until_event(watch, "otherJob", status="running"))[-1]
        await other.cancel(second)
        gone = (await until_event(watch, "otherJob", promptId=second))[-1]
        await gate.let_all()
        done = (await until_event(watch, "otherJob", promptId=first))[-1]
    [owner] = other.state.client_ids
    assert started == {
        "version": 1,
        "event": "otherJob",
        "promptId": first,
        "owner": owner[:4],
        "status": "running",
        "outcome": None,
        "prompt": "a green door",
        "seconds": None,
    }
    assert (gone["status"], gone["outcome"]) == ("lost", "lost")
    assert (done["status"], done["outcome"]) == ("done", "succeeded")
    assert done["seconds"] > 0
