"""Turn the jobs of a session into the ordered, filtered rows of the queue list. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile

from comfytui.presentation.formatting import cell_text, duration, parameters_line
from comfytui.presentation.status_text import failure_text, status_label
from comfytui.sanitize import sanitize
from comfytui.session.jobs.index import run_order
from comfytui.session.model import Batch, Job, JobStatus
from comfytui.session.progress import is_unobserved
from comfytui.session.state import SessionState, active_runs
from comfytui.workflow.parameters import GenerationParameters

TITLE_LIMIT = 300
STATE_LIMIT = 300
OWNER_CHARACTERS = 4
"""Characters of another client's id that are shown."""
_UNTITLED = "untitled"


@dataclass(frozen=True, slots=True)
class StatusGlyph:
    """The glyph of a status in Unicode and in ASCII."""

    unicode: str
    ascii: str


STATUS_GLYPHS: Mapping[JobStatus, StatusGlyph] = {
    JobStatus.SUBMITTING: StatusGlyph("↑", "^"),
    JobStatus.QUEUED: StatusGlyph("◌", "."),
    JobStatus.RUNNING: StatusGlyph("▶", ">"),
    JobStatus.SUCCEEDED: StatusGlyph("✓", "+"),
    JobStatus.CACHED: StatusGlyph("≡", "="),
    JobStatus.FAILED: StatusGlyph("✗", "x"),
    JobStatus.INTERRUPTED: StatusGlyph("■", "#"),
    JobStatus.CANCELLED: StatusGlyph("⊘", "-"),
    JobStatus.REJECTED: StatusGlyph("‼", "!"),
    JobStatus.LOST: StatusGlyph("?", "?"),
}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One job as the list shows it; every text is sanitized and has one line."""

    prompt_id: str
    status: JobStatus
    title: str
    position: str = ""
    """The position in the batch: `2 of 4`."""
    state: str = ""
    figure: str = ""
    """The number that belongs to the state: the job's progress, its duration, or its position in the queue."""
    owner: str = ""
    file: str = ""
    short_state: str = ""
    """A shorter `state`, for narrow lists."""

    def unmatched(self, terms: Iterable[str]) -> list[str]:
        """Return those of the (casefolded) terms that are nowhere in the row."""
        text = "\n".join(
            (self.title, self.position, self.status.label, self.status, self.state, self.figure, self.owner, self.file)
        ).casefold()
        return [term for term in terms if term not in text]


def build_rows(state: SessionState, filter_text: str = "") -> tuple[QueueRow, ...]:
    """Return a row for each job: running, pending in the order of the queue, unsent, then ended, newest batch first.

    Args:
        state: The session whose jobs are listed.
        filter_text: Words of which each must occur in the row, or in the job's settings, files or error.
    """
    running, pending, unsent, ended = _by_progress(state.jobs.values())
    pending.sort(key=run_order)
    rows = [_row(job, state.batches, ("running", running_figure(state, job))) for job in running]
    rows += [_row(job, state.batches, _pending_state(at, len(running))) for at, job in enumerate(pending)]
    rows += [_row(job, state.batches, _unsent_state(at, job)) for at, job in enumerate(unsent)]
    rows += [_row(job, state.batches, _ended_state(job)) for job in _newest_first(ended)]
    terms = sanitize(filter_text).casefold().split()
    if not terms:
        return tuple(rows)
    jobs = state.jobs
    return tuple(row for row in rows if _matches(jobs[row.prompt_id], row.unmatched(terms)))


def update_running(rows: Sequence[QueueRow], state: SessionState) -> Sequence[QueueRow]:
    """Return the rows with the progress of the running jobs of a newer state, which has the same jobs."""
    running = [*takewhile(lambda row: row.status is JobStatus.RUNNING, rows)]
    updated = [replace(row, figure=running_figure(state, state.jobs[row.prompt_id])) for row in running]
    return rows if updated == running else (*updated, *rows[len(running) :])


def running_figure(state: SessionState, job: Job) -> str:
    """Return how far a running job is where several of mine run: `60%`; the only one is shown in full elsewhere."""
    run = state.runs.get(job.prompt_id)
    if run is None or not run.step or is_unobserved(state, job) or len(active_runs(state)) < 2:
        return ""
    return f"{run.percentage}%"


def _by_progress(jobs: Iterable[Job]) -> tuple[list[Job], list[Job], list[Job], list[Job]]:
    """Return the running, pending, unsent and ended jobs."""
    running: list[Job] = []
    pending: list[Job] = []
    unsent: list[Job] = []
    ended: list[Job] = []
    for job in jobs:
        match job.status:
            case JobStatus.RUNNING:
                running.append(job)
            case JobStatus.QUEUED:
                pending.append(job)
            case JobStatus.SUBMITTING:
                unsent.append(job)
            case _:
                ended.append(job)
    return running, pending, unsent, ended


def _newest_first(ended: list[Job]) -> list[Job]:
    """Sort ended jobs by batch: the batch that ended last comes first, and in a batch the last image."""
    newest: dict[str, float] = {}
    keyed = []
    for job in ended:
        group, index = (job.batch_tag.batch, job.batch_tag.index) if job.batch_tag else (job.prompt_id, 0)
        newest[group] = max(newest.get(group, 0.0), job.ended or job.created or 0.0)
        keyed.append((group, index, job))
    keyed.sort(key=lambda entry: (newest[entry[0]], entry[0], entry[1]), reverse=True)
    return [job for _, _, job in keyed]


def _row(job: Job, batches: Mapping[str, Batch], state: tuple[str, str]) -> QueueRow:
    batch = batches.get(job.batch_tag.batch) if job.batch_tag else None
    return QueueRow(
        job.prompt_id,
        job.status,
        _title(job, batch),
        f"{job.batch_tag.index} of {job.batch_tag.total}" if job.batch_tag and job.batch_tag.total > 1 else "",
        *state,
        "mine" if job.mine else _owner_label(job.owner),
        _file_label(job),
        _short_state(job),
    )


def _title(job: Job, batch: Batch | None) -> str:
    """Return the prompt of a job, after the values that distinguish it in its batch."""
    prompt = _sanitized(job.parameters.prompt or (batch.title if batch else "")) or _UNTITLED
    return f"{cell_text(job.parameters.cell)} · {prompt}" if job.parameters.cell else prompt


def _matches(job: Job, terms: list[str]) -> bool:
    """Whether the settings, files, texts and error of a job, which its row does not show, contain all terms."""
    if terms:
        terms = [term for term in terms if term not in _searchable_settings(job.parameters)]
    if terms:
        error = (job.failure.message, job.failure.node_type) if job.failure else ()
        text = "\n".join((*error, *job.text, *(output.filename for output in job.outputs))).casefold()
        terms = [term for term in terms if term not in text]
    return not terms


@lru_cache(maxsize=32768)
def _searchable_settings(parameters: GenerationParameters) -> str:
    """Return all settings of a job, casefolded. Cached: each key typed into the filter searches those of all jobs."""
    return "\n".join(
        (parameters_line(parameters), parameters.model or "", parameters.prompt, parameters.negative)
    ).casefold()


def _pending_state(index: int, running: int) -> tuple[str, str]:
    """Return state and figure of the pending job at `index`."""
    return "", f"{index + running} ahead" if index else "next"


def _unsent_state(index: int, job: Job) -> tuple[str, str]:
    """Return state and figure of the unsent job at `index`; the first one is being sent."""
    if job.delay_reason:
        return f"not sent: {sanitize(job.delay_reason, STATE_LIMIT)}", ""
    return ("to be sent" if index else "sending"), ""


def _ended_state(job: Job) -> tuple[str, str]:
    """Return state and figure of an ended job; the state begins with the label of its status."""
    label = status_label(job)
    match job.status:
        case JobStatus.SUCCEEDED if job.seconds is not None:
            return label, duration(job.seconds)
        case JobStatus.FAILED | JobStatus.REJECTED if job.failure:
            return failure_text(label, job.failure), ""
        case JobStatus.LOST:
            return f"{label}: {job.note or 'the server no longer has it'}", ""
    return label, ""


def _short_state(job: Job) -> str:
    """Return how a job failed, without the node, or why it is lost, in two words; empty for other jobs."""
    if job.status is JobStatus.LOST:
        return f"{job.status.label}: {'may be done' if job.may_have_finished else 'restarted?'}"
    failure = job.failure
    return failure_text(job.status.label, replace(failure, node_type="")) if failure and failure.node_type else ""


def _file_label(job: Job) -> str:
    """Return the name of a job's first file, and how many more there are: `fox.png +2`."""
    if not job.outputs:
        return ""
    more = len(job.outputs) - 1
    return _sanitized(job.outputs[0].filename) + (f" +{more}" if more else "")


@lru_cache(maxsize=4096)
def _owner_label(client_id: str | None) -> str:
    """Return enough of another client's id to tell it from others."""
    return sanitize(client_id or "")[:OWNER_CHARACTERS] or "other"


@lru_cache(maxsize=32768)
def _sanitized(text: str) -> str:
    """Sanitize a title or a file name. Cached: these seldom change, and a long list spends most of its time here."""
    return sanitize(text, TITLE_LIMIT)
