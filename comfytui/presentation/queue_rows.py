"""The queue as rows of text: which jobs, in which order, in which words. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from comfytui.presentation.formatting import duration, failed_in, status_of
from comfytui.presentation.parameters_line import parameters_line
from comfytui.sanitize import sanitize
from comfytui.session.jobs.index import run_order
from comfytui.session.model import Batch, Job, JobStatus
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GenerationParameters

TITLE_LIMIT = 300
STATE_LIMIT = 300
OWNER_CELLS = 4
_UNTITLED = "untitled"


@dataclass(frozen=True, slots=True)
class Sign:
    """The glyph of a status, and the one for terminals without Unicode."""

    glyph: str
    ascii: str


SIGNS: Mapping[JobStatus, Sign] = {
    JobStatus.SUBMITTING: Sign("↑", "^"),
    JobStatus.QUEUED: Sign("◌", "."),
    JobStatus.RUNNING: Sign("▶", ">"),
    JobStatus.SUCCEEDED: Sign("✓", "+"),
    JobStatus.CACHED: Sign("≡", "="),
    JobStatus.FAILED: Sign("✗", "x"),
    JobStatus.INTERRUPTED: Sign("■", "#"),
    JobStatus.CANCELLED: Sign("⊘", "-"),
    JobStatus.REJECTED: Sign("‼", "!"),
    JobStatus.LOST: Sign("?", "?"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One job as the list shows it: harmless text of one line; `figure` is the number beside the word of `state`."""

    prompt_id: str
    status: JobStatus
    title: str
    place: str = ""
    state: str = ""
    figure: str = ""
    owner: str = ""
    file: str = ""
    brief: str = ""
    """The state in fewer words, for where there is no room for it."""

    def without_match(self, words: Iterable[str]) -> list[str]:
        """Those of the (casefolded) words that are nowhere in the row."""
        hay = "\n".join(
            (self.title, self.place, self.status.label, self.status, self.state, self.figure, self.owner, self.file)
        ).casefold()
        return [word for word in words if word not in hay]


def rows_of(state: SessionState, needle: str = "", *, show_history: bool = True) -> tuple[Row, ...]:
    """What runs, what waits by its turn, what is not sent yet, then what ended, newest batch first.

    Only rows that hold every word of `needle`, or whose job's settings and files do, are given; without `show_history`
    nothing that ended is.
    """
    running, pending, unsent, ended = _sorted_out(state.jobs.values())
    pending.sort(key=run_order)
    rows = [_row(job, state.batches, ("running", "")) for job in running]
    rows += [_row(job, state.batches, _turn(at, len(running))) for at, job in enumerate(pending)]
    rows += [_row(job, state.batches, _unsent(at, job)) for at, job in enumerate(unsent)]
    if show_history:
        rows += [_row(job, state.batches, _end(job)) for job in _newest_first(ended)]
    words = sanitize(needle).casefold().split()
    if not words:
        return tuple(rows)
    jobs = state.jobs
    return tuple(row for row in rows if _has(jobs[row.prompt_id], row.without_match(words)))


def _sorted_out(jobs: Iterable[Job]) -> tuple[list[Job], list[Job], list[Job], list[Job]]:
    """The jobs that run, are pending, are not sent and have ended."""
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
    """Ended jobs, a batch's together, the batch with the latest end first and its last image on top."""
    newest: dict[str, float] = {}
    keyed = []
    for job in ended:
        group, index = (job.batch_tag.batch, job.batch_tag.index) if job.batch_tag else (job.prompt_id, 0)
        newest[group] = max(newest.get(group, 0.0), job.ended or job.created or 0.0)
        keyed.append((group, index, job))
    keyed.sort(key=lambda entry: (newest[entry[0]], entry[0], entry[1]), reverse=True)
    return [job for _, _, job in keyed]


def _row(job: Job, batches: Mapping[str, Batch], state: tuple[str, str]) -> Row:
    batch = batches.get(job.batch_tag.batch) if job.batch_tag else None
    return Row(
        job.prompt_id,
        job.status,
        _clean(job.parameters.prompt or (batch.title if batch else "")) or _UNTITLED,
        f"{job.batch_tag.index} of {job.batch_tag.total}" if job.batch_tag and job.batch_tag.total > 1 else "",
        *state,
        "mine" if job.mine else _short(job.owner),
        _files(job),
        _brief(job),
    )


def _has(job: Job, words: list[str]) -> bool:
    """Whether a job has all these words in what its row does not show: its settings, its files, its error."""
    if words:
        words = [word for word in words if word not in _settings(job.parameters)]
    if words:
        said = (job.failure.message, job.failure.node_type) if job.failure else ()
        hay = "\n".join((*said, *job.text, *(output.filename for output in job.outputs))).casefold()
        words = [word for word in words if word not in hay]
    return not words


@lru_cache(maxsize=32768)
def _settings(parameters: GenerationParameters) -> str:
    """The whole of a job's settings, casefolded; each key that is typed looks through those of all jobs."""
    return "\n".join(
        (parameters_line(parameters), parameters.model or "", parameters.prompt, parameters.negative)
    ).casefold()


def _turn(at: int, running: int) -> tuple[str, str]:
    """When a pending job gets its turn, by its place among the pending."""
    return "", f"{at + running} ahead" if at else "next"


def _unsent(at: int, job: Job) -> tuple[str, str]:
    """What is said of unsent jobs, of which the first is on its way."""
    if job.delay_reason:
        return f"not sent: {sanitize(job.delay_reason, STATE_LIMIT)}", ""
    return ("to be sent" if at else "sending"), ""


def _end(job: Job) -> tuple[str, str]:
    """How a job ended: always with the word of its status, so that no two ends look alike."""
    word = status_of(job)
    match job.status:
        case JobStatus.SUCCEEDED if job.seconds is not None:
            return word, duration(job.seconds)
        case JobStatus.FAILED | JobStatus.REJECTED if job.failure:
            return failed_in(word, job.failure), ""
        case JobStatus.LOST:
            return f"{word}: {job.note or 'the server no longer has it'}", ""
    return word, ""


def _brief(job: Job) -> str:
    """How a job failed, without where; why it is lost, in two words."""
    if job.status is JobStatus.LOST:
        return f"{job.status.label}: {'may be done' if job.may_have_finished else 'restarted?'}"
    failure = job.failure
    return failed_in(job.status.label, replace(failure, node_type="")) if failure and failure.node_type else ""


def _files(job: Job) -> str:
    """The first file that a job made, and how many more there are."""
    if not job.outputs:
        return ""
    more = len(job.outputs) - 1
    return _clean(job.outputs[0].filename) + (f" +{more}" if more else "")


@lru_cache(maxsize=4096)
def _short(client_id: str | None) -> str:
    """Enough of a foreign client's id to tell it from another."""
    return sanitize(client_id or "")[:OWNER_CELLS] or "other"


@lru_cache(maxsize=32768)
def _clean(text: str) -> str:
    """Titles and file names seldom change, and cleaning them is most of the work of a long list."""
    return sanitize(text, TITLE_LIMIT)
