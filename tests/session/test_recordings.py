"""Recorded scenarios of a real server, replayed to the state that a user would see."""

from dataclasses import dataclass

import pytest

from comfytui.comfy.protocol.events import Event
from comfytui.session.events import HistorySnapshot
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.progress import progress_line, progress_of
from comfytui.session.selectors import awaiting_history, current_batch
from comfytui.session.state import SessionState
from tests.session.recordings import BATCH, NAMES, Recording, feed, recorded, settle, stamp, steps, waiting_as_seen

S = JobStatus


@dataclass(frozen=True)
class End:
    """What a recording comes to."""

    statuses: tuple[JobStatus, ...]
    files: tuple[str, ...]
    line: str


ENDS = {
    "front_of_queue_and_clear": End(
        (S.SUCCEEDED, S.CANCELLED, S.CANCELLED), ("comfytui_00031_.png",), "1 of 3 done, 2 cancelled"
    ),
    "fully_cached": End(
        (S.SUCCEEDED, S.CACHED), ("comfytui_00020_.png", "comfytui_00020_.png"), "2 of 2 done, 1 cached"
    ),
    "interrupted": End((S.INTERRUPTED, S.SUCCEEDED), ("comfytui_00024_.png",), "1 of 2 done, 1 interrupted"),
    "latent_batch_of_two": End((S.SUCCEEDED,), ("comfytui_00021_.png", "comfytui_00022_.png"), "1 of 1 done"),
    "legacy_previews": End((S.SUCCEEDED,), ("comfytui_00027_.png",), "1 of 1 done"),
    "node_error": End((S.FAILED, S.SUCCEEDED), ("comfytui_00026_.png",), "1 of 2 done, 1 failed"),
    "pending_deleted": End((S.SUCCEEDED, S.CANCELLED), ("comfytui_00025_.png",), "1 of 2 done, 1 cancelled"),
    "preview_image_output": End(
        (S.SUCCEEDED,), tuple(f"ComfyUI_temp_oseyy_0000{n}_.png" for n in (1, 2, 3)), "1 of 1 done"
    ),
    "reconnect_same_client": End((S.SUCCEEDED,), ("comfytui_00028_.png",), "1 of 1 done"),
    "reconnect_while_old_socket_lingers": End((S.SUCCEEDED,), ("comfytui_00029_.png",), "1 of 1 done"),
    "three_sequential_cold_then_warm": End(
        (S.SUCCEEDED,) * 3, tuple(f"comfytui_000{n}_.png" for n in (17, 18, 19)), "3 of 3 done"
    ),
    "two_samplers": End((S.SUCCEEDED,), ("comfytui_00023_.png",), "1 of 1 done"),
    "validation_errors": End((S.REJECTED,) * 6, (), "0 of 6 done, 6 rejected"),
}
FOREIGN = {"bystander_with_logs", "http_surface"}
"""Scenarios in which nothing is mine."""
UNFINISHED = {"reconnect_while_old_socket_lingers"}
"""Scenarios whose sockets went deaf before the end."""


def test_every_recording_is_replayed() -> None:
    assert set(NAMES) == ENDS.keys() | FOREIGN


@pytest.mark.parametrize("name", ENDS)
def test_end(name: str) -> None:
    recording = recorded(name)
    state = feed(recording.fresh(), recording.events)
    end = ENDS[name]
    assert tuple(job.status for job in state.jobs.values()) == end.statuses
    assert tuple(output.filename for job in state.jobs.values() for output in job.outputs) == end.files
    assert progress_line(progress_of(state, state.batches[BATCH], recording.end)) == end.line
    assert state.run is None
    assert awaiting_history(state) == ()
    assert state.link.kind is LinkKind.OFFLINE
    assert state.queue_remaining == (1 if name in UNFINISHED else 0)
    assert all(job.mine and job.ended is not None for job in state.jobs.values())


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_nothing_foreign_becomes_mine(name: str) -> None:
    recording = recorded(name)
    for _, state in steps(recording.fresh(), recording.events):
        assert state.run is None
        assert not state.batches
        assert not any(job.mine for job in state.jobs.values())
    assert {job.status for job in feed(recording.fresh(), recording.events).jobs.values()} == {S.SUCCEEDED}


def lines(recording: Recording) -> list[str]:
    """What the screen says, each time that it changes."""
    said: list[str] = []
    for second, state in steps(recording.fresh(), recording.events):
        batch = current_batch(state)
        text = progress_line(progress_of(state, batch, second)) if batch else ""
        if text and (not said or said[-1] != text):
            said.append(text)
    return said


def test_the_line_of_three_images() -> None:
    steps_of = [
        [f"Image {image} of 3 - Step {step}/8 ({step * 100 // 8}%)" for step in range(1, 9)] for image in (1, 2, 3)
    ]
    warm = [["starting", "reading prompt", "sampling"]] * 2  # their loader is cached
    said = lines(recorded("three_sequential_cold_then_warm"))
    assert said[:2] == ["0 of 3 sent", "1 of 3 sent"]
    assert said[2:9] == [
        "Image 1 of 3 - starting",
        "Image 1 of 3 - loading model",
        "Image 1 of 3 - working",
        "Image 1 of 3 - reading prompt",
        "Image 1 of 3 - loading model",
        *steps_of[0][:2],
    ]
    for image, phases in enumerate(warm, 2):
        first = said.index(f"Image {image} of 3 - starting")
        phrases = [f"Image {image} of 3 - {phase}" for phase in phases]
        assert said[first : first + 11] == [*phrases, *steps_of[image - 1]]
    assert said[-1] == "3 of 3 done"


def test_the_line_of_two_samplers_starts_again() -> None:
    said = [text for text in lines(recorded("two_samplers")) if "Step" in text]
    assert said == [
        *(f"Image 1 of 1 - Step {step}/6 ({step * 100 // 6}%)" for step in range(1, 7)),
        *(f"Image 1 of 1 - Step {step}/4 ({step * 100 // 4}%)" for step in range(1, 5)),
    ]


def test_a_failure_says_where_and_why() -> None:
    recording = recorded("node_error")
    failed = next(iter(feed(recording.fresh(), recording.events).jobs.values()))
    assert failed.failure is not None
    assert failed.failure.message.startswith("CUDA out of memory")
    assert (failed.failure.node_id, failed.failure.node_type) == ("1", "LabSampler")
    assert failed.failure.cause == "RuntimeError"
    assert failed.failure.traceback


def test_refusals_point_at_the_inputs() -> None:
    recording = recorded("validation_errors")
    first = next(iter(feed(recording.fresh(), recording.events).jobs.values()))
    assert first.failure is not None
    assert {(error.class_type, error.input_name) for error in first.failure.node_errors} >= {
        ("KSampler", "steps"),
        ("CheckpointLoaderSimple", "ckpt_name"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_bars_never_go_back(name: str) -> None:
    recording = recorded(name)
    image: dict[int, float] = {}
    whole = 0.0
    for second, state in steps(recording.fresh(), recording.events):
        if BATCH not in state.batches:
            continue
        progress = progress_of(state, state.batches[BATCH], second)
        assert progress.image_fraction >= image.get(progress.image_index, 0.0)
        assert whole <= progress.batch_fraction <= 1
        image[progress.image_index] = progress.image_fraction
        whole = progress.batch_fraction


@pytest.mark.parametrize("name", NAMES)
def test_events_that_tell_nothing_new_change_nothing(name: str) -> None:
    recording = recorded(name)
    state = recording.fresh()
    for second, event in recording.events:
        state = feed(state, [(second, event)])
        assert feed(state, [(second, event)]) is state, event


Known = dict[str, tuple[JobStatus, tuple[object, ...]]]


def known(state: SessionState) -> Known:
    """What a state knows of jobs, whichever way it came to know it."""
    return {job.prompt_id: (job.status, _details(job)) for job in state.jobs.values()}


def _details(job: Job) -> tuple[object, ...]:
    return job.outputs, job.failure, job.seconds, job.mine, dict(job.classes)


def frames(recording: Recording) -> list[int]:
    """The places of the socket's frames among the events."""
    return [place for place, (_, event) in enumerate(recording.events) if isinstance(event, Event)]


@pytest.mark.parametrize("name", NAMES)
def test_any_lost_prefix_of_frames_is_healed_by_looking(name: str) -> None:
    recording = recorded(name)
    whole = known(settle(recording, feed(recording.fresh(), recording.events)))
    places = frames(recording)
    for count in range(len(places) + 1):
        lost = set(places[:count])
        rest = [event for place, event in enumerate(recording.events) if place not in lost]
        assert known(settle(recording, feed(recording.fresh(), rest))) == whole, f"{count} frames lost"


@pytest.mark.parametrize("name", NAMES)
def test_any_lost_suffix_of_frames_is_healed_by_looking(name: str) -> None:
    recording = recorded(name)
    whole = known(settle(recording, feed(recording.fresh(), recording.events)))
    places = frames(recording)
    for count in range(len(places) + 1):
        lost = set(places[count:])
        rest = [event for place, event in enumerate(recording.events) if place not in lost]
        assert known(settle(recording, feed(recording.fresh(), rest))) == whole, f"{count} frames seen"


@pytest.mark.parametrize("name", sorted(ENDS.keys() - {"validation_errors"}))
def test_a_restart_at_any_point_takes_the_jobs_over(name: str) -> None:
    """A session that knows only its client_id, and comes in the middle, ends up knowing the same of those jobs."""
    recording = recorded(name)
    whole = known(settle(recording, feed(recording.fresh(), recording.events)))
    before = recording.fresh()
    for place, (second, event) in enumerate(recording.events):
        before = feed(before, [(second, event)])
        ended = {key for key, job in before.jobs.items() if job.status.ended}
        past = tuple(entry for entry in recording.history if entry.prompt.prompt_id in ended)
        found = feed(recording.fresh(), [(second, waiting_as_seen(before, second)), (second, HistorySnapshot(past))])
        after = known(settle(recording, feed(found, recording.events[place + 1 :])))
        certain = {key: facts for key, facts in after.items() if facts[0] is not S.LOST}
        assert {key: whole[key] for key in certain} == certain, f"restarted after {place} events"
        assert {key for key, facts in whole.items() if facts[0] is not S.CANCELLED} <= certain.keys()


def test_stamps_are_those_of_this_machine() -> None:
    recording = recorded("legacy_previews")
    state = feed(recording.fresh(), recording.events)
    (job,) = state.jobs.values()
    assert job.ended == pytest.approx(stamp(0.5154).wall, abs=0.01)
    assert job.seconds == pytest.approx(0.19)
