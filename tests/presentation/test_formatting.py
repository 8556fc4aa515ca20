"""Numbers and states as they read on the screen."""

import pytest

from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.presentation import formatting
from comfytui.session.model import Job, JobStatus, Link, LinkKind

GIB = 2**30


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (3.9, "0:03"), (83, "1:23"), (3661, "1:01:01"), (-5, "0:00")]
)
def test_durations(seconds: float, shown: str) -> None:
    assert formatting.duration(seconds) == shown


def test_a_range_is_shown_while_the_guess_is_wide() -> None:
    assert formatting.left((30.0, 50.0)) == "0:30-0:50 left"
    assert formatting.left((41.0, 41.2)) == "0:41 left"
    assert formatting.left(None) == ""


def test_what_may_start_at_once_starts_within_a_time() -> None:
    assert formatting.starts((0.4, 5.0)) == "starts within 0:05"
    assert formatting.starts((12.0, 18.0)) == "starts in 0:12-0:18"
    assert formatting.starts((0.0, 0.4)) == "starts in 0:00"
    assert formatting.starts(None) == ""


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (Job("a", JobStatus.SUCCEEDED), "done"),
        (Job("a", JobStatus.SUBMITTING, delay_reason="no answer"), "sending   no answer"),
        (Job("a", JobStatus.LOST, may_have_finished=True), "lost   may have finished"),
        (Job("a", JobStatus.CANCELLED, dismissed=True), "dismissed"),
    ],
)
def test_a_job_by_itself_has_the_word_of_the_list(job: Job, shown: str) -> None:
    assert formatting.job_words(job, None) == shown


def test_a_node_is_told_from_a_count() -> None:
    assert formatting.node_of("KSampler", "3") == "KSampler, node 3"
    assert formatting.node_of("", "3") == "node 3"
    assert formatting.node_of("KSampler", "") == "KSampler"


def test_slow_boxes_read_in_seconds_a_step() -> None:
    assert formatting.rate(3.14) == "3.1 it/s"
    assert formatting.rate(0.4) == "2.5 s/it"
    assert formatting.rate(None) == ""


def test_memory_names_what_the_box_has() -> None:
    gpu = Device("cuda:0 NVIDIA", "cuda", 24 * GIB, 7 * GIB)
    stats = SystemStats("0.33.0", 64 * GIB, 33 * GIB, (gpu,))
    assert formatting.box(stats) == "VRAM ▇▇▇▇▇▇▁▁ 17.0/24 GB   RAM 30.7/64 GB"
    assert formatting.box(stats, ascii_only=True).isascii()
    assert formatting.box(stats, wide=False) == "VRAM 17.0/24 GB"


def test_memory_of_a_box_without_an_accelerator_is_its_ram() -> None:
    stats = SystemStats("0.33.0", 64 * GIB, 32 * GIB, (Device("cpu", "cpu", 64 * GIB, 32 * GIB),))
    assert formatting.box(stats, wide=False) == "RAM 32.0/64 GB"


def test_small_changes_of_memory_change_no_word() -> None:
    first = SystemStats("0.33.0", 64 * GIB, 32 * GIB)
    second = SystemStats("0.33.0", 64 * GIB, 32 * GIB + 10 * 2**20)
    assert formatting.box(first) == formatting.box(second)


def test_the_link_says_since_when_and_until_when() -> None:
    assert formatting.link(Link(LinkKind.LIVE), 100.0) == "● live"
    assert formatting.link(Link(LinkKind.LIVE, behind=12), 100.0) == "● live, 12 s behind"
    assert formatting.link(Link(LinkKind.OFFLINE, since=86.0, retry_at=108.0), 100.0) == "○ offline 14 s, retry in 8 s"
    assert formatting.link(Link(LinkKind.UNAUTHORISED), 100.0) == "○ unauthorised"


@pytest.mark.parametrize(
    ("left", "lost", "asked"),
    [
        (3, 0, "Cancel the remaining 3 images of this batch?"),
        (1, 0, "Cancel the remaining image of this batch?"),
        (3, 2, "Cancel the remaining 3 images of this batch? 2 of them are lost, and cannot be resent then."),
        (2, 2, "Dismiss 2 lost jobs of this batch? They cannot be resent then."),
    ],
)
def test_what_is_asked_before_a_batch_is_cancelled(left: int, lost: int, asked: str) -> None:
    assert formatting.ask_about_batch(left, lost, "") == asked
