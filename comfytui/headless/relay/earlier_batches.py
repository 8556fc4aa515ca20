"""Finds the batches that were submitted with an idempotency key before, also by a relay that has ended."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import uuid5

from comfytui.comfy.errors import ComfyError
from comfytui.headless.session import HeadlessSession
from comfytui.service.submission.batch import NAMESPACE, BatchRequest, batch_request
from comfytui.session.selectors import jobs_of
from comfytui.workflow.fields import FieldKey, seed_keys
from comfytui.workflow.graph import Graph, read_values, workflow_of


class KeyReused(Exception):
    """The idempotency key was used for another request."""


class EarlierBatches:
    """The batches of earlier requests, in the session and in the journal.

    Args:
        session: The session.
    """

    def __init__(self, session: HeadlessSession) -> None:
        self._session = session

    async def find(self, images: int, scope: str, digest: str) -> BatchRequest | None:
        """Return the ids of a batch that was submitted before, by this process or an earlier one, without its graphs.

        Raises:
            KeyReused: It was, for another request.
        """
        batch = with_digest(batch_request("", [{}] * images, key=scope), scope, digest)
        state = self._session.state
        if known := state.batches.get(batch.batch_id):
            earlier = next((job.batch_tag.submission for job in jobs_of(state, known) if job.batch_tag), None)
        else:
            earlier = await self._recorded_submission(batch.prompt_ids[0])
        if earlier not in {None, batch.submission_id}:
            raise KeyReused
        return None if known is None and earlier is None else batch

    async def is_saved(self, prompt_id: str) -> bool:
        """Return whether the next relay sends what this one cannot send any more."""
        is_recorded = await self._recorded_submission(prompt_id) is not None
        return is_recorded and self._session.service.is_durable

    async def _recorded_submission(self, prompt_id: str) -> str | None:
        """Return the id of the submission that the journal has a prompt of."""
        return await asyncio.wrap_future(self._session.service.submission_of(prompt_id))

    async def seeds_of(
        self, prompt_ids: Sequence[str], prepared: Sequence[Mapping[FieldKey, int]]
    ) -> Sequence[Mapping[FieldKey, int]]:
        """Return the seeds with which prompts were submitted; those prepared now where no graph is kept any more."""
        graphs = [await self._graph_of(prompt_id) for prompt_id in prompt_ids]
        values = [read_values(workflow_of("", graph)) if graph else None for graph in graphs]
        return [
            {key: int(each[key]) for key in seed_keys(each)} if each is not None else seeds
            for each, seeds in zip(values, prepared, strict=True)
        ]

    async def _graph_of(self, prompt_id: str) -> Graph | None:
        with suppress(ComfyError):
            return await asyncio.wrap_future(self._session.service.graph_of(prompt_id))
        return None


def with_digest(batch: BatchRequest, key: str, digest: str) -> BatchRequest:
    """Return a batch whose submission id tells requests with the same key apart."""
    return replace(batch, submission_id=str(uuid5(NAMESPACE, f"{key}/{digest}")))
