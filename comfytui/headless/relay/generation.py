"""Makes images for clients of the relay, once for each idempotency key."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random, SystemRandom
from typing import Final

import msgspec

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError
from comfytui.headless.conversion import with_graph
from comfytui.headless.documents.commands import AwayAnswer, GenerateAnswer, GenerateBody
from comfytui.headless.feed import Feed
from comfytui.headless.generate import (
    GenerateRequest,
    prepare,
    prompt_tools,
    workflow_from_json,
)
from comfytui.headless.relay.earlier_batches import EarlierBatches, KeyReused, with_digest
from comfytui.headless.relay.errors import why_away
from comfytui.headless.relay.kept_specs import NODES_TIMEOUT, KeptSpecs, Specs
from comfytui.headless.session import HeadlessSession, is_current
from comfytui.headless.value_checks import ChoicesUnknown, FieldError
from comfytui.service.submission.batch import BatchRequest
from comfytui.session.model import JobStatus, LinkKind
from comfytui.session.selectors import counts_of, open_jobs
from comfytui.session.state import SessionState
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.conversion import warnings
from comfytui.workflow.field_keys import FieldKey
from comfytui.workflow.graph import Workflow
from comfytui.workflow.prompt_text.rendering import PromptTools
from comfytui.workflow.prompt_text.wildcards import user_folder

MAX_OPEN: Final = 1_000
"""Jobs of mine that may be open at once."""
MAX_ANSWERED: Final = 10_000
"""Images in the answers that are kept for their keys; older ones are found in the session or the journal."""
MAX_GRAPHS: Final = 256 * 2**20
"""Bytes of a request, or of its graph, times its images, each of which is kept and sent with a graph of its own."""
CONNECT_TIMEOUT: Final = 3.0
"""Seconds that a request waits for a connection that is being made."""
PLAN_TIMEOUT: Final = 5.0
"""Seconds that a request waits until its batch is planned, so that it can be followed."""


class TooManyJobs(Exception):
    """Too many jobs of mine have not ended."""


class NotConverted(Exception):
    """A workflow in the editor's format waits for what the server says about its nodes; the message is a sentence."""


class Generation:
    """Checks requests for images and submits them.

    The ids of a batch are made of its idempotency key and the server's address, so that a request that is repeated is
    found by them: in the session, or in the journal, where it is after this process has ended.

    Args:
        session: The session.
        feed: Its events.
        clock: The time source.
    """

    def __init__(self, session: HeadlessSession, feed: Feed, clock: Clock = SYSTEM_CLOCK) -> None:
        self._session = session
        self._feed = feed
        self._earlier = EarlierBatches(session)
        self._answers: dict[str, tuple[str, GenerateAnswer]] = {}  # by key, with the digest of the request
        self._unplanned: dict[str, int] = {}  # images of batches that were not in the feed yet
        self._specs = KeptSpecs(session.service, clock)

    async def generate(self, body: GenerateBody, key: str, digest: str, *, now: bool) -> GenerateAnswer | AwayAnswer:
        """Submit a batch, or find the one that was submitted with the same key.

        Args:
            body: The request.
            key: The idempotency key; empty for none.
            digest: Tells requests with the same key apart.
            now: Whether nothing is submitted while the server is away.

        Raises:
            FieldError: A value cannot be used.
            WorkflowError: The workflow cannot be used.
            NotConverted: The workflow is in the editor's format, and what its conversion needs is not known.
            KeyReused: The key was used for another request.
            TooManyJobs: Too many jobs have not ended.
        """
        if answer := self._repeated(key, digest):
            return await self._present(answer)
        workflow = await asyncio.to_thread(_workflow_of, body)
        is_away = await self._is_away()
        scope = f"{self._session.service.server.address} {key}" if key else ""  # The journal is of all servers.
        known = await self._earlier.find(body.images, scope, digest) if key else None
        if known is None:
            workflow = await self._converted(workflow, body.images, scope)
        specs = await self._specs.specs_of(workflow, body.values, ask=not is_away)
        try:
            wanted = _request_of(body, workflow)
            tools = await prompt_tools(self._session.service, wanted)
            batch, seeds = await asyncio.to_thread(_batch_of, wanted, specs or {}, scope, digest, tools)
        except FieldError as error:
            if known is not None:  # Whatever may be chosen now, it was submitted.
                batch, seeds = known, [{}] * body.images
            elif specs is None and isinstance(error, ChoicesUnknown):
                return AwayAnswer(error=error.message, field=error.field, saved=False)
            else:
                raise
        if known is not None:
            seeds = await self._earlier.seeds_of(batch.prompt_ids, seeds)
            return await self._present(self._remember(_answer(batch, seeds), key, digest))
        if answer := self._repeated(key, digest):  # It came twice at once.
            return await self._present(answer)
        if is_away and now:
            return AwayAnswer(error=f"{why_away(self._session.state)}: nothing was saved.", saved=False)
        answer = _answer(batch, seeds, warnings(workflow, body.values))
        return await self._present(self._submit(batch, answer, key, digest))

    def _submit(self, batch: BatchRequest, answer: GenerateAnswer, key: str, digest: str) -> GenerateAnswer:
        if self._count_open() + len(batch.graphs) > MAX_OPEN:
            raise TooManyJobs
        self._remember(answer, key, digest)
        self._unplanned[batch.batch_id] = len(batch.graphs)
        self._session.service.submit(batch)
        return answer

    def _count_open(self) -> int:
        """Return how many jobs of mine are open, with those of batches that are not planned yet."""
        state, shown = self._session.state, self._feed.state.batches
        self._unplanned = {key: images for key, images in self._unplanned.items() if key not in shown}
        return open_jobs(state) + sum(images for key, images in self._unplanned.items() if key not in state.batches)

    def _repeated(self, key: str, digest: str) -> GenerateAnswer | None:
        """Return the answer to an earlier request with the same key, if this process gave it."""
        earlier, answer = self._answers.get(key, ("", None))
        if answer and earlier != digest:
            raise KeyReused
        return answer

    def _remember(self, answer: GenerateAnswer, key: str, digest: str) -> GenerateAnswer:
        self._feed.register(answer.batch_id, tuple(answer.prompt_ids))
        if key:
            self._answers[key] = digest, answer
            while sum(len(each.prompt_ids) for _, each in self._answers.values()) > MAX_ANSWERED:
                del self._answers[next(iter(self._answers))]
        return answer

    async def _present(self, answer: GenerateAnswer) -> GenerateAnswer | AwayAnswer:
        """Return an answer once its batch can be followed; while the server is away, that it will be sent later."""
        if answer.batch_id in self._unplanned:
            await self._wait(lambda _: answer.batch_id in self._feed.state.batches, PLAN_TIMEOUT)
        state = self._session.state
        batch = state.batches.get(answer.batch_id)
        if is_current(state) or batch is None or not counts_of(state, batch).of(JobStatus.SUBMITTING):
            return answer
        saved = await self._earlier.is_saved(answer.prompt_ids[0])
        made = "the images are saved, and made once it is back"
        if not saved:
            made = "the images cannot be saved; they are made once it is back, unless the relay ends before"
        return AwayAnswer(
            error=f"{why_away(state)}: {made}.",
            saved=saved,
            batch_id=answer.batch_id,
            prompt_ids=answer.prompt_ids,
            seeds=answer.seeds,
            warnings=answer.warnings,
        )

    async def _is_away(self) -> bool:
        """Return whether the server is away; a connection that is being made is waited for until the queue is read."""

        def is_decided(state: SessionState) -> bool:
            return is_current(state) or (state.link.kind.away and state.link.kind is not LinkKind.CONNECTING)

        await self._wait(is_decided, CONNECT_TIMEOUT)
        return not is_current(self._session.state)

    async def _converted(self, workflow: Workflow, images: int, key: str) -> Workflow:
        """Return a workflow with a graph, converted for the server if it has none.

        Raises:
            NotConverted: The server cannot be asked for the definitions of its nodes.
            WorkflowError: The server cannot run it.
            FieldError: The graph is too large for so many images.
        """
        if workflow.graph:
            return workflow
        rng = Random(key) if key else SystemRandom()
        try:
            converted = await asyncio.wait_for(with_graph(self._session.service, workflow, rng), NODES_TIMEOUT)
        except (ComfyError, TimeoutError):
            state = self._session.state
            why = "ComfyUI did not describe its nodes" if is_current(state) else why_away(state)
            raise NotConverted(f"{why}: the workflow is to be converted for it, nothing was saved.") from None
        if len(await asyncio.to_thread(msgspec.json.encode, converted.graph)) * images > MAX_GRAPHS:
            raise FieldError("images", "The workflow is too large for so many images: ask for fewer at once.")
        return converted

    async def _wait(self, condition: Callable[[SessionState], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._session.until(condition), seconds)


def _answer(
    batch: BatchRequest, seeds: Sequence[Mapping[FieldKey, int]], warnings: Sequence[str] = ()
) -> GenerateAnswer:
    return GenerateAnswer(batch_id=batch.batch_id, prompt_ids=batch.prompt_ids, seeds=seeds, warnings=warnings)


def _workflow_of(body: GenerateBody) -> Workflow:
    return txt2img() if body.workflow is None else workflow_from_json(body.workflow)


def _request_of(body: GenerateBody, workflow: Workflow) -> GenerateRequest:
    wildcards = user_folder("wildcards") if body.variations else None
    return GenerateRequest(
        workflow, body.values, body.images, body.seed_mode, body.seed, tools=body.variations, wildcards=wildcards
    )


def _batch_of(
    request: GenerateRequest, specs: Specs, key: str, digest: str, tools: PromptTools
) -> tuple[BatchRequest, Sequence[Mapping[FieldKey, int]]]:
    """Return the batch of a request; with a key, its submission id is made of the digest as well."""
    rng = Random(key) if key else SystemRandom()
    batch, seeds = prepare(request, specs, rng, previews=True, key=key, tools=tools)
    return (with_digest(batch, key, digest) if key else batch), seeds
