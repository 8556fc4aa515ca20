"""A dashboard, a relay and `run` of one user at the same time: one journal, one server, one truth."""

import json
from pathlib import Path

from comfytui.headless.documents.jobs import status_of
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, command, ended
from tests.headless.relay.running import RunningRelay, running_relay
from tests.sim.gate import Gate
from tests.ui.screen import screen
from tests.waiting import eventually

FAILING_ONCE = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64, fail_step=2, fail_times=1)
SMALL = {"width": 64, "height": 64, "steps": 4}


def submitted(sim: SimServer) -> list[str]:
    """Return the ids of all prompts that were sent, in order."""
    return [body["prompt_id"] for body in sim.submitted]


def statuses(state: SessionState) -> dict[str, str]:
    """Return the statuses of the jobs that a session knows."""
    return {job.prompt_id: status_of(job) for job in state.jobs.values()}


async def in_relay(relay: RunningRelay, prompt_ids: list[str]) -> dict[str, str]:
    """Return the statuses of jobs as the relay answers."""
    answers = {each: await relay.client.get(f"/api/jobs/{each}") for each in prompt_ids}
    return {prompt_id: answer.json()["status"] for prompt_id, answer in answers.items()}


async def test_each_job_is_sent_once_and_all_tell_how_it_ended(tmp_path: Path) -> None:
    gate, folder = Gate(), tmp_path / "comfytui"
    async with SimServer(FAILING_ONCE, clock=gate) as sim:
        async with (
            screen(sim.url, journal=folder) as dashboard,
            running_relay(sim.url, folder=folder) as relay,
        ):
            await relay.live()
            await dashboard.shows("live")
            service = dashboard.app.service
            assert service
            await dashboard.generate(width="64", height="64", steps="4", images="1")
            await eventually(lambda: len(sim.submitted) == 1, "the dashboard's job")
            options = [f"--set={name}={value}" for name, value in SMALL.items()]
            async with command(tmp_path, "run", sim.url, "-n", "3", "--json", *options) as run:
                await run.until('"submitted"')
                body = {"values": {"model": MODEL, **SMALL}, "images": 2}
                answer = (await relay.client.post("/api/generate", json=body)).json()
                await eventually(lambda: len(sim.submitted) == 6, "all jobs")
                failed, first, dropped, second, third, fourth = submitted(sim)
                assert [third, fourth] == answer["promptIds"]
                # Whoever has not seen it before it is removed never learns of it: the history has nothing of it.
                await eventually(lambda: dropped in relay.state.jobs, "the jobs of run in the relay")
                await eventually(lambda: dropped in service.state.jobs, "the jobs of run in the dashboard")
                assert (await relay.client.post(f"/api/jobs/{dropped}/cancel")).status_code == 200
                await gate.let_all()
                done = await run.end()
            ends = {
                failed: "failed",
                **dict.fromkeys((first, second, third, fourth), "done"),
                dropped: "cancelled",
            }
            told = {each["promptId"]: each["status"] for each in done.events if each["event"] == "image"}
            # The relay records what it cancelled once the server has told what became of it: run may look before.
            end, code = told.pop(dropped), {"cancelled": 1, "lost": 3}
            assert told == {first: "done", second: "done"}
            assert (done.code, done.events[-1]["event"], done.err) == (code[end], end, "")
            await eventually(lambda: statuses(service.state) == ends, "the ends in the dashboard")
            await eventually(lambda: statuses(relay.state) == ends, "the ends in the relay")
            assert await in_relay(relay, [*ends]) == ends
        status = await ended(tmp_path, "status", sim.url, "--json")
        listed = {each["promptId"]: each["status"] for each in json.loads(status.out)["queue"]["ended"]}
        assert listed == ends
        assert sorted(submitted(sim)) == sorted(ends), "each was sent exactly once"
