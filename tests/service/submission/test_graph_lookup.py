"""The graph of a job is found on the server or in the journal."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.comfy.server import Server
from comfytui.service.submission.graph_lookup import server_graph
from comfytui.session.model import Job, JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
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


class Mixed:
    """A server that answers with somebody else's entry, and has the graph in its list of jobs."""

    async def history_entry(self, _: str) -> HistoryEntry:
        return HistoryEntry(QueueItem("other", 0.0, text_to_image(seed=1)), "error")

    async def job_graph(self, _: str) -> dict[str, Any]:
        return text_to_image(seed=2)


async def test_the_history_entry_of_another_job_is_ignored() -> None:
    graph = await server_graph(Job("mine", JobStatus.FAILED), Mixed())  # type: ignore[arg-type]
    assert graph == text_to_image(seed=2)


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
