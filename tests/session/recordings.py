"""Reads recorded traffic of a real server as the events of a session."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from comfytui.comfy.protocol.decode import decode
from comfytui.comfy.protocol.parse import parse_accepted, parse_rejection
from comfytui.session.connection.link_events import Connected, Disconnected, LinkEvent
from comfytui.session.delivery import Delivery
from comfytui.session.events import (
    BatchPlanned,
    FinishedPrompt,
    HistorySnapshot,
    JobCancelled,
    PromptAccepted,
    PromptRejected,
    QueuedPrompt,
    QueueSnapshot,
    SessionEvent,
)
from comfytui.session.jobs.summarise import finished_prompt_of, queued_prompt_of
from comfytui.session.model import Batch, BatchTag, Failure, Job, JobStatus, Stamp
from comfytui.session.selectors import awaiting_history
from comfytui.session.state import SessionState
from comfytui.workflow.graph import classes_of
from comfytui.workflow.parameters import parameters_of
from tests.comfy.bodies import parse_history, parse_queue
from tests.session.builders import reduce_any

RECORDINGS = Path(__file__).parent.parent / "recordings"
NAMES = tuple(sorted(path.stem for path in RECORDINGS.glob("*.jsonl")))
BATCH = "recorded"
WALL = 1_000.0
"""Wall seconds at the start of each recording."""

Row = dict[str, Any]
Timed = tuple[float, SessionEvent | LinkEvent]


@dataclass(frozen=True)
class Recording:
    """One scenario: its events in order with their seconds, my client_id, and the history at the end."""

    name: str
    client_id: str
    events: tuple[Timed, ...]
    history: tuple[FinishedPrompt, ...]

    @property
    def end(self) -> float:
        return self.events[-1][0] + 1

    def fresh(self) -> SessionState:
        """A session without any events."""
        return SessionState(client_ids=frozenset({self.client_id}))


def stamp(second: float) -> Stamp:
    return Stamp(second, WALL + second)


def apply_events(state: SessionState, events: Iterable[Timed]) -> SessionState:
    for second, event in events:
        state = reduce_any(state, event, stamp(second))
    return state


def states_after(state: SessionState, events: Iterable[Timed]) -> Iterator[tuple[float, SessionState]]:
    """The state after each event."""
    for second, event in events:
        state = reduce_any(state, event, stamp(second))
        yield second, state


def poll_until_settled(recording: Recording, state: SessionState) -> SessionState:
    """Poll the server after the end of the recording until it has nothing new."""
    second = recording.end
    for _ in range(4):
        state = apply_events(state, [(second, QueueSnapshot((), (), requested_at=second))])
        asked = awaiting_history(state)
        found = tuple(entry for entry in recording.history if entry.prompt.prompt_id in asked)
        state = apply_events(state, [(second, HistorySnapshot(found, asked))])
        second += 1
    return apply_events(state, [(second, HistorySnapshot(recording.history))])


@cache
def load_recording(name: str) -> Recording:
    """Read a recording; all its prompts are planned as one batch before anything else happens."""
    rows = [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()[1:]]
    client_id = _client_id(rows)
    posts = [row["http"] for row in rows if _is(row, "POST", "/prompt")]
    mine = [post for post in posts if post["request"].get("client_id") == client_id]
    events = list(_events(rows, client_id, mine))
    if mine:
        events.insert(0, (0.0, _batch_planned(mine, client_id)))
    history: dict[str, FinishedPrompt] = {}
    for _, event in events:
        if isinstance(event, HistorySnapshot):
            history |= {entry.prompt.prompt_id: entry for entry in event.entries}
    return Recording(name, client_id, tuple(events), tuple(history.values()))


def _client_id(rows: list[Row]) -> str:
    sids = (json.loads(row["text"]).get("data", {}).get("sid") for row in rows if "text" in row)
    return next((sid for sid in sids if sid), "nobody")


def _is(row: Row, method: str, path: str) -> bool:
    return bool("http" in row and row["http"]["method"] == method and row["http"]["path"].startswith(path))


def _id_of(post: Row) -> str:
    return str(post["request"].get("prompt_id", "no-id"))


def _batch_planned(posts: list[Row], client_id: str) -> BatchPlanned:
    ids = tuple(map(_id_of, posts))
    jobs = tuple(
        Job(
            prompt_id=prompt_id,
            status=JobStatus.SUBMITTING,
            delivery=Delivery.PLANNED,
            mine=True,
            owner=client_id,
            batch_tag=BatchTag(BATCH, index, len(ids), "once"),
            parameters=parameters_of(post["request"].get("prompt")),
            classes=classes_of(post["request"].get("prompt")),
            created=WALL,
        )
        for index, (prompt_id, post) in enumerate(zip(ids, posts, strict=True), 1)
    )
    return BatchPlanned(Batch(BATCH, len(ids), "recorded", ids, WALL), jobs)


def _events(rows: list[Row], client_id: str, mine: list[Row]) -> Iterator[Timed]:
    doomed: set[str] = set()
    for row in rows:
        second = row["t"]
        match row:
            case {"text": str(text)}:
                yield second, decode(text)
            case {"binary": str(binary)}:
                yield second, decode(base64.b64decode(binary))
            case {"event": "open"}:
                yield second, Connected(client_id)
            case {"event": "closed_by_client"}:
                yield second, Disconnected("closed")
            case {"http": http}:
                yield from ((second, event) for event in _response_events(http, second, mine, doomed))


def _response_events(http: Row, second: float, mine: list[Row], doomed: set[str]) -> Iterator[SessionEvent]:
    """The events of an HTTP exchange; deleted prompts count as cancelled once a poll of the queue misses them."""
    request, response = http["request"], http["response"]
    match http["method"], http["path"].removeprefix("/api").partition("?")[0]:
        case "POST", "/prompt" if http in mine:
            yield _post_outcome(http)
        case "POST", "/queue":
            doomed |= set(request.get("delete", [])) or {_id_of(post) for post in mine}
        case "GET", "/queue" if isinstance(response, dict):
            queue = parse_queue(json.dumps(response).encode(), queued_prompt_of)
            there = {each.prompt_id for each in (*queue.running, *queue.pending)}
            yield QueueSnapshot(queue.running, queue.pending, second)
            yield from (JobCancelled(prompt_id) for prompt_id in sorted(doomed - there))
        case "GET", str(path) if path.startswith("/history") and isinstance(response, dict):
            asked = tuple(part for part in [path.removeprefix("/history").strip("/")] if part)
            yield HistorySnapshot(
                tuple(map(finished_prompt_of, parse_history(json.dumps(response).encode()) or ())), asked
            )


def _post_outcome(http: Row) -> SessionEvent:
    if http["status"] == 200:
        queued = parse_accepted(http["response"], _id_of(http))
        return PromptAccepted(_id_of(http), queued.prompt_id, queued.number)
    message, node_errors = parse_rejection(http["response"])
    return PromptRejected(_id_of(http), Failure(message, node_errors=node_errors))


def queue_snapshot_of(state: SessionState, second: float) -> QueueSnapshot:
    """The queue as a poll at this second would show it."""
    queued = [job for job in state.jobs.values() if job.status in {JobStatus.QUEUED, JobStatus.RUNNING}]
    rows = [
        (
            job.status,
            QueuedPrompt(job.prompt_id, job.number or 0, job.owner, None, job.parameters, job.classes, job.created),
        )
        for job in queued
    ]
    return QueueSnapshot(
        tuple(row for status, row in rows if status is JobStatus.RUNNING),
        tuple(row for status, row in rows if status is JobStatus.QUEUED),
        second,
    )
