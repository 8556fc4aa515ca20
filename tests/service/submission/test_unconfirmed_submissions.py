"""A prompt whose answer was lost is sent again only once its server has proved that it never arrived."""

import pytest
from aiohttp import web

from comfytui.session.model import JobStatus
from tests.service.submission.test_outbox import Json, ScriptedServer, outbox_harness
from tests.waiting import eventually


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """A server that loses its answers to prompts."""
    server = ScriptedServer()
    monkeypatch.setattr(server, "answer", lambda _: web.Response(status=504))
    return server


async def test_the_first_poll_of_a_server_that_was_stalled_proves_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outbox_harness(server, arrival=0.0) as it:
        polls: list[list[Json]] = []

        def overtaken() -> list[Json]:
            """The queue as it was when the poll arrived, before the server read the prompt."""
            polls.append(server.pending)
            server.pending = [server.item(server.posts[0], server.ids()[0])]
            return polls[-1]

        monkeypatch.setattr(server, "queued", overtaken)
        batch = it.submit(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert polls[0] == []
    assert len(server.posts) == 1


async def test_the_queue_of_another_server_proves_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outbox_harness(server, arrival=0.0) as it:
        polls: list[list[Json]] = []

        def elsewhere() -> list[Json]:
            """Twice the queue of another server, which is detected only after its answer; then the right one."""
            it.is_verified = len(polls) >= 2
            polls.append([server.item(server.posts[0], server.ids()[0])] if it.is_verified else [])
            return polls[-1]

        monkeypatch.setattr(server, "queued", elsewhere)
        batch = it.submit(1)
        await eventually(lambda: it.statuses(batch) == [JobStatus.QUEUED], "the prompt")
    assert len(polls) == 3
    assert len(server.posts) == 1


async def test_the_history_entry_of_another_prompt_is_not_mistaken_for_it(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outbox_harness(server, arrival=30.0) as it:
        other: Json = {"prompt": [1, "theirs", {}, {"client_id": "them"}, []], "outputs": {}, "status": None}
        monkeypatch.setattr(server, "ended", lambda _: {"theirs": other})
        batch = it.submit(1)
        polls: list[Json] = []

        def counted() -> list[Json]:
            polls.append("a poll")
            return []

        monkeypatch.setattr(server, "queued", counted)
        await eventually(lambda: len(polls) > 3, "polls for it")
        assert it.statuses(batch) == [JobStatus.SUBMITTING]
        assert "theirs" not in it.state.jobs
