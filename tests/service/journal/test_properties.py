"""After any sequence of calls the journal restores the last state, before and after it is opened again."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.codec import escape, finite, unescape
from comfytui.service.journal.journal import Journal
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.workflow.seeds import MAX_SEED
from tests.service.journal.batches import at, graph

TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**400), 10**400))
WHOLE = st.integers(0, 5)
ENDS = st.sampled_from([status for status in JobStatus if status.ended])
OUTPUTS = st.lists(st.builds(Output, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple)
FAILURES = st.one_of(st.none(), st.builds(Failure, TEXTS, TEXTS, TEXTS, TEXTS))
SERVERS = st.sampled_from(["a", "b\ud800"])
OWNERS = st.sampled_from(["me", "myself"])

CALLS = st.one_of(
    st.tuples(st.just("plan"), SERVERS, OWNERS, TEXTS, st.lists(st.integers(0, MAX_SEED), max_size=3)),
    st.tuples(st.just("sending"), WHOLE, st.floats(0, 1e12)),
    st.tuples(st.just("sent"), WHOLE, TEXTS, NUMBERS),
    st.tuples(st.just("unsent"), WHOLE),
    st.tuples(st.just("ended"), WHOLE, ENDS, OUTPUTS, FAILURES, NUMBERS, NUMBERS),
    st.tuples(st.just("reopened"), WHOLE),
)


@dataclass
class Known:
    """The state of a prompt that the journal should restore."""

    batch: str
    status: JobStatus = JobStatus.SUBMITTING
    accepted: str | None = None
    number: float | None = None
    sending: float | None = None
    end: tuple[Any, ...] = ((), None, None, None)


class JournalModel:
    """A journal, and a model of what it should restore."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.known: dict[str, Known] = {}
        self.batches: dict[str, tuple[str, str]] = {}

    def prompt(self, number: int) -> str:
        return f"prompt-{number}"

    def do(self, call: tuple[Any, ...]) -> None:
        match call:
            case "plan", server, owner, title, seeds:
                self.plan(server, owner, title, seeds)
            case name, number, *rest:
                self.write(name, self.prompt(number), rest)

    def plan(self, server: str, owner: str, title: str, seeds: list[int]) -> None:
        batch = f"batch-{len(self.batches)}"
        if batch in self.batches:
            return
        ids = [self.prompt(len(self.known) + index) for index in range(len(seeds))]
        if set(ids) & set(self.known):
            return
        submissions = [
            Submission(prompt_id, batch, graph(seed, title), {"index": index, "submission": title}, None)
            for index, (prompt_id, seed) in enumerate(zip(ids, seeds, strict=True), 1)
        ]
        self.journal.record_batch(at(server), owner, Batch(batch, len(seeds), title, tuple(ids), 1.0), submissions)
        self.batches[batch] = server, owner
        self.known |= {prompt_id: Known(batch) for prompt_id in ids}

    def write(self, name: str, prompt_id: str, rest: list[Any]) -> None:
        known = self.known.get(prompt_id, Known(""))
        match name, rest:
            case "sending", [wall]:
                self.journal.record_sending(prompt_id, wall)
                known.sending = wall if known.status is JobStatus.SUBMITTING else known.sending
            case "sent", [accepted, number]:
                self.journal.record_accepted(prompt_id, accepted, number or 0.0)
                known.accepted, known.number, known.sending = accepted, finite(number or 0.0), None
                known.status = JobStatus.QUEUED if known.status is JobStatus.SUBMITTING else known.status
            case "unsent", _:
                self.journal.record_not_accepted(prompt_id)
                known.sending = None
            case "ended", [status, outputs, failure, seconds, wall]:
                self.journal.record_end(prompt_id, status, outputs=outputs, failure=failure, seconds=seconds, wall=wall)
                # LOST is inferred, so it replaces no end that was recorded before.
                if status.final or not known.status.ended:
                    known.status, known.sending = status, None
                    known.end = outputs, failure, finite(seconds), finite(wall)
            case _:
                self.journal.record_reopened(prompt_id)
                known.status, known.sending, known.end = JobStatus.QUEUED, None, Known("").end

    def restored(self, journal: Journal) -> list[Any]:
        return [journal.restore(at(server), ["me", "myself"]) for server in ("a", "b\ud800")]


@settings(max_examples=60)
@given(st.lists(CALLS, max_size=25))
def test_the_last_recorded_state_is_restored(calls: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        with Journal.open(Path(folder)) as journal:
            model = JournalModel(journal)
            for call in calls:
                model.do(call)
            before = model.restored(journal)
        with Journal.open(Path(folder)) as journal:
            after = model.restored(journal)
    assert after == before
    found = {prompt.prompt_id: prompt for batches in after for saved in batches for prompt in saved.prompts}
    assert {
        key: Known(
            saved.batch_tag.batch,
            saved.status,
            saved.accepted_id,
            saved.number,
            saved.sending_since,
            (saved.outputs, saved.failure, saved.seconds, saved.ended),
        )
        for key, saved in found.items()
    } == model.known
    assert all(saved.parameters.seed is not None for saved in found.values())
    assert {key for key, saved in found.items() if not saved.submission()} == {
        key for key, saved in found.items() if saved.status.ended
    }
    assert {saved.batch.id for batches in after for saved in batches} == set(model.batches)


@given(TEXTS, TEXTS)
def test_no_two_texts_are_escaped_alike(one: str, other: str) -> None:
    assert unescape(escape(one)) == one
    assert (escape(one) == escape(other)) == (one == other)
    escape(one).encode()
