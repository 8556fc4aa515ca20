"""Bodies of recordings, of old servers, and of something other than ComfyUI are parsed or rejected."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.models import AcceptedPrompt, Device, HistoryEntry, JobInfo, NodeError, Queue, QueueItem
from comfytui.comfy.protocol.parse import (
    parse_accepted,
    parse_cancelled,
    parse_count,
    parse_jobs,
    parse_names,
    parse_rejection,
    parse_stats,
)
from tests.comfy.bodies import parse_history, parse_queue
from tests.comfy.protocol.test_decode_properties import values
from tests.comfy.recordings import RECORDINGS, exchange, exchanges


def queue_of(body: Any) -> Queue[QueueItem]:
    return parse_queue(json.dumps(body).encode(), lambda item: item)


def history_of(body: Any) -> tuple[HistoryEntry, ...]:
    return parse_history(json.dumps(body).encode())


def histories() -> list[Any]:
    return [
        each["response"]
        for recording in RECORDINGS
        for each in exchanges(recording)
        if each["method"] == "GET" and each["path"].startswith(("/history/", "/api/history", "/history?"))
    ]


def test_recorded_histories_have_the_outcome_of_each_prompt() -> None:
    entries = {entry.item.prompt_id: entry for body in histories() for entry in history_of(body)}
    outcomes = [entry.outcome for entry in entries.values()]
    assert outcomes.count("error") == 1
    assert outcomes.count("interrupted") == 1
    assert set(outcomes) == {"success", "error", "interrupted"}
    for entry in entries.values():
        assert entry.started
        assert entry.ended
        assert entry.started <= entry.ended
        assert entry.item.client_id
        assert entry.item.graph
        assert bool(entry.outputs) == (entry.outcome == "success")
        assert (entry.error is not None) == (entry.outcome == "error")
        assert (entry.interrupted is not None) == (entry.outcome == "interrupted")


def test_a_recorded_error_keeps_its_message() -> None:
    body = exchange("node_error", "GET", "/history/")["response"]
    (entry,) = history_of(body)
    assert entry.error is not None
    assert entry.error.exception_type == "RuntimeError"
    assert entry.error.exception_message.startswith("CUDA out of memory")
    assert entry.error.node_type == "LabSampler"


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_recorded_queues_are_in_order_of_execution(recording: Path) -> None:
    for each in exchanges(recording):
        if (each["method"], each["path"]) == ("GET", "/queue"):
            queue, body = queue_of(each["response"]), each["response"]
            assert [item.prompt_id for item in queue.running] == [item[1] for item in body["queue_running"]]
            assert len(queue.pending) == len(body["queue_pending"])
            numbers = [item.number for item in queue.pending]
            assert numbers == sorted(numbers)


def test_a_queue_item_keeps_what_the_client_wrote() -> None:
    tag = {"batch": "b", "index": 1}
    item = [-3, "p", {"1": {}}, {"client_id": "me", "create_time": 5, "comfytui": tag}, ["9"]]
    (found,) = queue_of({"queue_running": [], "queue_pending": [item, None, [], [1], "x"]}).pending
    assert found == QueueItem("p", -3, b'{"1": {}}', "me", 5, tag)


@pytest.mark.parametrize(
    "odd", [float("nan"), "\ud800", 10**400, [[]] * 3, {"a": None}], ids=["nan", "surrogate", "huge", "lists", "null"]
)
def test_invalid_json_that_python_accepts_hides_no_prompt(odd: Any) -> None:
    items = [[2, "q", {"1": odd}, {"client_id": odd}, []], [1, "p", odd, odd], [3, "r", {}, {"client_id": "me"}, [], 1]]
    found = queue_of({"queue_running": [], "queue_pending": items}).pending
    assert [(item.prompt_id, item.number) for item in found] == [("p", 1), ("q", 2), ("r", 3)]
    assert found[2].client_id == "me"


def test_the_recorded_system_stats_are_parsed() -> None:
    stats = parse_stats(exchange("http_surface", "GET", "/system_stats")["response"])
    assert stats.version == "0.33.0"
    assert stats.devices == (Device("cpu", "cpu", 25276502016, 20582121472),)
    assert stats.argv[0] == "main.py"
    assert 0 < stats.ram_free < stats.ram_total


def test_the_recorded_jobs_are_parsed() -> None:
    jobs = parse_jobs(exchange("http_surface", "GET", "/api/jobs?limit=3")["response"])
    assert jobs[0] == JobInfo(
        "92d6e28c-996e-4b5d-bf54-4a0956665de0", "completed", 1795442414236, 1795442414237, 1795442415835
    )
    assert len(jobs) == 3


def test_the_recorded_rejection_names_nodes_and_inputs() -> None:
    body = exchange("validation_errors", "POST", "/prompt")["response"]
    message, errors = parse_rejection(body)
    assert message == "Prompt outputs failed validation"
    assert errors[0] == NodeError(
        "4",
        "CheckpointLoaderSimple",
        "Value not in list",
        "ckpt_name: 'missing.safetensors' not in ['v1-5-random.safetensors']",
        "ckpt_name",
    )
    assert [error.input_name for error in errors] == ["ckpt_name", "steps"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "Bad", "details": "steps"}}, "Bad (steps)"),
        ({"error": {"message": "No prompt provided", "details": "No prompt provided"}}, "No prompt provided"),
        ({"error": "invalid prompt"}, "invalid prompt"),
        ({"error": None}, "no reason was given"),
        ({"node_errors": {"1": None}}, "no reason was given"),
    ],
)
def test_rejections_of_old_and_new_servers_are_parsed(body: Any, message: str) -> None:
    assert parse_rejection(body) == (message, ())


def test_an_id_of_the_server_replaces_ours() -> None:
    assert parse_accepted({"prompt_id": "theirs", "number": 4}, "mine") == AcceptedPrompt("theirs", 4)
    assert parse_accepted({}, "mine") == AcceptedPrompt("mine", 0)


def test_a_history_entry_without_parts_has_no_outcome() -> None:
    (entry,) = history_of({"p": {"prompt": None, "outputs": None, "status": None}})
    assert (entry.item.prompt_id, entry.outcome, entry.outputs) == ("p", None, ())


def test_history_keeps_files_of_every_kind_and_texts() -> None:
    outputs = {
        "9": {"gifs": [{"filename": "a.mp4"}], "text": ["seen"]},
        "10": {"images": [None, {"filename": "b.png"}]},
    }
    (entry,) = history_of({"p": {"prompt": [1, "p", {}, {}, []], "outputs": outputs, "status": None}})
    assert entry.outputs == (Output("a.mp4", node="9", kind="gifs"), Output("b.png", node="10"))
    assert entry.text == ("seen",)


def test_thousands_of_models_are_all_kept() -> None:
    names = [f"{number}.safetensors" for number in range(5_000)]
    assert parse_names([*names, None]) == tuple(names)


@pytest.mark.parametrize("parse", [queue_of, history_of, parse_stats, parse_names, parse_count, parse_cancelled])
@pytest.mark.parametrize("body", [None, "ok", 3, {"ok": True}, [{}]])
def test_json_of_another_service_is_not_an_empty_response(parse: Any, body: Any) -> None:
    if (parse, body) in [(history_of, {"ok": True}), (parse_names, [{}])]:
        assert parse(body) == ()
    else:
        with pytest.raises(ValueError, match="no "):
            parse(body)


@given(values)
def test_any_value_within_a_body_is_accepted(value: Any) -> None:
    value = json.loads(json.dumps(value))
    item = [value, value, value, value]
    messages = [["execution_start", value], ["execution_error", value], value]
    entry = {"prompt": item, "outputs": {"9": value}, "status": {"status_str": value, "messages": messages}}
    queue_of({"queue_running": value, "queue_pending": [value, item, [1, "p", value, value]]})
    history_of({"p": entry, "q": value, "": entry})
    parse_jobs({"jobs": value})
    parse_jobs({"jobs": [value, {"id": value, "status": value, "create_time": value}]})
    parse_stats({"system": {"argv": value, "ram_total": value}, "devices": [value, {"vram_free": value}]})
    parse_rejection({"error": value, "node_errors": {"1": value, "2": {"errors": [value, {"extra_info": value}]}}})
    parse_accepted(value, "p")
