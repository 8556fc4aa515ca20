"""What `comfytui run` makes of an answer that comes late."""

import asyncio
import signal
from typing import Any, cast

import pytest

from comfytui.headless.commands import run
from comfytui.headless.commands.interrupts import Interrupts


class EndedRun:
    """A batch that ends while the user is asked; its work is done once its events may be written again."""

    batch = "one"
    has_ended = True

    def __init__(self) -> None:
        self.work: asyncio.Future[str] = asyncio.Future()

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        self.work.set_result("done")


class Answered(Interrupts):
    """A user who answers the question."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._answer = answer

    async def answer(self) -> str:
        return self._answer


@pytest.mark.parametrize("answer", ["c", "d"])
async def test_a_batch_that_ended_while_the_question_stood_is_done(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "can_ask", lambda: True)
    batch_run, interrupts = EndedRun(), Answered(answer)
    interrupts.add(signal.SIGINT)
    end = await run._until_end(cast("Any", batch_run), cast("Any", batch_run.work), interrupts)
    assert end == "done"
