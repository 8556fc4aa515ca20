"""Jobs that a server forgot: which of them may have finished all the same, and how they are sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from comfytui.service.journal.scribe import Scribe
from comfytui.service.orders import Parcel
from comfytui.session.model import Job


async def parcels_of(jobs: Sequence[Job], kept: Mapping[str, Parcel], scribe: Scribe) -> list[Parcel]:
    """The prompts of these jobs as they were sent, seeds and all; those that nobody kept are left out."""
    parcels = []
    for job in jobs:
        if parcel := kept.get(job.prompt_id):
            # A server that mints its own ids knew it under another one.
            parcels.append(replace(parcel, prompt_id=job.prompt_id))
        elif job.mark and (graph := await scribe.graph_of(job.prompt_id)):
            parcels.append(Parcel(job.prompt_id, job.mark.batch, graph, asdict(job.mark), None))
    return parcels
