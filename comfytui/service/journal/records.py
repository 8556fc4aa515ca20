"""What the journal gives back: batches and prompts as they were when they were last written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.codec import escape
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch, BatchTag, Failure, Job, JobStatus
from comfytui.workflow.graph import Graph
from comfytui.workflow.parameters import GenerationParameters


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """One prompt; times in wall seconds of this machine, `seconds` how long it ran on the server.

    `accepted_id` is what the server called it, None until it answered. `sending_since` is when a POST began that has
    no answer: it may have landed, and is `unwanted` if it was to be cancelled then; `witnesses` are what the server's
    process held at that time. `graph` is None where it was damaged, or the prompt has ended.
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
    witnesses: tuple[str, ...] = ()
    unwanted: bool = False
    outputs: tuple[Output, ...] = ()
    failure: Failure | None = None
    seconds: float | None = None
    ended: float | None = None

    @property
    def key(self) -> str:
        """The id under which the server knows it, or would."""
        return self.accepted_id or self.prompt_id

    def submission(self) -> Submission | None:
        """The prompt to be sent (again), under its key as the session knows it; None without its graph."""
        if self.graph is None:
            return None
        return Submission(self.key, self.batch_tag.batch, self.graph, asdict(self.batch_tag), self.preview_method)

    def job(self) -> Job:
        """The prompt as a session holds it, under its key."""
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
            # Nobody saw what the server did since.
            may_have_finished=self.status is JobStatus.LOST,
        )


@dataclass(frozen=True, slots=True)
class SavedBatch:
    """A batch with its prompts in image order; `batch.prompts` are their keys."""

    batch: Batch
    client_id: str
    prompts: tuple[SavedPrompt, ...]


AT_ENDPOINT = """batches.server IN (:fingerprint, '') AND EXISTS (
    SELECT 1 FROM addresses WHERE addresses.batch = batches.batch AND address IN (:name, :address))"""
"""SQL condition for the batches of an endpoint: of its server, or ordered there before any server had answered."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A fingerprint, empty until a server answered, and the name and address it is reached by (without secrets).

    A fingerprint alone does not tell two identical machines apart, and an address alone may lead to another machine
    tomorrow: a batch is taken over only where both are those it was ordered for, or where its prompts were seen.
    """

    fingerprint: str
    name: str
    address: str

    @property
    def values(self) -> dict[str, str]:
        """The values of `AT_ENDPOINT`."""
        return {
            "fingerprint": escape(self.fingerprint),
            "name": escape(self.name),
            "address": escape(self.address),
        }
