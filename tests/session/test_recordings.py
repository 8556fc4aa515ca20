"""Recorded scenarios of a real server, replayed to the state that a user would see."""

from dataclasses import dataclass

import pytest

from comfytui.comfy.protocol.events import Event
from comfytui.presentation.batch_text import progress_line
from comfytui.session.events import HistorySnapshot
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.progress import progress_of
from comfytui.session.selectors import awaiting_history, current_batch
from comfytui.session.state import SessionState
from tests.session.recordings import (
    BATCH,
    NAMES,
    Recording,
    apply_events,
    load_recording,
    poll_until_settled,
    queue_snapshot_of,
    stamp,
    states_after,
)

S = JobStatus


@dataclass(frozen=True)
class End:
    """The final state of a recording."""

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
OTHER_CLIENTS_ONLY = {
    "bystander_with_logs": {S.SUCCEEDED},
    "http_surface": {S.SUCCEEDED},
    "http_workflows": {S.RUNNING, S.QUEUED},  # Its queue was read once, before the jobs ended.
}
"""Scenarios in which nothing is mine, and the final statuses of the others' jobs."""
UNFINISHED = {"reconnect_while_old_socket_lingers"}
"""Scenarios whose sockets stopped getting frames before the end."""


def test_every_recording_is_replayed() -> None:
    assert set(NAMES) == ENDS.keys() | OTHER_CLIENTS_ONLY.keys()


@pytest.mark.parametrize("name", ENDS)
def test_each_recording_ends_in_its_final_state(name: str) -> None:
    recording = load_recording(name)
    state = apply_events(recording.fresh(), recording.events)
    end = ENDS[name]
    assert tuple(job.status for job in state.jobs.values()) == end.statuses
    assert tuple(output.filename for job in state.jobs.values() for output in job.outputs) == end.files
    assert progress_line(progress_of(state, state.batches[BATCH], recording.end)) == end.line
    assert not state.runs
    assert awaiting_history(state) == ()
    assert state.link.kind is LinkKind.OFFLINE
    assert state.queue_remaining == (1 if name in UNFINISHED else 0)
    assert all(job.mine and job.ended is not None for job in state.jobs.values())


@pytest.mark.parametrize("name", sorted(OTHER_CLIENTS_ONLY))
def test_other_clients_jobs_never_become_mine(name: str) -> None:
    recording = load_recording(name)
    for _, state in states_after(recording.fresh(), recording.events):
        assert not state.runs
        assert not state.batches
        assert not any(job.mine for job in state.jobs.values())
    jobs = apply_events(recording.fresh(), recording.events).jobs.values()
    assert {job.status for job in jobs} == OTHER_CLIENTS_ONLY[name]


def progress_lines(recording: Recording) -> list[str]:
    """The progress lines that the screen shows, one for each change."""
    texts: list[str] = []
    for second, state in states_after(recording.fresh(), recording.events):
        batch = current_batch(state)
        text = progress_line(progress_of(state, batch, second)) if batch else ""
        if text and (not texts or texts[-1] != text):
            texts.append(text)
    return texts


def test_the_line_counts_three_images_and_their_steps() -> None:
    steps_of = [
        [f"Image {image} of 3 - Step {step}/8 ({step * 100 // 8}%)" for step in range(1, 9)] for image in (1, 2, 3)
    ]
    warm = [["starting", "reading prompt", "sampling"]] * 2  # their loader is cached
    texts = progress_lines(load_recording("three_sequential_cold_then_warm"))
    assert texts[:2] == ["0 of 3 sent", "1 of 3 sent"]
    assert texts[2:9] == [
        "Image 1 of 3 - starting",
        "Image 1 of 3 - loading model",
        "Image 1 of 3 - working",
        "Image 1 of 3 - reading prompt",
        "Image 1 of 3 - loading model",
        *steps_of[0][:2],
    ]
    for image, phases in enumerate(warm, 2):
        first = texts.index(f"Image {image} of 3 - starting")
        phrases = [f"Image {image} of 3 - {phase}" for phase in phases]
        assert texts[first : first + 11] == [*phrases, *steps_of[image - 1]]
    assert texts[-1] == "3 of 3 done"


def test_the_line_of_two_samplers_starts_again() -> None:
    texts = [text for text in progress_lines(load_recording("two_samplers")) if "Step" in text]
    assert texts == [
        *(f"Image 1 of 1 - Step {step}/6 ({step * 100 // 6}%)" for step in range(1, 7)),
        *(f"Image 1 of 1 - Step {step}/4 ({step * 100 // 4}%)" for step in range(1, 5)),
    ]


def test_a_failure_has_its_node_and_message() -> None:
    recording = load_recording("node_error")
    failed = next(iter(apply_events(recording.fresh(), recording.events).jobs.values()))
    assert failed.failure is not None
    assert failed.failure.message.startswith("CUDA out of memory")
    assert (failed.failure.node_id, failed.failure.node_type) == ("1", "LabSampler")
    assert failed.failure.cause == "RuntimeError"
    assert failed.failure.traceback


def test_rejections_name_the_inputs() -> None:
    recording = load_recording("validation_errors")
    first = next(iter(apply_events(recording.fresh(), recording.events).jobs.values()))
    assert first.failure is not None
    assert {(error.class_type, error.input_name) for error in first.failure.node_errors} >= {
        ("KSampler", "steps"),
        ("CheckpointLoaderSimple", "ckpt_name"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_bars_never_go_back(name: str) -> None:
    recording = load_recording(name)
    image: dict[int, float] = {}
    batch_fraction = 0.0
    for second, state in states_after(recording.fresh(), recording.events):
        if BATCH not in state.batches:
            continue
        progress = progress_of(state, state.batches[BATCH], second)
        assert progress.image_fraction >= image.get(progress.image_index, 0.0)
        assert batch_fraction <= progress.batch_fraction <= 1
        image[progress.image_index] = progress.image_fraction
        batch_fraction = progress.batch_fraction


@pytest.mark.parametrize("name", NAMES)
def test_repeated_events_change_nothing(name: str) -> None:
    recording = load_recording(name)
    state = recording.fresh()
    for second, event in recording.events:
        state = apply_events(state, [(second, event)])
        assert apply_events(state, [(second, event)]) is state, event


Known = dict[str, tuple[JobStatus, tuple[object, ...]]]


def known_jobs(state: SessionState) -> Known:
    """What a state knows of jobs, whether from frames or polls."""
    return {job.prompt_id: (job.status, _details(job)) for job in state.jobs.values()}


def _details(job: Job) -> tuple[object, ...]:
    return job.outputs, job.failure, job.seconds, job.mine, dict(job.classes)


def frame_places(recording: Recording) -> list[int]:
    """The places of the socket's frames among the events."""
    return [place for place, (_, event) in enumerate(recording.events) if isinstance(event, Event)]


@pytest.mark.parametrize("name", NAMES)
def test_polls_heal_any_lost_prefix_of_frames(name: str) -> None:
    recording = load_recording(name)
    expected = known_jobs(poll_until_settled(recording, apply_events(recording.fresh(), recording.events)))
    places = frame_places(recording)
    for count in range(len(places) + 1):
        lost = set(places[:count])
        rest = [event for place, event in enumerate(recording.events) if place not in lost]
        assert known_jobs(poll_until_settled(recording, apply_events(recording.fresh(), rest))) == expected, (
            f"{count} frames lost"
        )


@pytest.mark.parametrize("name", NAMES)
def test_polls_heal_any_lost_suffix_of_frames(name: str) -> None:
    recording = load_recording(name)
    expected = known_jobs(poll_until_settled(recording, apply_events(recording.fresh(), recording.events)))
    places = frame_places(recording)
    for count in range(len(places) + 1):
        lost = set(places[count:])
        rest = [event for place, event in enumerate(recording.events) if place not in lost]
        assert known_jobs(poll_until_settled(recording, apply_events(recording.fresh(), rest))) == expected, (
            f"{count} frames seen"
        )


@pytest.mark.parametrize("name", sorted(ENDS.keys() - {"validation_errors"}))
def test_a_restart_at_any_point_adopts_the_jobs(name: str) -> None:
    """A session that starts in the middle with only its client_id ends up with the same jobs."""
    recording = load_recording(name)
    expected = known_jobs(poll_until_settled(recording, apply_events(recording.fresh(), recording.events)))
    before = recording.fresh()
    for place, (second, event) in enumerate(recording.events):
        before = apply_events(before, [(second, event)])
        ended = {key for key, job in before.jobs.items() if job.status.ended}
        past = tuple(entry for entry in recording.history if entry.prompt.prompt_id in ended)
        found = apply_events(
            recording.fresh(), [(second, queue_snapshot_of(before, second)), (second, HistorySnapshot(past))]
        )
        after = known_jobs(poll_until_settled(recording, apply_events(found, recording.events[place + 1 :])))
        certain = {key: facts for key, facts in after.items() if facts[0] is not S.LOST}
        assert {key: expected[key] for key in certain} == certain, f"restarted after {place} events"
        assert {key for key, facts in expected.items() if facts[0] is not S.CANCELLED} <= certain.keys()


def test_ends_are_in_wall_seconds_of_this_machine() -> None:
    recording = load_recording("legacy_previews")
    state = apply_events(recording.fresh(), recording.events)
    (job,) = state.jobs.values()
    assert job.ended == pytest.approx(stamp(0.5154).wall, abs=0.01)
    assert job.seconds == pytest.approx(0.19)
