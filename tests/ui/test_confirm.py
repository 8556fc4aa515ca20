"""The confirmation before lost jobs are resent, and its answers."""

import pytest

from comfytui.presentation import formatting
from comfytui.session.model import Job, JobStatus
from comfytui.ui.dashboard.retry_actions import ids_to_resend
from comfytui.ui.screens.confirm import ConfirmScreen
from tests.ui.screen import screen


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
def test_resend_question(lost: int, unsure: int, batches: int, asked: str) -> None:
    assert formatting.ask_about_lost(lost, unsure, batches) == asked


def test_answers_name_number_of_resent_jobs() -> None:
    assert formatting.answers_about_lost(3, 1) == {"yes": "all 3", "no": "only the other 2", "cancel": "nothing"}
    assert formatting.answers_about_lost(3, 2) == {"yes": "all 3", "no": "only the other one", "cancel": "nothing"}
    assert formatting.answers_about_lost(3, 3) == formatting.answers_about_lost(3, 0) == {}


def test_search_result_message() -> None:
    assert formatting.searched(3, 1, 0).endswith("for 3 lost jobs: none found, 3 can be resent.")
    assert formatting.searched(3, 2, 3).endswith("for 3 lost jobs of 2 batches: 3 found, none is left to resend.")


@pytest.mark.parametrize(("answer", "ids"), [(True, ["a", "b", "c"]), (False, ["b", "c"]), (None, [])])
def test_answer_resends_what_it_names(answer: bool | None, ids: list[str]) -> None:
    lost = [Job("a", JobStatus.LOST, may_have_finished=True), Job("b", JobStatus.LOST), Job("c", JobStatus.LOST)]
    assert ids_to_resend(lost, answer) == ids
    assert ids_to_resend(lost[1:], answer) == (["b", "c"] if answer else [])


async def test_escape_and_q_return_none() -> None:
    async with screen(None, (80, 24)) as it:
        answers: list[bool | None] = []
        for key in ("y", "n", "escape", "q"):
            asked = ConfirmScreen("Resend it, too?", **formatting.answers_about_lost(3, 2))
            it.app.push_screen(asked, answers.append)
            await it.shows("y all 3   n only the other one   esc nothing")
            await it.press(key)
            await it.until(lambda: not isinstance(it.app.screen, ConfirmScreen), "the answer")
        assert answers == [True, False, None, None]
