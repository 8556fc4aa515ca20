"""The confirmation before lost jobs are resent, and its answers."""

import pytest

from comfytui.presentation.questions import resend_answers
from comfytui.session.model import Job, JobStatus
from comfytui.ui.dashboard.retry_actions import ids_to_resend
from comfytui.ui.screens.confirm import ConfirmScreen
from tests.ui.screen import screen


@pytest.mark.parametrize(("answer", "ids"), [(True, ["a", "b", "c"]), (False, ["b", "c"]), (None, [])])
def test_each_answer_resends_what_it_names(answer: bool | None, ids: list[str]) -> None:
    lost = [Job("a", JobStatus.LOST, may_have_finished=True), Job("b", JobStatus.LOST), Job("c", JobStatus.LOST)]
    assert ids_to_resend(lost, answer) == ids
    assert ids_to_resend(lost[1:], answer) == (["b", "c"] if answer else [])


async def test_escape_and_q_are_no_answer() -> None:
    async with screen(None, (80, 24)) as it:
        answers: list[bool | None] = []
        for key in ("y", "n", "escape", "q"):
            asked = ConfirmScreen("Resend it, too?", **resend_answers(3, 2))
            it.app.push_screen(asked, answers.append)
            await it.shows("y all 3   n only the other one   esc nothing")
            await it.press(key)
            await it.until(lambda: not isinstance(it.app.screen, ConfirmScreen), "the answer")
        assert answers == [True, False, None, None]
