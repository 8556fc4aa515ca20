"""A prompt whose answer was lost is sent again only when the right server has shown that it never came."""

import pytest
from aiohttp import web

from comfytui.service.submission import outbox
from comfytui.session.model import JobStatus
from tests.service.test_outbox import Box, Json, desk
from tests.waiting import eventually


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    """A server that loses its answers to prompts."""
    box = Box()
    monkeypatch.setattr(box, "answer", lambda _: web.Response(status=504))
    return box


async def test_the_first_look_at_a_server_that_was_held_up_proves_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(box, monkeypatch) as it:
        monkeypatch.setattr(outbox, "LANDING_TIME", 0.0)
        looks: list[list[Json]] = []

        def overtaken() -> list[Json]:
            """The queue as it was when the look came, which was before the prompt was read."""
            looks.append(box.pending)
            box.pending = [box.item(box.posts[0], box.ids()[0])]
            return looks[-1]

        monkeypatch.setattr(box, "queued", overtaken)
        batch = it.order(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert looks[0] == []
    assert len(box.posts) == 1


async def test_the_word_of_another_box_that_came_meanwhile_proves_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(box, monkeypatch) as it:
        monkeypatch.setattr(outbox, "LANDING_TIME", 0.0)

        looks: list[list[Json]] = []

        def elsewhere() -> list[Json]:
            """Twice the queue of another box, which is found out only when it has answered; then the right one."""
            it.right = len(looks) >= 2
            looks.append([box.item(box.posts[0], box.ids()[0])] if it.right else [])
            return looks[-1]

        monkeypatch.setattr(box, "queued", elsewhere)
        batch = it.order(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert len(looks) == 3
    assert len(box.posts) == 1


async def test_the_history_entry_of_another_prompt_is_not_taken_for_it(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(box, monkeypatch) as it:
        monkeypatch.setattr(outbox, "LANDING_TIME", 30.0)
        other: Json = {"prompt": [1, "theirs", {}, {"client_id": "them"}, []], "outputs": {}, "status": None}
        monkeypatch.setattr(box, "ended", lambda _: {"theirs": other})
        batch = it.order(1)
        looks: list[Json] = []

        def counted() -> list[Json]:
            looks.append("a look")
            return []

        monkeypatch.setattr(box, "queued", counted)
        await eventually(lambda: len(looks) > 3, "looks for it")
        assert it.statuses(batch) == [JobStatus.SUBMITTING]
        assert "theirs" not in it.state.jobs
