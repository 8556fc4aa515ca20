"""What a follower of a job, a batch or all batches gets, whatever it missed."""

import json
from dataclasses import replace

import pytest

from comfytui.clock import Clock
from comfytui.comfy.protocol.events import ExecutionError, Output
from comfytui.headless.documents.events import ProgressEvent
from comfytui.headless.facts import MAX_FACTS, MAX_FACTS_BYTES
from comfytui.headless.feed import Feed
from comfytui.headless.subscription import Subject, Subscription
from comfytui.session.connection.link_events import Connected, Disconnected, HttpSucceeded, LinkEvent
from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueueSnapshot, SessionEvent
from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.retention import remove_jobs
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState
from tests.session.builders import Session, end_frames, queued_prompt, run_frames, start_frames, step_frames


class Followed:
    """A session whose states go to a feed."""

    def __init__(self) -> None:
        self.session = Session()
        self.seconds = 1_000.0
        self.clock = Clock(monotonic=lambda: self.seconds, wall=lambda: self.seconds)
        self.feed = Feed(urls=True, clock=self.clock)

    def do(self, *events: SessionEvent | LinkEvent) -> None:
        self.session.do(*events)
        self.update(self.session.state)

    def update(self, state: SessionState) -> None:
        self.seconds += 1
        self.feed.update(state)

    def plan(self, batch: str, total: int) -> None:
        self.session.plan(batch, total)
        self.update(self.session.state)

    def follow(
        self, prompt_id: str | None = None, batch_id: str | None = None, last_id: int | None = None
    ) -> Subscription:
        return Subscription(self.feed, Subject(prompt_id, batch_id), last_id)


@pytest.fixture
def followed() -> Followed:
    each = Followed()
    each.do(Connected("me", verified=True))
    return each


def with_job(state: SessionState, job: Job) -> SessionState:
    return replace(state, jobs=indexed(state.jobs).with_jobs([job]))


def names(subscription: Subscription) -> list[str]:
    return [event.event.event for event in subscription.take()]


def test_steps_become_percentages_of_the_image_in_its_batch(followed: Followed) -> None:
    followed.plan("a", 4)
    followed.do(*start_frames("a1"), *step_frames("a1", 2))
    [event] = followed.follow(batch_id="a").take()
    said = json.loads(event.data)
    shown = {key: said[key] for key in ("currentStep", "totalSteps", "percentage", "imageIndex", "totalImages")}
    assert shown == {"currentStep": 2, "totalSteps": 4, "percentage": 50, "imageIndex": 1, "totalImages": 4}
    assert (said["status"], said["phase"], said["node"], said["link"]) == ("running", "sampling", "KSampler", "live")


def test_a_job_ends_with_its_image_and_its_end(followed: Followed) -> None:
    followed.plan("a", 2)
    subscription = followed.follow(prompt_id="a1")
    assert names(subscription) == ["progress"]
    followed.do(*run_frames("a1"))
    assert names(subscription) == ["image", "done"]
    assert subscription.ended
    assert names(followed.follow(prompt_id="a1")) == ["image", "done"]  # one who comes later


def test_a_batch_ends_once_all_of_its_images_have(followed: Followed) -> None:
    followed.plan("a", 2)
    subscription = followed.follow(batch_id="a")
    followed.do(*run_frames("a1"))
    assert names(subscription) == ["image", "progress"]
    followed.do(*run_frames("a2"))
    *_, end = subscription.take()
    assert json.loads(end.data)["counts"] == {"done": 2}
    assert subscription.ended


def test_a_failed_image_decides_how_its_batch_ends(followed: Followed) -> None:
    followed.plan("a", 2)
    followed.do(*start_frames("a1"), ExecutionError("a1", "3", "KSampler", "OutOfMemoryError", "CUDA out of memory"))
    followed.do(*run_frames("a2"))
    image, _, end = followed.follow(batch_id="a").take()
    assert json.loads(image.data)["error"]["message"] == "CUDA out of memory"
    said = json.loads(end.data)
    assert (said["event"], said["counts"]) == ("failed", {"failed": 1, "done": 1})


def test_without_a_websocket_no_step_is_told(followed: Followed) -> None:
    followed.plan("a", 1)
    followed.do(*start_frames("a1"), *step_frames("a1", 2))
    followed.do(Disconnected("closed"), HttpSucceeded(2.0))
    followed.do(QueueSnapshot((queued_prompt("a1"),), (), followed.session.now))
    [event] = followed.follow(batch_id="a").take()
    progress = event.event
    assert isinstance(progress, ProgressEvent)
    assert (progress.current_step, progress.total_steps, progress.percentage) == (None, None, None)
    assert (progress.image_fraction, progress.phase, progress.link) == (None, None, "polling")


def test_a_follower_that_comes_back_gets_every_end_that_it_missed(followed: Followed) -> None:
    followed.plan("a", 2)
    first = followed.follow()
    last_id = first.take()[-1].id
    followed.do(*run_frames("a1"))
    followed.do(*run_frames("a2"))
    followed.plan("b", 1)
    events = followed.follow(last_id=last_id).take()
    assert [event.event.event for event in events] == ["image", "image", "done", "progress"]
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert ids[0] > last_id


def test_ends_of_before_a_restart_are_told_to_a_follower_that_may_have_missed_them(followed: Followed) -> None:
    followed.plan("a", 1)
    followed.do(*run_frames("a1"))
    ended = followed.session.state.jobs["a1"].ended or 0.0
    followed.seconds += 200
    restarted = Feed(clock=followed.clock)
    restarted.update(followed.session.state)
    missed = Subscription(restarted, Subject(), int(ended * 1000) + 30_000)
    assert [event.event.event for event in missed.take()] == ["image", "done"]
    later = Subscription(restarted, Subject(), int(ended * 1000) + 90_000)
    assert not later.take()


def test_a_new_follower_of_all_gets_only_what_is_not_over(followed: Followed) -> None:
    followed.plan("a", 1)
    followed.do(*run_frames("a1"))
    subscription = followed.follow()
    assert not subscription.take()
    followed.plan("b", 1)
    assert names(subscription) == ["progress"]


def test_an_end_is_told_once_and_never_later_whatever_the_clock_of_the_server(followed: Followed) -> None:
    subscription = followed.follow()
    for batch, ended in (("a", followed.seconds + 3_600), ("b", followed.seconds)):
        [prompt_id] = followed.session.plan(batch, 1)  # It ends before the feed sees it.
        job = replace(followed.session.state.jobs[prompt_id], status=JobStatus.SUCCEEDED, ended=ended)
        followed.session.state = with_job(followed.session.state, job)
        before = followed.feed.revision
        followed.update(followed.session.state)
        events = subscription.take()
        assert [event.event.event for event in events] == ["image", "done"]
        assert before < events[0].id < events[1].id < followed.feed.revision
        followed.update(followed.session.state)
        assert not subscription.take()


def test_a_lost_job_that_turns_up_changes_how_its_batch_ended(followed: Followed) -> None:
    subscription = followed.follow()
    followed.plan("a", 1)
    state = followed.session.state
    for status in (JobStatus.LOST, JobStatus.SUCCEEDED):
        job = replace(state.jobs["a1"], status=status, ended=followed.seconds)
        followed.update(with_job(state, job))
        end = "lost" if status is JobStatus.LOST else "done"
        assert [(event.event.event, json.loads(event.data)["outcome"]) for event in subscription.take()] == [
            ("image", status.value),
            (end, status.value),
        ]


def test_the_end_of_a_batch_is_not_told_again_when_the_session_forgets_its_oldest_images(followed: Followed) -> None:
    subscription = followed.follow()
    followed.plan("a", 2)
    followed.do(*run_frames("a1"))
    followed.do(*run_frames("a2"))
    assert names(subscription) == ["image", "image", "done"]
    followed.update(remove_jobs(followed.session.state, {"a1"}))
    assert not subscription.take()


def test_the_end_of_a_process_leaves_its_lost_jobs_to_this_one(followed: Followed) -> None:
    subscription = followed.follow()
    followed.plan("a", 1)
    state = followed.session.state
    job = replace(state.jobs["a1"], status=JobStatus.LOST, ended=followed.seconds, owner="other")
    state = replace(with_job(state, job), held_elsewhere=frozenset({"other"}))
    followed.update(state)
    assert "lost" not in names(subscription)
    followed.update(replace(state, held_elsewhere=frozenset()))
    assert names(subscription) == ["image", "lost"]


def test_what_has_not_changed_is_not_told_again(followed: Followed) -> None:
    followed.plan("a", 1)
    subscription = followed.follow()
    assert names(subscription) == ["progress"]
    followed.update(followed.session.state)
    assert not subscription.take()


def test_a_slow_follower_gets_the_newest_progress_only(followed: Followed) -> None:
    followed.plan("a", 1)
    subscription = followed.follow(batch_id="a")
    followed.do(*start_frames("a1"))
    for step in (1, 2, 3):
        followed.do(*step_frames("a1", step))
    [event] = subscription.take()
    assert isinstance(event.event, ProgressEvent)
    assert event.event.current_step == 3


def test_an_event_is_made_once_for_all_its_followers(followed: Followed) -> None:
    followed.plan("a", 1)
    subscriptions = [followed.follow(prompt_id="a1") for _ in range(2)]
    subscriptions += [followed.follow(batch_id="a") for _ in range(2)]
    for events in ("progress",), ("image", "done"):
        taken = [subscription.take() for subscription in subscriptions]
        for same in taken[:2], taken[2:]:
            assert [event.event.event for event in same[0]] == [*events]
            assert all(one is other for one, other in zip(*same, strict=True))
        followed.do(*run_frames("a1"))


def test_of_the_ends_of_many_images_the_newest_are_kept(followed: Followed) -> None:
    followed.plan("a", MAX_FACTS + 100)
    ended = [
        replace(job, status=JobStatus.SUCCEEDED, ended=followed.seconds - 1_000 + place / 10)
        for place, job in enumerate(followed.session.state.jobs.values())
    ]
    restarted = Feed(clock=followed.clock)
    restarted.update(replace(followed.session.state, jobs=indexed(followed.session.state.jobs).with_jobs(ended)))
    events = [fact.event for fact in restarted.facts_after(0)]
    assert [event.event for event in events[-2:]] == ["image", "done"]
    assert [event.prompt_id for event in events[:-1]] == [job.prompt_id for job in ended[1 - MAX_FACTS :]]


def test_events_about_many_files_are_kept_up_to_a_size(followed: Followed) -> None:
    outputs = tuple(Output("9", f"{'x' * 200}{number}.png", "", "output") for number in range(10_000))
    for batch in map(str, range(20)):
        followed.plan(batch, 1)
        job = replace(followed.session.state.jobs[f"{batch}1"], status=JobStatus.SUCCEEDED, outputs=outputs)
        followed.session.state = with_job(followed.session.state, job)
        followed.update(followed.session.state)
    kept = followed.feed.facts_after(0)
    assert kept[-1].event.batch_id == "19"
    assert 0.5 * MAX_FACTS_BYTES < sum(len(fact.data) for fact in kept) <= MAX_FACTS_BYTES


def test_the_image_of_a_job_is_found_by_the_relays_path(followed: Followed) -> None:
    followed.plan("a", 1)
    followed.do(*run_frames("a1"))
    image, _ = followed.follow(prompt_id="a1").take()
    assert [output["url"] for output in json.loads(image.data)["outputs"]] == ["/api/view/a1/0"]


def test_the_end_waits_until_all_is_known_of_the_results(followed: Followed) -> None:
    followed.plan("a", 1)
    subscription = followed.follow(prompt_id="a1")
    followed.do(*start_frames("a1"))
    followed.do(*list(end_frames("a1"))[-2:])  # The frames with the files were missed.
    assert followed.session.state.jobs["a1"].results_incomplete
    assert "done" not in names(subscription)


def test_an_unknown_job_does_not_exist(followed: Followed) -> None:
    assert not followed.follow(prompt_id="z").exists
    assert not followed.follow(batch_id="z").exists
    assert followed.follow().exists


@pytest.mark.parametrize("behind", [0.0, 3_600.0], ids=["right", "slow"])
def test_a_batch_that_came_and_went_between_two_polls_is_told_whatever_the_clock_of_the_server(
    followed: Followed, behind: float
) -> None:
    def entry(prompt_id: str) -> FinishedPrompt:
        return FinishedPrompt(queued_prompt(prompt_id), "success", ended=followed.seconds - behind)

    followed.do(HistorySnapshot((entry("earlier"),)))
    followed.feed.begin()
    subscription = followed.follow()
    followed.do(HistorySnapshot((entry("earlier"), entry("new"))))
    events = [event.event for event in subscription.take()]
    assert [(event.event, event.batch_id) for event in events] == [("image", "new"), ("done", "new")]
    assert not subscription.take()
