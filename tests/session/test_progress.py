"""Steps, bars, phases, rates and ETAs of a running image."""

from dataclasses import replace
from math import inf, nan

import pytest

from comfytui.comfy.protocol.events import (
    Executing,
    ExecutionStart,
    ExecutionSuccess,
    NodeProgress,
    Progress,
    ProgressState,
)
from comfytui.presentation.batch_text import progress_line
from comfytui.session.connection.link_events import Connected, Disconnected, HttpSucceeded
from comfytui.session.events import (
    BatchPlanned,
    FinishedPrompt,
    HistorySnapshot,
    JobCancelled,
    PromptAccepted,
    PromptDelayed,
    QueueSnapshot,
)
from comfytui.session.jobs.index import BatchCounts, Jobs
from comfytui.session.model import BatchTag, Job, JobStatus, Phase
from comfytui.session.progress import BatchProgress as Shown
from comfytui.session.progress import Stage, progress_of
from comfytui.session.runs.phases import is_sampler, phase_of
from comfytui.workflow.parameters import GenerationParameters
from tests.session.builders import (
    DECODER,
    LOADER,
    SAMPLER,
    SAVER,
    STEPS,
    TEXT,
    Session,
    end_frames,
    planned_batch,
    queued_prompt,
    run_frames,
    start_frames,
    step_frames,
)


def batch_progress(session: Session, batch: str = "a") -> Shown:
    return progress_of(session.state, session.state.batches[batch], session.now)


def sampling_session(total: int = 1, tick: float = 1.0) -> Session:
    session = Session(tick)
    session.plan("a", total)
    session.do(*start_frames("a1"))
    return session


def test_the_line_follows_one_image_from_sending_to_its_end() -> None:
    session = Session()
    texts = [""]
    for event in (planned_batch("a", 1), PromptAccepted("a1", "a1", 1), *run_frames("a1")):
        session.do(event)
        if session.line() != texts[-1]:
            texts.append(session.line())
    assert texts[1:] == [
        "0 of 1 sent",
        "Image 1 of 1 - queued, next",
        "Image 1 of 1 - starting",
        "Image 1 of 1 - loading model",
        "Image 1 of 1 - reading prompt",
        "Image 1 of 1 - loading model",
        "Image 1 of 1 - Step 1/4 (25%)",
        "Image 1 of 1 - Step 2/4 (50%)",
        "Image 1 of 1 - Step 3/4 (75%)",
        "Image 1 of 1 - Step 4/4 (100%)",
        "1 of 1 done",
    ]


def test_one_image_goes_through_its_phases() -> None:
    session = Session()
    session.plan("a", 1)
    phases: list[tuple[Phase | None, str]] = []
    for event in run_frames("a1"):
        session.do(event)
        progress = batch_progress(session)
        if progress.stage is Stage.RUNNING and (progress.phase, progress.node_class) not in phases:
            phases.append((progress.phase, progress.node_class))
    assert phases == [
        (Phase.STARTING, ""),
        (Phase.LOADING, "CheckpointLoaderSimple"),
        (Phase.ENCODING, "CLIPTextEncode"),
        (Phase.LOADING, "KSampler"),
        (Phase.SAMPLING, "KSampler"),
        (Phase.DECODING, "VAEDecode"),
        (Phase.SAVING, "SaveImage"),
    ]


def test_queued_line_counts_jobs_ahead_of_any_client_and_images_of_mine() -> None:
    session = Session()
    session.plan("a", 4)
    mine = [queued_prompt(f"a{n}", 10 + n) for n in range(1, 5)]
    theirs = [queued_prompt(f"t{n}", n, "they") for n in range(3)]
    session.do(QueueSnapshot((theirs[0],), (*theirs[1:], *mine), requested_at=session.now + 1))
    assert session.line() == "Image 1 of 4 - queued, 3 ahead"
    session.do(*run_frames("a1"))
    assert session.line() == "Image 2 of 4 - queued, 3 ahead"


def test_sending_line_counts_accepted_prompts() -> None:
    session = Session()
    session.do(planned_batch("a", 8), *(PromptAccepted(f"a{n}", f"a{n}", n) for n in (1, 2, 3)))
    assert session.line() == "3 of 8 sent"
    session.do(PromptDelayed("a4", "refused"))
    assert batch_progress(session).sent == 3
    session.do(*start_frames("a1"), *step_frames("a1", 1))
    assert session.line() == "Image 1 of 8 - Step 1/4 (25%)"


def test_dismissed_images_are_not_counted_as_cancelled() -> None:
    shown = Shown(Stage.ENDED, 3, 3, done=1, cancelled=2, dismissed=1)
    assert progress_line(shown) == "1 of 3 done, 1 cancelled, 1 dismissed"
    counts = {JobStatus.CANCELLED: 2}
    jobs = [Job(name, JobStatus.CANCELLED, mine=True, batch_tag=BatchTag("a", 1, 2, "")) for name in "xy"]
    assert Jobs([jobs[0], replace(jobs[1], dismissed=True)]).batch_counts["a"] == BatchCounts(counts, dismissed=1)


def test_a_cancelled_image_does_not_renumber_the_others() -> None:
    session = Session()
    session.plan("a", 3)
    session.do(*run_frames("a1"), JobCancelled("a2"), *start_frames("a3"), *step_frames("a3", 1))
    assert session.line() == "Image 3 of 3 - Step 1/4 (25%)"
    session.do(*end_frames("a3"))
    assert session.line() == "2 of 3 done, 1 cancelled"


@pytest.mark.parametrize(
    ("value", "top", "line"),
    [
        (1, 0, "loading model"),
        (1, -4, "loading model"),
        (0, 4, "loading model"),
        (nan, 4, "loading model"),
        (1, nan, "loading model"),
        (inf, 4, "loading model"),
        (1, inf, "loading model"),
        (-3, 4, "loading model"),
        (9, 4, "Step 4/4 (100%)"),
        (1.0, 4.0, "Step 1/4 (25%)"),
        (199, 200, "Step 199/200 (99%)"),
        (1, 1, "Step 1/1 (100%)"),
        (1e300, 1e300, "Step 1000000000000/1000000000000 (100%)"),
    ],
)
def test_steps_are_clamped(value: float, top: float, line: str) -> None:
    session = sampling_session()
    session.do(Progress(value, top, "a1", SAMPLER))
    assert session.line() == f"Image 1 of 1 - {line}"
    assert 0 <= batch_progress(session).image_fraction < 1


def test_both_frames_of_a_step_count_once() -> None:
    once, twice = sampling_session(), sampling_session()
    for value in range(1, 4):
        overview, single = step_frames("a1", value)
        once.do(single)
        twice.do(overview)
        before = twice.state
        assert twice.do(single) is before
    assert batch_progress(once).image_fraction == batch_progress(twice).image_fraction
    assert once.line() == twice.line() == "Image 1 of 1 - Step 3/4 (75%)"


def test_steps_of_an_old_server_without_overviews_and_ids_count() -> None:
    session = sampling_session()
    session.do(Progress(1, 4), Progress(2, 4))
    assert session.line() == "Image 1 of 1 - Step 2/4 (50%)"


def test_the_bar_counts_cached_nodes_and_ends_full() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(*start_frames("a1", cached=(LOADER, TEXT)))
    assert batch_progress(session).image_fraction == pytest.approx(2 / 8)
    session.do(*step_frames("a1", 1), *step_frames("a1", 2))
    assert batch_progress(session).image_fraction == pytest.approx(4 / 8)
    session.do(
        *step_frames("a1", 3), *step_frames("a1", 4), Executing(DECODER, DECODER, "a1"), Executing(SAVER, SAVER, "a1")
    )
    assert batch_progress(session).image_fraction == pytest.approx(7 / 8)
    session.do(ExecutionSuccess("a1"))
    assert batch_progress(session).image_fraction == 1.0


def test_a_second_pass_starts_its_steps_again_and_the_bar_goes_on() -> None:
    session = sampling_session()
    bar = [batch_progress(session).image_fraction]
    for _ in range(5):
        for value in range(1, 5):
            session.do(*step_frames("a1", value))
            bar.append(batch_progress(session).image_fraction)
        assert session.line() == "Image 1 of 1 - Step 4/4 (100%)"
    assert bar == sorted(set(bar))
    assert bar[-1] < 1
    session.do(Progress(1, 4, "a1", SAMPLER))
    assert session.line() == "Image 1 of 1 - Step 1/4 (25%)"


def test_more_steps_than_announced_slow_the_bar_down() -> None:
    session = sampling_session()
    session.do(*step_frames("a1", 1, 400))
    assert batch_progress(session).image_fraction < 0.3
    session.do(*step_frames("a1", 400, 400))
    assert 0.9 < batch_progress(session).image_fraction < 1


def test_inner_nodes_of_a_subgraph_show_their_surroundings() -> None:
    session = sampling_session()
    inner = (NodeProgress(SAMPLER, 0, 1, "running", SAMPLER), NodeProgress("3:7", 3, 8, "running", SAMPLER))
    session.do(ProgressState("a1", inner[1:]))
    assert session.line() == "Image 1 of 1 - Step 3/8 (37%)"
    assert batch_progress(session).node_class == "KSampler"
    session.do(ProgressState("a1", inner), Progress(4, 8, "a1", "3:7"), Executing("99:1", None, "a1"))
    assert session.line() == "Image 1 of 1 - Step 4/8 (50%)"
    assert batch_progress(session).node_class == ""
    assert batch_progress(session).image_fraction < 1


def test_a_run_that_started_earlier_is_followed() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(QueueSnapshot((queued_prompt("a1"),), (), requested_at=session.now + 1))
    assert session.line() == "Image 1 of 1 - working"
    session.do(*step_frames("a1", 3))
    assert session.line() == "Image 1 of 1 - Step 3/4 (75%)"


def test_the_rate_is_steps_by_time_from_the_second_step_on() -> None:
    session = sampling_session(tick=0.25)
    assert batch_progress(session).rate is None
    session.do(Progress(1, 100, "a1", SAMPLER))
    assert batch_progress(session).rate is None
    session.do(Progress(2, 100, "a1", SAMPLER))
    assert batch_progress(session).rate == pytest.approx(4)
    session.do(Progress(7, 100, "a1", SAMPLER))
    assert 4 < (batch_progress(session).rate or 0) < 20
    for value in range(12, 100, 5):
        session.do(Progress(value, 100, "a1", SAMPLER))
    assert batch_progress(session).rate == pytest.approx(20, rel=0.05)


def test_steps_in_one_instant_are_no_infinite_rate() -> None:
    session = sampling_session()
    session.tick = 0.0
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(1, 50)))
    assert batch_progress(session).rate is None
    assert batch_progress(session).image_left is None


def test_a_burst_of_late_frames_does_not_show_as_speed() -> None:
    session = sampling_session(tick=1.0)
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(1, 20)))
    session.now += 10
    session.tick = 0.0
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(20, 31)))
    assert (batch_progress(session).rate or inf) < 5


def test_a_stall_does_not_make_the_rest_look_endless() -> None:
    session = sampling_session(tick=1.0)
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(1, 21)))
    session.now += 300
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(21, 31)))
    assert 70 <= (batch_progress(session).image_left or 0) < 140


def test_a_stall_does_not_count_for_the_images_after_it() -> None:
    session = Session()
    session.plan("a", 3)
    for image, stall in ((1, 0.0), (2, 300.0)):
        session.tick = 0.0
        session.do(*start_frames(f"a{image}"))
        session.tick = 1.0
        session.do(*(Progress(value, 20, f"a{image}", SAMPLER) for value in range(1, 11)))
        session.now += stall
        session.do(*(Progress(value, 20, f"a{image}", SAMPLER) for value in range(11, 21)))
        session.do(ExecutionSuccess(f"a{image}"))
    assert 15 <= batch_progress(session).batch_left[1] < 40  # type: ignore[index]


def test_a_server_that_stays_slow_shows_its_new_speed() -> None:
    session = sampling_session(tick=1.0)
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(1, 21)))
    session.tick = 60.0
    session.do(*(Progress(value, 100, "a1", SAMPLER) for value in range(21, 31)))
    assert batch_progress(session).rate == pytest.approx(1 / 60, rel=0.05)


def timed_run(session: Session, prompt_id: str, load: float, step_seconds: float, end: float) -> None:
    """A run with `load` seconds before its first step and `end` seconds after its last."""
    session.tick = 0.0
    session.do(*start_frames(prompt_id))
    session.now += load
    session.do(*step_frames(prompt_id, 1))
    for value in (2, 3, 4):
        session.now += step_seconds
        session.do(*step_frames(prompt_id, value))
    session.now += end
    session.do(*end_frames(prompt_id))


def test_a_batch_is_a_range_until_two_images_are_done() -> None:
    session = Session()
    session.plan("a", 4)
    assert batch_progress(session).batch_left is None
    timed_run(session, "a1", load=30, step_seconds=1, end=2)
    assert batch_progress(session).batch_left == pytest.approx((3 * 5, 3 * 35))
    session.do(ExecutionStart("a2", 10_000))
    assert batch_progress(session).image_left == pytest.approx(5)
    assert batch_progress(session).batch_left == pytest.approx((3 * 5, 3 * 35))
    timed_run(session, "a2", load=1, step_seconds=1, end=2)
    assert batch_progress(session).batch_left == pytest.approx((2 * 6, 2 * 6))
    assert batch_progress(session).batch_elapsed == pytest.approx(2 * 5.0)


def test_waiting_in_the_queue_does_not_count() -> None:
    session = Session()
    session.plan("a", 4)
    for prompt_id in ("a1", "a2"):
        timed_run(session, prompt_id, load=1, step_seconds=1, end=2)
    before = batch_progress(session)
    session.now += 3_600
    session.do(
        QueueSnapshot(
            (queued_prompt("t", 0, "they"),), (queued_prompt("a3", 3), queued_prompt("a4", 4)), requested_at=session.now
        )
    )
    after = batch_progress(session)
    assert (after.batch_left, after.batch_elapsed) == (before.batch_left, before.batch_elapsed)
    assert session.line() == "Image 3 of 4 - queued, 1 ahead"


def test_a_running_image_counts_down() -> None:
    session = Session()
    session.plan("a", 3)
    for prompt_id in ("a1", "a2"):
        timed_run(session, prompt_id, load=1, step_seconds=1, end=2)
    session.do(*start_frames("a3"))
    assert batch_progress(session).image_left == pytest.approx(6)
    session.now += 1
    session.do(*step_frames("a3", 1))
    assert batch_progress(session).image_left == pytest.approx(5)
    session.now += 1
    session.do(*step_frames("a3", 2))
    assert batch_progress(session).image_left == pytest.approx(4)
    session.now += 0.5
    assert batch_progress(session).image_left == pytest.approx(3.5)
    session.now += 60
    assert batch_progress(session).image_left == pytest.approx(1 + 2)


def test_the_first_image_of_a_workload_is_estimated_from_its_steps() -> None:
    session = sampling_session(total=2)
    session.do(Progress(1, 11, "a1", SAMPLER), Progress(2, 11, "a1", SAMPLER))
    progress = batch_progress(session)
    assert progress.image_left == pytest.approx(9)
    low, high = progress.batch_left or (0, 0)
    assert low == pytest.approx(9 + 11)
    assert high > low


def test_other_settings_are_another_workload() -> None:
    session = Session()
    session.plan("a", 1)
    timed_run(session, "a1", load=1, step_seconds=1, end=2)
    session.plan("b", 1, seed=99)
    assert batch_progress(session, "b").batch_left is not None
    slower = planned_batch("c", 1)
    session.do(BatchPlanned(slower.batch, (replace(slower.jobs[0], parameters=GenerationParameters(width=1024)),)))
    assert batch_progress(session, "c").batch_left is None


@pytest.mark.parametrize(
    ("class_type", "phase"),
    [
        ("CheckpointLoaderSimple", Phase.LOADING),
        ("UNETLoader", Phase.LOADING),
        ("UpscaleModelLoader", Phase.LOADING),
        ("CLIPTextEncodeFlux", Phase.ENCODING),
        ("KSampler", Phase.SAMPLING),
        ("KSamplerAdvanced", Phase.SAMPLING),
        ("KSampler (Efficient)", Phase.SAMPLING),
        ("SamplerCustomAdvanced", Phase.SAMPLING),
        ("LabSampler", Phase.WORKING),
        ("LabLoader", Phase.WORKING),
        ("ImageLoader", Phase.WORKING),
        ("UnetLoaderGGUF", Phase.LOADING),
        ("LoraLoaderModelOnly", Phase.LOADING),
        ("ControlNetLoader", Phase.LOADING),
        ("CLIPVisionLoader", Phase.LOADING),
        ("KSamplerSelect", Phase.WORKING),
        ("VAEDecodeTiled", Phase.DECODING),
        ("ImageUpscaleWithModel", Phase.UPSCALING),
        ("UltimateSDUpscale", Phase.UPSCALING),
        ("SaveImage", Phase.SAVING),
        ("PreviewImage", Phase.SAVING),
        ("EmptyLatentImage", Phase.WORKING),
        ("", Phase.WORKING),
    ],
)
def test_the_class_name_decides_the_phase(class_type: str, phase: Phase) -> None:
    assert phase_of(class_type) is phase


def test_an_unknown_class_has_no_phase() -> None:
    session = Session()
    planned = planned_batch("a", 1)
    job = replace(planned.jobs[0], classes={"1": "LabSampler", "2": "SaveImage"})
    session.do(BatchPlanned(planned.batch, (job,)), PromptAccepted("a1", "a1", 1))
    session.do(ExecutionStart("a1", 10_000), Executing("1", "1", "a1"))
    assert session.line() == "Image 1 of 1 - working"
    session.do(*step_frames("a1", 1, node="1"))
    assert session.line() == "Image 1 of 1 - Step 1/4 (25%)"
    assert (batch_progress(session).phase, batch_progress(session).node_class) == (Phase.WORKING, "LabSampler")


@pytest.mark.parametrize("class_type", ["KSamplerSelect", "SamplerEulerAncestral", "SamplerDPMPP_2M_SDE"])
def test_nodes_that_choose_a_sampler_do_not_sample(class_type: str) -> None:
    assert not is_sampler(class_type)


def test_without_a_socket_the_step_is_unknown_and_the_bar_stays_where_it_is() -> None:
    session = Session()
    session.plan("a", 2)
    session.do(Connected("me"), *start_frames("a1"), *step_frames("a1", 3))
    before = progress_of(session.state, session.state.batches["a"], session.now)
    session.do(Disconnected("reset", 1.0), HttpSucceeded(1.0))
    after = progress_of(session.state, session.state.batches["a"], session.now)
    assert progress_line(after) == "Image 1 of 2 - step unknown"
    assert (after.rate, after.node_class) == (None, "")
    assert after.image_fraction == before.image_fraction > 0
    session.do(Connected("me"), *step_frames("a1", 4))
    assert session.line() == "Image 1 of 2 - Step 4/4 (100%)"


def test_a_job_cancelled_before_it_was_sent_counts_as_neither_sent_nor_unsent() -> None:
    session = Session()
    session.do(planned_batch("b", 4), JobCancelled("b1"), JobCancelled("b2"))
    assert session.line() == "0 of 2 sent, 2 cancelled"


def test_batch_does_not_go_back_by_a_rounding_error_when_an_end_is_read() -> None:
    session = Session()
    ids = session.plan("a", 3)
    seen = []
    for prompt_id in ids[:2]:
        session.do(*start_frames(prompt_id), *step_frames(prompt_id, STEPS), *list(end_frames(prompt_id))[:3])
    session.do(*start_frames(ids[2]), *step_frames(ids[2], 1, 7))
    for event in (HistorySnapshot((FinishedPrompt(queued_prompt(each), "success"),), (each,)) for each in ids[:2]):
        seen.append(batch_progress(session).batch_fraction)
        session.do(event)
    seen.append(batch_progress(session).batch_fraction)
    assert seen == sorted(seen)


def test_batch_does_not_go_back_when_frames_of_a_job_that_left_the_queue_come_late() -> None:
    session = Session()
    session.plan("a", 2)
    seen = []
    for event in (
        QueueSnapshot((), (), session.now + 1),
        *start_frames("a1"),
        *step_frames("a1", 1),
        *step_frames("a1", 2),
        *end_frames("a1"),
    ):
        session.do(event)
        batch = session.state.batches["a"]
        seen.append(progress_of(session.state, batch, session.now).batch_fraction)
    assert seen == sorted(seen)
    assert seen[-1] == 1 / 2
