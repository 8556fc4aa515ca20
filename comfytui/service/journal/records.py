"""Batches and prompts as the journal restores them, and the server that they belong to."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.codec import escape
from comfytui.service.submission.batch import Submission
from comfytui.session.delivery import NO_EVIDENCE, Delivery, Evidence, Post
from comfytui.session.model import Batch, BatchTag, Failure, Job, JobStatus, Stamp
from comfytui.workflow.graph import Graph
from comfytui.workflow.parameters import GenerationParameters


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """One prompt.

    Times are in wall-clock seconds of this machine; `seconds` is how long the prompt ran on the server. `accepted_id`
    is the id that the server gave it, None until the server answered. `sending_since` is when a POST began that has no
    answer: the server may have accepted it. It is to be cancelled in that case if `cancel_requested`; `evidence` is
    what the server's process had at that time. `graph` is None if it is damaged, or the prompt has ended.
    """

    prompt_id: str
    client_id: str
    batch_tag: BatchTag
    status: JobStatus
    created: float
    parameters: GenerationParameters = field(default_factory=GenerationParameters)
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    graph: Graph | None = field(default=None, repr=False)
    preview_method: str | None = None
    accepted_id: str | None = None
    number: float | None = None
    sending_since: float | None = None
    evidence: Evidence = NO_EVIDENCE
    cancel_requested: bool = False
    outputs: tuple[Output, ...] = ()
    failure: Failure | None = None
    seconds: float | None = None
    ended: float | None = None

    @property
    def key(self) -> str:
        """The id that the server knows the prompt by, once it has it."""
        return self.accepted_id or self.prompt_id

    def submission(self) -> Submission | None:
        """Return the prompt for sending it (again) under its key, or None without its graph."""
        if self.graph is None:
            return None
        return Submission(self.key, self.batch_tag.batch, self.graph, asdict(self.batch_tag), self.preview_method)

    def job(self, now: Stamp) -> Job:
        """Return the prompt as a job of the session, under its key.

        Args:
            now: The time that the age of an unanswered POST is counted from.
        """
        return Job(
            prompt_id=self.key,
            status=self.status,
            mine=True,
            owner=self.client_id,
            batch_tag=self.batch_tag,
            number=self.number,
            parameters=self.parameters,
            classes=self.classes,
            created=self.created,
            ended=self.ended,
            seconds=self.seconds,
            outputs=self.outputs,
            failure=self.failure,
            delivery=self._delivery,
            post=self._post(now) if self.status is JobStatus.SUBMITTING else None,
            cancel_requested=self.cancel_requested,
            # The server may have finished it while nothing was connected.
            may_have_finished=self.status is JobStatus.LOST,
            loss_recorded=self.status is JobStatus.LOST,
        )

    @property
    def _delivery(self) -> Delivery:
        if self.status is not JobStatus.SUBMITTING:
            return Delivery.ACCEPTED
        return Delivery.PLANNED if self.sending_since is None else Delivery.UNCONFIRMED

    def _post(self, now: Stamp) -> Post | None:
        """Return the POST that has no answer, or None."""
        if self.sending_since is None:
            return None
        # If the clock was set back since, the POST counts as begun now: its search must not go on for as long.
        ago = max(now.wall - self.sending_since, 0.0)
        return Post(now.monotonic - ago, self.sending_since, self.evidence)


@dataclass(frozen=True, slots=True)
class SavedBatch:
    """A batch and its prompts, in image order; `batch.prompts` are their keys."""

    batch: Batch
    client_id: str
    prompts: tuple[SavedPrompt, ...]


AT_ENDPOINT = """batches.server IN (:fingerprint, '') AND EXISTS (
    SELECT 1 FROM addresses WHERE addresses.batch = batches.batch AND address IN (:name, :address))"""
"""SQL condition for the batches of an endpoint: those of its server, and those submitted there before one answered."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server: its fingerprint, empty until it answered, and its name and address (without secrets).

    A fingerprint alone does not distinguish two identical machines, and an address alone may lead to another machine
    tomorrow. So a batch is resumed only where both are those that it was submitted to, or where its prompts were seen.
    """

    fingerprint: str
    name: str
    address: str

    @property
    def parameters(self) -> dict[str, str]:
        """The SQL parameters of `AT_ENDPOINT`."""
        return {
            "fingerprint": escape(self.fingerprint),
            "name": escape(self.name),
            "address": escape(self.address),
        }
