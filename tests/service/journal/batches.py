"""Batches for tests of the journal."""

from collections.abc import Sequence
from pathlib import Path

from comfytui.service.journal.journal import Journal
from comfytui.service.journal.records import Endpoint
from comfytui.service.submission.batch import Submission, batch_request, plan
from comfytui.session.model import Batch
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Graph, apply_values

FINGERPRINT = "f00d"
ME = "c0ffee"
FILE = "journal.sqlite3"


def at(address: str, fingerprint: str = FINGERPRINT) -> Endpoint:
    """Return a server with a fingerprint, at an address without a name of its own."""
    return Endpoint(fingerprint, address, address)


SERVER = at("gpu-box")


def graph(seed: int = 1, prompt: str = "a red fox in snow") -> Graph:
    return apply_values(txt2img(), {Field.SEED: seed, Field.PROMPT: prompt, Field.MODEL: "sdxl"})


def new_batch(
    seeds: Sequence[int] = (1, 2), title: str = "a red fox", created: float = 1000.0
) -> tuple[Batch, list[Submission]]:
    batch, _, submissions = plan(batch_request(title, tuple(graph(seed) for seed in seeds), "auto"), ME, created)
    return batch, list(submissions)


def recorded_batch(
    journal: Journal,
    seeds: Sequence[int] = (1, 2),
    *,
    server: Endpoint = SERVER,
    client_id: str = ME,
    title: str = "a red fox",
) -> Batch:
    batch, submissions = new_batch(seeds, title)
    journal.record_batch(server, client_id, batch, submissions)
    return batch


def write_journal(folder: Path) -> None:
    with Journal.open(folder) as journal:
        for _ in range(20):
            recorded_batch(journal)


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of each file in a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
