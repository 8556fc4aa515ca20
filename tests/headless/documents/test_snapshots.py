"""What a snapshot says of jobs, batches and the server."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.events import ExecutionError
from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.comfy.server import Server
from comfytui.headless.documents import snapshots
from comfytui.headless.documents.server import server_snapshot
from comfytui.headless.documents.snapshots import job_snapshot, queue_snapshot
from comfytui.session.connection.link_events import Connected, Disconnected
from comfytui.session.events import CapabilitiesRead, QueuedPrompt, QueueSnapshot, StatsRead
from comfytui.workflow.parameters import GenerationParameters
from tests.session.builders import Session, queued_prompt, run_frames, start_frames, step_frames


@pytest.fixture
def session() -> Session:
    session = Session()
    session.do(Connected("me", verified=True))
    return session


def queue_of(session: Session) -> Any:
    return json.loads(msgspec.json.encode(queue_snapshot(session.state, session.now, urls=True)))


def job_of(session: Session, prompt_id: str) -> Any:
    job = session.state.jobs[prompt_id]
    return json.loads(msgspec.json.encode(job_snapshot(session.state, job, urls=True)))


def read_queue(session: Session, running: tuple[QueuedPrompt, ...], pending: tuple[QueuedPrompt, ...]) -> None:
    session.do(QueueSnapshot(running, pending, session.now))


def test_the_queue_has_what_runs_what_waits_and_what_ended(session: Session) -> None:
    session.plan("a", 4)
    session.do(*run_frames("a1"), *start_frames("a2"), *step_frames("a2", 2))
    read_queue(
        session,
        (queued_prompt("a2", 1),),
        (queued_prompt("a3", 2), queued_prompt("other", 2.5, "somebody"), queued_prompt("a4", 3)),
    )
    queue = queue_of(session)
    assert [job["promptId"] for job in queue["running"]] == ["a2"]
    assert [(job["promptId"], job["position"], job["ahead"]) for job in queue["pending"]] == [
        ("a3", 2, 1),
        ("other", 3, 2),
        ("a4", 4, 3),
    ]
    assert [job["promptId"] for job in queue["ended"]] == ["a1"]
    assert (queue["version"], queue["link"], queue["current"]) == (1, "live", True)
    assert (queue["length"], queue["omitted"]) == (4, 0)


def test_a_job_of_another_user_is_in_no_batch_of_mine(session: Session) -> None:
    read_queue(session, (), (queued_prompt("other", 1, "somebody"),))
    job = job_of(session, "other")
    assert (job["mine"], job["batchId"], job["imageIndex"], job["totalImages"]) == (False, None, 1, 1)


def test_a_batch_tells_how_far_it_is_until_it_has_ended(session: Session) -> None:
    session.plan("a", 2)
    session.do(*run_frames("a1"), *start_frames("a2"), *step_frames("a2", 3))
    [batch] = queue_of(session)["batches"]
    assert (batch["status"], batch["counts"]) == ("running", {"done": 1, "running": 1})
    assert (batch["progress"]["imageIndex"], batch["progress"]["currentStep"]) == (2, 3)
    session.do(*list(run_frames("a2"))[-5:])
    [batch] = queue_of(session)["batches"]
    assert (batch["status"], batch["progress"], batch["counts"]) == ("done", None, {"done": 2})


def test_batches_are_in_order_and_one_that_failed_says_so(session: Session) -> None:
    session.plan("a", 1)
    session.plan("b", 1)
    session.do(*start_frames("a1"), ExecutionError("a1", "3", "KSampler", "OOM", "out of memory"))
    assert [(batch["batchId"], batch["status"]) for batch in queue_of(session)["batches"]] == [
        ("a", "failed"),
        ("b", "queued"),
    ]
    assert job_of(session, "a1")["error"]["message"] == "out of memory"


def test_a_job_has_its_settings_its_times_and_its_files(session: Session) -> None:
    session.plan("a", 1, seed=7)
    session.do(*run_frames("a1"))
    job = job_of(session, "a1")
    assert (job["prompt"], job["model"], job["width"], job["steps"], job["seed"]) == (
        "a red fox",
        "sd.safetensors",
        512,
        4,
        7,
    )
    assert job["sampler"] is None
    assert (job["status"], job["outcome"], job["position"], job["ahead"]) == ("done", "succeeded", None, 0)
    assert job["endedAt"].startswith("1970-01-01T00:")
    assert job["endedAt"].endswith("Z")
    assert job["outputs"] == [{"filename": "a1.png", "media": "image", "url": "/api/view/a1/0", "path": None}]


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("<b>\x1b[31mred\n</b>", "<b>\x1b[31mred\n</b>"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("x" * 5_000, "x" * 1_999 + "…"),
    ],
)
def test_a_prompt_stays_as_it_is_but_for_what_json_cannot_hold(session: Session, prompt: str, shown: str) -> None:
    hostile = replace(queued_prompt("other", 1, "somebody"), parameters=GenerationParameters(prompt=prompt))
    read_queue(session, (), (hostile,))
    assert job_of(session, "other")["prompt"] == shown


def test_a_time_that_no_calendar_has_is_left_out(session: Session) -> None:
    read_queue(session, (), (replace(queued_prompt("other", 1, "somebody"), created=1e300),))
    assert job_of(session, "other")["createdAt"] is None


def test_lists_are_bounded_and_say_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MAX_PENDING", 3)
    monkeypatch.setattr(snapshots, "MAX_ENDED", 2)
    monkeypatch.setattr(snapshots, "MAX_BATCHES", 2)
    session.plan("open", 1)
    for batch in ("a", "b", "c"):
        session.plan(batch, 1)
        session.do(*run_frames(f"{batch}1"))
    session.plan("d", 4)
    queue = queue_of(session)
    assert [job["promptId"] for job in queue["pending"]] == ["open1", "d1", "d2"]
    assert queue["omitted"] == 2
    assert [job["promptId"] for job in queue["ended"]] == ["c1", "b1"]
    assert [batch["batchId"] for batch in queue["batches"]] == ["open", "d"]


def test_a_queue_of_a_server_that_is_away_is_as_last_seen(session: Session) -> None:
    session.plan("a", 1)
    session.do(Disconnected("Connection refused.", retry_in=5))
    queue = queue_of(session)
    assert (queue["link"], queue["current"], len(queue["pending"])) == ("offline", False, 1)


def test_the_server_tells_its_machine_but_no_credentials(session: Session) -> None:
    server = Server.from_url("http://me:secret@gpu:8188/?token=hidden")
    stats = SystemStats("0.33.0", 64, 32, (Device("RTX", "cuda", 24, 20),), ("--api-key", "hidden"), "posix")
    session.do(StatsRead(stats), CapabilitiesRead(Capabilities("0.33.0", jobs=True)))
    text = msgspec.json.encode(server_snapshot(session.state, server, session.now)).decode()
    told = json.loads(text)
    assert (told["name"], told["address"], told["comfyuiVersion"]) == ("gpu:8188", "gpu:8188", "0.33.0")
    assert told["devices"] == [{"name": "RTX", "type": "cuda", "vramTotal": 24, "vramFree": 20}]
    assert (told["link"]["state"], told["link"]["current"], told["capabilities"]["jobs"]) == ("live", False, True)
    assert "secret" not in text
    assert "hidden" not in text


def test_what_a_server_has_not_told_is_null() -> None:
    told = server_snapshot(Session().state, Server.from_url("gpu:8188"), 0.0)
    assert (told.comfyui_version, told.ram_total, told.devices, told.capabilities) == (None, None, (), None)
