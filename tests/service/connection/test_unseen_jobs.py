"""Jobs that no poll of the queue showed are detected by the frames that announced them."""

from dataclasses import replace

from comfytui.service.connection.unseen_jobs import UnseenJobs
from comfytui.session.jobs.index import Jobs
from comfytui.session.model import Job, JobStatus

QUEUED, SUBMITTING = JobStatus.QUEUED, JobStatus.SUBMITTING
NONE = Jobs()


def connected(*jobs: Job) -> UnseenJobs:
    """The counter after the greeting of a new socket."""
    unseen_jobs = UnseenJobs()
    unseen_jobs.reset(Jobs(jobs))
    unseen_jobs.announce(len(jobs))
    return unseen_jobs


def pass_through(unseen_jobs: UnseenJobs, *, waiting: int = 0) -> None:
    for remaining in (waiting + 1, waiting + 1, waiting):
        unseen_jobs.announce(remaining)


def test_a_job_that_came_and_went_between_two_polls_is_unseen() -> None:
    unseen_jobs = connected()
    pass_through(unseen_jobs)
    assert unseen_jobs.count(unseen_jobs.announced, NONE) == 1


def test_a_job_that_a_poll_shows_is_never_unseen() -> None:
    unseen_jobs, jobs = connected(), Jobs([Job("t1", QUEUED)])
    unseen_jobs.announce(1)
    assert unseen_jobs.count(unseen_jobs.announced, jobs) == 0
    unseen_jobs.announce(0)
    assert unseen_jobs.count(unseen_jobs.announced, jobs) == 0


def test_a_poll_that_is_ahead_of_the_frames_hides_no_job() -> None:
    unseen_jobs, jobs = connected(), Jobs([Job("t1", QUEUED)])
    assert unseen_jobs.count(unseen_jobs.announced, jobs) == 0
    unseen_jobs.announce(1)
    assert unseen_jobs.count(unseen_jobs.announced, jobs) == 0
    pass_through(unseen_jobs, waiting=1)
    assert unseen_jobs.count(unseen_jobs.announced, jobs) == 1


def test_frames_that_came_during_a_poll_count_for_the_next_one() -> None:
    unseen_jobs = connected()
    pass_through(unseen_jobs)
    before = unseen_jobs.announced
    pass_through(unseen_jobs)
    assert unseen_jobs.count(before, NONE) == 1
    unseen_jobs.history_searched(1, 1)
    assert unseen_jobs.count(unseen_jobs.announced, NONE) == 1


def test_a_prompt_of_mine_counts_once_the_server_has_it() -> None:
    mine = Job("a1", SUBMITTING, mine=True)
    unseen_jobs = connected()
    assert unseen_jobs.count(unseen_jobs.announced, planned := Jobs([mine])) == 0
    unseen_jobs.announce(1)
    assert unseen_jobs.count(unseen_jobs.announced, planned.with_jobs([replace(mine, status=QUEUED)])) == 0


def test_a_job_that_the_history_lacks_is_searched_for_once_more_only() -> None:
    unseen_jobs = connected()
    pass_through(unseen_jobs)
    for unseen in (1, 1, 0):
        assert unseen_jobs.count(unseen_jobs.announced, NONE) == unseen
        unseen_jobs.history_searched(unseen, 0)


def test_a_new_connection_resets_the_count() -> None:
    unseen_jobs = connected()
    pass_through(unseen_jobs)
    unseen_jobs.reset(NONE)
    unseen_jobs.announce(3)
    assert unseen_jobs.count(unseen_jobs.announced, NONE) == 0
