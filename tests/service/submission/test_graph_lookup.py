"""The graph of a job is found on the server or in the journal."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.comfy.server import Server
from comfytui.service.submission.graph_lookup import server_graph
from comfytui.session.model import Job, JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.parameters import parameters_of
from tests.sim.graphs import text_to_image
from tests.waiting import eventually
from tests.watcher import watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
SLOW = SimConfig(steps_per_second=2, load_seconds=0)


async def submitted(sim: SimServer, backend: ComfyBackend, graph: dict[str, Any]) -> str:
    prompt_id = str(uuid4())
    await backend.submit(graph, prompt_id=prompt_id, client_id="they", tag={})
    return prompt_id


async def test_the_server_has_the_graph_in_its_history_or_its_queue() -> None:
    async with SimServer(SLOW) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        running = await submitted(sim, backend, text_to_image(seed=1, steps=100))
        waiting = await submitted(sim, backend, text_to_image(seed=2))
        for prompt_id, seed in ((running, 1), (waiting, 2)):
            graph = await server_graph(Job(prompt_id, JobStatus.QUEUED), backend)
            assert graph is not None
            assert graph["3"]["inputs"]["seed"] == seed
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        ended = await submitted(sim, backend, text_to_image(seed=3))
        await eventually(lambda: sim.queue.history, "the end")
        assert await server_graph(Job(ended, JobStatus.FAILED), backend) == text_to_image(seed=3)
        assert await server_graph(Job(str(uuid4()), JobStatus.FAILED), backend) is None


async def test_the_graph_is_in_the_image_unless_another_job_has_overwritten_it() -> None:
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        prompt_id = await submitted(sim, backend, text_to_image(seed=3))
        await eventually(lambda: sim.queue.history, "the end")
        entry = await backend.history_entry(prompt_id)
        assert entry is not None
        sim.queue.history.clear()
        for seed, expected in ((3, text_to_image(seed=3)), (4, None)):
            parameters = parameters_of(text_to_image(seed=seed))
            job = Job(prompt_id, JobStatus.SUCCEEDED, parameters=parameters, outputs=entry.outputs)
            assert await server_graph(job, backend) == expected
        assert await server_graph(Job(prompt_id, JobStatus.SUCCEEDED, outputs=(Output("gone.png"),)), backend) is None


class Mixed:
    """A server without a list of jobs that answers with somebody else's entry of the history."""

    async def history_entry(self, _: str) -> HistoryEntry:
        return HistoryEntry(QueueItem("other", 0.0, text_to_image(seed=1)), "error")

    async def job_graph(self, _: str) -> None:
        return None


async def test_the_history_entry_of_another_job_is_ignored() -> None:
    assert await server_graph(Job("mine", JobStatus.FAILED), Mixed()) is None  # type: ignore[arg-type]
    assert await server_graph(Job("other", JobStatus.FAILED), Mixed()) == text_to_image(seed=1)  # type: ignore[arg-type]


async def test_the_journal_has_the_graph_in_the_next_session_if_the_server_forgot_it(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path) as first:
            batch = await first.submit(1, model=QUICK.checkpoints[0])
            await first.until(batch, JobStatus.SUCCEEDED)
        sent = sim.submitted[0]["prompt"]
        sim.queue.history.clear()
        async with watching(Server.from_url(sim.url), folder=tmp_path) as second:
            await second.live()
            found = second.service.graph_of(batch.prompt_ids[0])
            await eventually(found.done, "the answer")
            assert found.result() == sent
