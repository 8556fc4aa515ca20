"""Jobs that no poll of the queue showed are noticed by the frames that announced them."""

from dataclasses import replace

from comfytui.service.connection.unseen_jobs import UnseenJobs
from comfytui.session.jobs.index import Jobs
from comfytui.session.model import Job, JobStatus

QUEUED, SUBMITTING = JobStatus.QUEUED, JobStatus.SUBMITTING
NONE = Jobs()


def connected(*jobs: Job) -> UnseenJobs:
    """Arrivals after the greeting of a new socket."""
    arrivals = UnseenJobs()
    arrivals.reset(Jobs(jobs))
    arrivals.announce(len(jobs))
    return arrivals


def came_and_went(arrivals: UnseenJobs, *, waiting: int = 0) -> None:
    for remaining in (waiting + 1, waiting + 1, waiting):
        arrivals.announce(remaining)


def test_a_job_that_came_and_went_between_two_polls_is_unseen() -> None:
    arrivals = connected()
    came_and_went(arrivals)
    assert arrivals.unseen(arrivals.announced, NONE) == 1


def test_what_a_poll_shows_is_not_unseen_nor_is_it_later() -> None:
    arrivals, jobs = connected(), Jobs([Job("t1", QUEUED)])
    arrivals.announce(1)
    assert arrivals.unseen(arrivals.announced, jobs) == 0
    arrivals.announce(0)
    assert arrivals.unseen(arrivals.announced, jobs) == 0


def test_a_poll_that_is_ahead_of_the_frames_hides_nothing() -> None:
    arrivals, jobs = connected(), Jobs([Job("t1", QUEUED)])
    assert arrivals.unseen(arrivals.announced, jobs) == 0
    arrivals.announce(1)
    assert arrivals.unseen(arrivals.announced, jobs) == 0
    came_and_went(arrivals, waiting=1)
    assert arrivals.unseen(arrivals.announced, jobs) == 1


def test_frames_that_came_during_a_poll_count_for_the_next_one() -> None:
    arrivals = connected()
    came_and_went(arrivals)
    before = arrivals.announced
    came_and_went(arrivals)
    assert arrivals.unseen(before, NONE) == 1
    arrivals.searched(1, 1)
    assert arrivals.unseen(arrivals.announced, NONE) == 1


def test_a_prompt_of_mine_counts_when_the_server_has_it() -> None:
    mine = Job("a1", SUBMITTING, mine=True)
    arrivals = connected()
    assert arrivals.unseen(arrivals.announced, planned := Jobs([mine])) == 0
    arrivals.announce(1)
    assert arrivals.unseen(arrivals.announced, planned.with_jobs([replace(mine, status=QUEUED)])) == 0


def test_what_the_history_lacks_is_searched_for_once_more_and_no_more() -> None:
    arrivals = connected()
    came_and_went(arrivals)
    for unseen in (1, 1, 0):
        assert arrivals.unseen(arrivals.announced, NONE) == unseen
        arrivals.searched(unseen, 0)


def test_a_new_connection_begins_anew() -> None:
    arrivals = connected()
    came_and_went(arrivals)
    arrivals.reset(NONE)
    arrivals.announce(3)
    assert arrivals.unseen(arrivals.announced, NONE) == 0
