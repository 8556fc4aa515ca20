"""Builders of sessions, txt2img jobs and batches, and of the frames of their runs."""

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from comfytui.comfy.protocol.events import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionStart,
    ExecutionSuccess,
    NodeProgress,
    Output,
    Progress,
    ProgressState,
)
from comfytui.presentation.batch_text import progress_line
from comfytui.session.connection.link import reduce_link
from comfytui.session.connection.link_events import LinkChanged, LinkEvent
from comfytui.session.delivery import Delivery
from comfytui.session.events import BatchPlanned, PromptAccepted, QueuedPrompt, SessionEvent
from comfytui.session.model import Batch, BatchTag, Job, JobStatus, Stamp
from comfytui.session.progress import progress_of
from comfytui.session.reducer import reduce
from comfytui.session.selectors import current_batch
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GenerationParameters

ME = "me"
LOADER, TEXT, SAMPLER, DECODER, SAVER = "4", "6", "3", "8", "9"
CLASSES = MappingProxyType(
    {
        LOADER: "CheckpointLoaderSimple",
        TEXT: "CLIPTextEncode",
        SAMPLER: "KSampler",
        DECODER: "VAEDecode",
        SAVER: "SaveImage",
    }
)
STEPS = 4


class Session:
    """A session under test, with a clock that advances by `tick` seconds before each event."""

    def __init__(self, tick: float = 1.0, client_ids: Iterable[str] = (ME,)) -> None:
        self.state = SessionState(client_ids=frozenset(client_ids))
        self.now = 0.0
        self.tick = tick

    def do(self, *events: SessionEvent | LinkEvent) -> SessionState:
        for event in events:
            self.now += self.tick
            self.state = reduce_any(self.state, event, Stamp(self.now, 1_000 + self.now))
        return self.state

    def plan(self, batch: str, total: int, *, seed: int = 0) -> tuple[str, ...]:
        """Plan a batch, let the server accept it, and return its prompt_ids."""
        planned = planned_batch(batch, total, seed=seed)
        first = len(self.state.jobs)
        self.do(planned)
        self.do(*(PromptAccepted(id_, id_, first + place) for place, id_ in enumerate(planned.batch.prompt_ids)))
        return planned.batch.prompt_ids

    def status(self, prompt_id: str) -> JobStatus:
        return self.state.jobs[prompt_id].status

    def line(self, batch: str | None = None) -> str:
        """The progress line of a batch, by default of the current one."""
        shown = self.state.batches[batch] if batch else current_batch(self.state)
        assert shown is not None
        return progress_line(progress_of(self.state, shown, self.now))


def reduce_any(state: SessionState, event: SessionEvent | LinkEvent, at: Stamp) -> SessionState:
    """Return the state after an event, also after one that changes the link, as the connection reports it."""
    if isinstance(event, LinkEvent):
        event = LinkChanged(reduce_link(state.link, event, at.monotonic), event)
    return reduce(state, event, at)


def submitting_job(prompt_id: str, batch_tag: BatchTag | None = None, *, seed: int = 0, steps: int = STEPS) -> Job:
    parameters = GenerationParameters(
        prompt="a red fox", model="sd.safetensors", width=512, height=512, steps=steps, seed=seed
    )
    return Job(
        prompt_id,
        JobStatus.SUBMITTING,
        True,
        ME,
        batch_tag,
        parameters=parameters,
        classes=CLASSES,
        delivery=Delivery.PLANNED,
    )


def planned_batch(batch: str, total: int, *, seed: int = 0) -> BatchPlanned:
    ids = tuple(f"{batch}{index}" for index in range(1, total + 1))
    jobs = tuple(
        submitting_job(id_, BatchTag(batch, index, total, "once"), seed=seed + index - 1)
        for index, id_ in enumerate(ids, 1)
    )
    return BatchPlanned(Batch(batch, total, "a red fox", ids, 1_000.0), jobs)


def queued_prompt(
    prompt_id: str, number: float = 0, client_id: str | None = ME, batch_tag: BatchTag | None = None
) -> QueuedPrompt:
    return QueuedPrompt(
        prompt_id, number, client_id, batch_tag, GenerationParameters(prompt="a red fox"), CLASSES, created=900 + number
    )


def start_frames(prompt_id: str, cached: tuple[str, ...] = ()) -> Iterator[SessionEvent]:
    """The frames of a run up to its sampler."""
    yield ExecutionStart(prompt_id, 10_000)
    yield ExecutionCached(prompt_id, cached)
    for node in (LOADER, TEXT, SAMPLER):
        if node not in cached:
            yield Executing(node, node, prompt_id)


def step_frames(prompt_id: str, value: float, top: float = STEPS, node: str = SAMPLER) -> Iterator[SessionEvent]:
    """Both frames of one step."""
    yield ProgressState(prompt_id, (NodeProgress(node, value, top, "running", node),))
    yield Progress(value, top, prompt_id, node)


def end_frames(prompt_id: str) -> Iterator[SessionEvent]:
    """The frames of a run after its last step."""
    yield Executing(DECODER, DECODER, prompt_id)
    yield Executing(SAVER, SAVER, prompt_id)
    yield Executed(prompt_id, SAVER, SAVER, (Output(f"{prompt_id}.png", node=SAVER),))
    yield ExecutionSuccess(prompt_id, 15_000)
    yield Executing(None, None, prompt_id)


def run_frames(prompt_id: str, cached: tuple[str, ...] = ()) -> Iterator[SessionEvent]:
    """The frames of a whole run."""
    yield from start_frames(prompt_id, cached)
    for value in range(1, STEPS + 1):
        yield from step_frames(prompt_id, value)
    yield from end_frames(prompt_id)
