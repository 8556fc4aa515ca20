"""The keys `r` and `R`: make a job again, with the same seed or a new one, and resend lost jobs."""

import re
from functools import partial
from pathlib import Path
from uuid import uuid4

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.queue.queue_list import QueueList
from tests.sim.graphs import text_to_image, two_seeds
from tests.ui.screen import screen

S = JobStatus
DONE = re.compile(r"done    \d:\d\d ")
"""The end of an image in the list, with the time that it took."""
ONCE = SimConfig(steps_per_second=0, load_seconds=0, fail_step=1, fail_times=1)
SLOW = SimConfig(steps_per_second=10, load_seconds=0)


def has_more(sim: SimServer, count: int) -> bool:
    return len(sim.submitted) > count


def seeds(sim: SimServer) -> list[int]:
    return [body["prompt"]["3"]["inputs"]["seed"] for body in sim.submitted]


async def test_retry_of_failed_job_keeps_seed_and_capital_r_changes_it() -> None:
    async with SimServer(ONCE) as sim, screen(sim.url, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="1", width="64", height="64")
        await it.shows("failed in KSampler: CUDA out of memory")
        await it.press("escape", "home")
        await it.shows("Retry")
        await it.press("r")
        await it.shows(f"Queued again with the same seed, {seeds(sim)[0]}.")
        await it.has_jobs(S.FAILED, S.SUCCEEDED)
        await it.until(lambda: DONE.search(it.text), "how long it took")
        await it.shows("✓ mine ")
        first, second = sim.submitted
        assert first["prompt"] == second["prompt"]
        assert first["prompt_id"] != second["prompt_id"]
        assert second["extra_data"]["preview_method"] == "auto"
        await it.press("home", "R")
        await it.shows("Queued again with a new seed")
        await it.has_jobs(S.FAILED, S.SUCCEEDED, S.SUCCEEDED)
        assert len(set(seeds(sim))) == 2


async def test_retry_of_interrupted_job_moves_cursor_to_it() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="2", steps="2000")
        await it.shows("Image 1 of 2 - Step")
        await it.press("escape", "home", "r")
        await it.shows("This job has not ended yet")
        await it.press("x")
        await it.shows("1 of 2  interrupted")
        await it.press("r")
        await it.has_jobs(S.INTERRUPTED, S.RUNNING, S.QUEUED)
        assert seeds(sim)[2] == seeds(sim)[0]
        rows = it.app.screen.query_one(QueueList)
        await it.until(lambda: rows.selected_id == sim.submitted[2]["prompt_id"], "the cursor on it")
        await it.press("x")
        await it.has_jobs(S.INTERRUPTED, S.RUNNING, S.CANCELLED)


async def test_retry_of_other_clients_job_uses_server_history() -> None:
    async with SimServer(ONCE) as sim, screen(sim.url) as it:
        await it.shows("live")
        async with ComfyClient(Server.from_url(sim.url)) as client:
            await client.submit(text_to_image(seed=77), prompt_id=str(uuid4()), client_id="they", tag={})
            await it.until(lambda: sim.queue.history, "its end")
        await it.press("escape", "ctrl+r")
        await it.shows("failed")
        await it.press("home", "r")
        await it.has_jobs(S.FAILED, S.SUCCEEDED)
        await it.until(lambda: DONE.search(it.text), "how long it took")
        await it.shows("✓ mine ")
        assert seeds(sim) == [77, 77]
        sim.queue.history.clear()
        await it.press("end", "r")
        await it.shows("neither comfytui nor")
        assert len(sim.submitted) == 2


async def test_resend_searches_for_lost_jobs_of_all_batches() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="2", steps="2000")
        await it.shows("Image 1 of 2 - Step")
        await it.generate("a fox", images="1", steps="2000")
        await it.has_jobs(S.RUNNING, S.QUEUED, S.QUEUED)
        sent = seeds(sim)
        await sim.restart()
        await it.shows("0 of 2 done, 2 lost")
        await it.has_jobs(S.LOST, S.LOST, S.LOST)
        await it.press("escape", "home", "r")
        await it.shows("Searched the server's history and output")
        await it.shows("lost jobs of 2 batches: none found")
        await it.shows("3 lost jobs may have finished")
        await it.press("y")
        await it.until(lambda: seeds(sim) == sent * 2, "all of them sent again")


async def test_retry_of_done_job_while_other_batch_has_lost_jobs() -> None:
    async with SimServer(SLOW) as sim, screen(sim.url, (160, 40)) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a fox", images="1", steps="1")
        await it.has_jobs(S.SUCCEEDED)
        await it.generate("a lighthouse", images="1", steps="2000")
        await it.has_jobs(S.SUCCEEDED, S.RUNNING)
        await sim.restart()
        await it.has_jobs(S.SUCCEEDED, S.LOST)
        sent = seeds(sim)
        rows = it.app.screen.query_one(QueueList)
        await it.until(lambda: rows.select(sim.submitted[0]["prompt_id"]), "the done job in the list")
        await it.press("escape", "r")
        await it.shows(f"Queued again with the same seed, {sent[0]}.")
        await it.until(lambda: seeds(sim) == [*sent, sent[0]], "the done one sent once more")


async def test_ended_jobs_are_made_again_after_both_programs_were_started_anew(tmp_path: Path) -> None:
    async with SimServer(SLOW) as sim:
        async with screen(sim.url, journal=tmp_path) as it:
            await it.shows("dreamshaper_8")
            await it.generate("a {red|blue} fox", images="2", steps="2000")
            await it.shows("Image 1 of 2 - Step")
            rows = it.app.screen.query_one(QueueList)
            first, second = (body["prompt_id"] for body in sim.submitted)
            await it.press("escape")
            await it.until(lambda: rows.select(second), "the job in the list")
            await it.press("x")
            await it.has_jobs(S.RUNNING, S.CANCELLED)
            await it.until(lambda: rows.select(first), "the job in the list")
            await it.press("x")
            await it.has_jobs(S.INTERRUPTED, S.CANCELLED)
        graphs = {body["prompt_id"]: body["prompt"] for body in sim.submitted}
        await sim.restart()
        async with screen(sim.url, journal=tmp_path) as it:
            await it.has_jobs(S.INTERRUPTED, S.CANCELLED)
            rows = it.app.screen.query_one(QueueList)
            await it.press("escape")
            for prompt_id in (first, second):
                await it.until(partial(rows.select, prompt_id), "the job in the list")
                sent = len(sim.submitted)
                await it.press("r")
                await it.until(partial(has_more, sim, sent), "the job once more")
                assert sim.submitted[-1]["prompt"] == graphs[prompt_id]
            await it.until(lambda: rows.select(first), "the job in the list")
            await it.press("R")
            await it.until(lambda: len(sim.submitted) == 5, "the job with a new seed")
            made = sim.submitted[-1]["prompt"]
            assert made["3"]["inputs"].pop("seed") != graphs[first]["3"]["inputs"].pop("seed")
            # Its prompt is drawn again from the template, which stays with it.
            assert made["6"]["inputs"].pop("text") in {"a red fox", "a blue fox"}
            assert graphs[first]["6"]["inputs"].pop("text") in {"a red fox", "a blue fox"}
            assert made == graphs[first]


async def test_new_seeds_of_another_clients_job_are_all_different() -> None:
    async with SimServer(SimConfig(steps_per_second=0, load_seconds=0)) as sim, screen(sim.url) as it:
        await it.shows("live")
        graph = two_seeds()
        graph["11"]["inputs"]["seed"] = graph["3"]["inputs"]["seed"]
        async with ComfyClient(Server.from_url(sim.url)) as client:
            await client.submit(graph, prompt_id=str(uuid4()), client_id="they", tag={})
            await it.until(lambda: sim.queue.history, "its end")
        await it.press("escape", "ctrl+r")
        await it.shows("✓ they")
        await it.press("home", "R")
        await it.shows("Queued again with new seeds")
        await it.until(lambda: len(sim.submitted) == 2, "the job once more")
        made = sim.submitted[1]["prompt"]
        assert len({made["3"]["inputs"]["seed"], made["11"]["inputs"]["seed"], graph["3"]["inputs"]["seed"]}) == 3


async def test_capital_r_draws_the_prompt_again_and_r_repeats_it(tmp_path: Path) -> None:
    (tmp_path / "wildcards").mkdir()
    animals = tmp_path / "wildcards/animal.txt"
    animals.write_text("\n".join(f"animal {number}" for number in range(1_000)))
    config = SimConfig(steps_per_second=0, load_seconds=0)
    async with SimServer(config) as sim, screen(sim.url, (160, 40), prompt_files=tmp_path) as it:

        def texts() -> list[str]:
            return [body["prompt"]["6"]["inputs"]["text"] for body in sim.submitted]

        await it.shows("dreamshaper_8")
        await it.generate("a __animal__", images="1", width="64", height="64")
        await it.has_jobs(S.SUCCEEDED)
        await it.shows("✓ mine ")
        await it.press("escape", "home", "r")
        await it.has_jobs(S.SUCCEEDED, S.CACHED)
        assert texts()[1] == texts()[0]
        await it.press("home", "R")
        await it.shows("Its prompt was")
        await it.has_jobs(S.SUCCEEDED, S.CACHED, S.SUCCEEDED)
        assert texts()[2] != texts()[0]
        animals.unlink()
        await it.press("home", "R")
        await it.shows("Its prompt is")
        await it.has_jobs(S.SUCCEEDED, S.CACHED, S.SUCCEEDED, S.SUCCEEDED)
        assert texts()[3] in texts()[:3]
        assert len(set(seeds(sim))) == 3
