"""The questions before jobs are resent or cancelled, and the result of a search for lost ones."""

from dataclasses import replace

import pytest

from comfytui.presentation.command_text import recovery_message
from comfytui.presentation.questions import (
    cancel_batch_question,
    cancel_question,
    close_question,
    resend_answers,
    resend_question,
)
from comfytui.session.model import JobStatus
from tests.presentation.queue_jobs import job


@pytest.mark.parametrize(
    ("lost", "unsure", "batches", "asked"),
    [
        (3, 3, 2, "3 lost jobs may have finished while comfytui was not connected. Resend them?"),
        (1, 1, 1, "1 lost job may have finished while comfytui was not connected. Resend it?"),
        (3, 1, 1, "1 of 3 lost jobs may have finished while comfytui was not connected. Resend it, too?"),
        (3, 2, 1, "2 of 3 lost jobs may have finished while comfytui was not connected. Resend them, too?"),
        (5, 0, 2, "Resend 5 lost jobs of 2 batches?"),
        (5, 0, 1, ""),
    ],
)
def test_the_question_before_jobs_are_resent_counts_them(lost: int, unsure: int, batches: int, asked: str) -> None:
    assert resend_question(lost, unsure, batches) == asked


def test_the_question_before_unsent_images_are_dropped_counts_them() -> None:
    assert close_question(1) == "1 of your images is not sent yet and would be dropped. Close anyway?"
    assert close_question(2) == "2 of your images are not sent yet and would be dropped. Close anyway?"


def test_the_answers_name_how_many_jobs_they_resend() -> None:
    assert resend_answers(3, 1) == {"yes": "all 3", "no": "only the other 2", "cancel": "nothing"}
    assert resend_answers(3, 2) == {"yes": "all 3", "no": "only the other one", "cancel": "nothing"}
    assert resend_answers(3, 3) == resend_answers(3, 0) == {}


def test_the_result_of_a_search_counts_what_was_found_and_what_can_be_resent() -> None:
    assert recovery_message(3, 1, 0).endswith("for 3 lost jobs: none found, 3 can be resent.")
    assert recovery_message(3, 2, 3).endswith("for 3 lost jobs of 2 batches: 3 found, none is left to resend.")


def test_the_question_before_a_job_is_cancelled() -> None:
    mine, other = job("a", JobStatus.RUNNING), job("fox", JobStatus.RUNNING, mine=False, owner="somebody else")
    assert cancel_question(mine, "") == ""
    assert cancel_question(mine, "It is old.") == "It is old. Stop it?"
    belongs = "'fox' (running) belongs to another client, somebod…. Cancel it?"
    assert cancel_question(other, "") == belongs
    assert cancel_question(other, "It is old.") == f"It is old. {belongs}"
    assert cancel_question(replace(other, status=JobStatus.SUCCEEDED), "") == ""


def test_the_question_before_a_batch_is_cancelled_names_what_the_server_cannot_cancel() -> None:
    rest = "this server cannot cancel jobs."
    assert cancel_batch_question(2, 0, "", 1) == f"Cancel 2 images of this batch? 1 more goes on: {rest}"
    assert cancel_batch_question(1, 0, "", 2) == f"Cancel 1 image of this batch? 2 more go on: {rest}"
    dismiss = "Dismiss 1 lost job of this batch? It cannot be resent then."
    assert cancel_batch_question(1, 1, "", 2) == f"{dismiss} 2 more go on: {rest}"


@pytest.mark.parametrize(
    ("remaining", "lost", "asked"),
    [
        (3, 0, "Cancel the remaining 3 images of this batch?"),
        (1, 0, "Cancel the remaining image of this batch?"),
        (3, 2, "Cancel the remaining 3 images of this batch? 2 of them are lost, and cannot be resent then."),
        (2, 2, "Dismiss 2 lost jobs of this batch? They cannot be resent then."),
    ],
)
def test_the_question_before_a_batch_is_cancelled_counts_its_jobs(remaining: int, lost: int, asked: str) -> None:
    assert cancel_batch_question(remaining, lost, "") == asked
