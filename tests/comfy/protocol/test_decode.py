"""Text and binary frames are decoded into events; malformed ones into `Unknown`."""

import json
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from comfytui.comfy.protocol.decode import decode
from comfytui.comfy.protocol.events import (
    Event,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    Logs,
    NodeProgress,
    NodeText,
    Output,
    PreviewImage,
    Progress,
    ProgressState,
    Status,
    Unknown,
)
from comfytui.comfy.protocol.messages import REASON_LIMIT
from tests.comfy.recordings import RECORDINGS, frames


def decoded_message(kind: str, data: Any) -> Event:
    return decode(json.dumps({"type": kind, "data": data}))


def decoded_binary(kind: int, *parts: bytes | int) -> Event:
    body = b"".join(part if isinstance(part, bytes) else pack(">I", part) for part in parts)
    return decode(pack(">I", kind) + body)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_every_recorded_frame_is_decoded(recording: Path) -> None:
    assert [event for event in map(decode, frames(recording)) if isinstance(event, Unknown)] == []


@pytest.mark.parametrize(
    ("kind", "data", "event"),
    [
        ("status", {"status": {"exec_info": {"queue_remaining": 3}}, "sid": "me"}, Status(3, "me")),
        ("status", {"status": {"exec_info": {"queue_remaining": 0}}}, Status(0)),
        ("execution_start", {"prompt_id": "p", "timestamp": 17}, ExecutionStart("p", 17)),
        ("execution_start", {"prompt_id": "p"}, ExecutionStart("p")),
        ("execution_cached", {"prompt_id": "p", "nodes": ["1", 2, None]}, ExecutionCached("p", ("1", "2"))),
        ("executing", {"node": "3", "display_node": "4", "prompt_id": "p"}, Executing("3", "4", "p")),
        ("executing", {"node": 3}, Executing("3")),
        ("executing", {"node": None, "prompt_id": "p"}, Executing(None, None, "p")),
        ("progress", {"value": 2, "max": 20, "prompt_id": "p", "node": "3"}, Progress(2, 20, "p", "3")),
        ("progress", {"value": "2", "max": 20.5}, Progress(2.0, 20.5)),
        ("execution_progress", {"value": 2, "max": 20}, Progress(2, 20)),
        (
            "progress_state",
            {"prompt_id": "p", "nodes": {"12:3": {"value": 1, "max": 6, "state": "finished", "display_node_id": 12}}},
            ProgressState("p", (NodeProgress("12:3", 1, 6, "finished", "12"),)),
        ),
        (
            "progress_state",
            {"prompt_id": "p", "nodes": {"1": None}},
            ProgressState("p", (NodeProgress("1", 0, 0, "running"),)),
        ),
        ("execution_success", {"prompt_id": "p", "timestamp": 1.0}, ExecutionSuccess("p", 1)),
        ("execution_interrupted", {"prompt_id": "p", "node_id": 7}, ExecutionInterrupted("p", "7")),
        (
            "execution_error",
            {
                "prompt_id": "p",
                "node_id": "1",
                "node_type": "KSampler",
                "exception_message": "no",
                "traceback": ["a", 1],
            },
            ExecutionError("p", "1", "KSampler", exception_message="no", traceback=("a",)),
        ),
        (
            "feature_flags",
            {"a": True, "b": False, "max": 1, "extension": {"manager": {"supports_v4": True}}},
            FeatureFlags(frozenset({"a", "extension.manager.supports_v4"})),
        ),
        ("logs", {"entries": [{"t": "now", "m": "\r 62%|"}, {}, None]}, Logs(("\r 62%|",))),
    ],
)
def test_text_frames_are_decoded(kind: str, data: Any, event: Event) -> None:
    assert decoded_message(kind, data) == event


def test_outputs_are_files_under_any_key_and_texts() -> None:
    output = {
        "images": [{"filename": "a.png", "subfolder": "x", "type": "temp"}, {"subfolder": "nameless"}, "b.png"],
        "gifs": [{"filename": "c.mp4"}],
        "animated": [True],
        "text": ["seen", 4],
    }
    assert decoded_message("executed", {"prompt_id": "p", "node": 9, "output": output}) == Executed(
        "p",
        "9",
        outputs=(Output("a.png", "x", "temp", "9", "images"), Output("c.mp4", node="9", kind="gifs")),
        text=("seen",),
    )
    assert decoded_message("executed", {"prompt_id": "p", "node": "9", "output": None}) == Executed("p", "9")


def test_previews_of_both_formats_and_node_texts_are_decoded() -> None:
    metadata = json.dumps({"node_id": "3", "prompt_id": "p", "image_type": "image/png"}).encode()
    assert decoded_binary(1, 1, b"jpeg") == PreviewImage("jpeg", b"jpeg")
    assert decoded_binary(1, 2, b"png") == PreviewImage("png", b"png")
    assert decoded_binary(4, len(metadata), metadata, b"png") == PreviewImage("png", b"png", "p", "3")
    assert decoded_binary(4, 2, b"{}", b"jpeg") == PreviewImage("jpeg", b"jpeg")
    assert decoded_binary(3, 2, b"12", "½ done".encode()) == NodeText("12", "½ done")
    assert decoded_binary(3, 2, b"12", b"\xff done") == NodeText("12", "\N{REPLACEMENT CHARACTER} done")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("crystools.monitor", {"cpu_utilization": 4}),
        ("status", {}),
        ("status", None),
        ("status", {"status": {"exec_info": {"queue_remaining": True}}}),
        ("executing", {}),
        ("executing", {"node": {}}),
        ("executing", {"node": ""}),
        ("progress", {"max": 20}),
        ("progress", {"value": False, "max": 20}),
        ("progress", {"value": "ten", "max": 20}),
        ("progress", {"value": float("nan"), "max": 20}),
        ("progress", {"value": float("inf"), "max": 20}),
        ("progress", {"value": 10**400, "max": 20}),
        ("progress_state", {"nodes": {}}),
        ("execution_success", {"prompt_id": None}),
        ("execution_success", {"prompt_id": "p" * 10_000}),
        ("executed", {"prompt_id": "p"}),
        ("logs", {"entries": "text"}),
    ],
)
def test_messages_without_required_data_are_unknown_with_their_type(kind: str, data: Any) -> None:
    event = decoded_message(kind, data)
    assert isinstance(event, Unknown)
    assert event.type == kind
    assert event.reason


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"type": 4}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": "status", "data": ' + "9" * 10_000 + "}",
        '{"type": "' + "x" * 100_000 + '"}',
        "x" * 100_000,
        b"",
        b"\0\0\0",
        b"\0\0\0\1",
        b"\0\0\0\1\0\0\0\3picture",
        b"\0\0\0\1\0\0\0\1",
        b"\0\0\0\2\0\0\0\1picture",
        b"\0\0\0\3\0\0\0\0text",
        b"\0\0\0\4\xff\xff\xff\xff{}",
        b"\0\0\0\4\0\0\0\1{picture",
        b'\0\0\0\4\0\0\0\x1b{"image_type":"image/webp"} picture',
        b'\0\0\0\4\0\0\0\x11{"image_type":{}} picture',
        b'\0\0\0\4\0\0\0\x11{"image_type":[]} picture',
        b"\xff\xff\xff\xff",
    ],
    ids=lambda frame: repr(frame[:24]),
)
def test_malformed_frames_are_unknown_with_a_short_reason(frame: str | bytes) -> None:
    event = decode(frame)
    assert isinstance(event, Unknown)
    assert 0 < len(event.type) <= REASON_LIMIT
    assert 0 < len(event.reason) <= REASON_LIMIT


def test_deeply_nested_flags_are_ignored() -> None:
    deep = '{"type": "feature_flags", "data": {"a": true, "b": ' + '{"c":' * 500 + "true" + "}" * 500 + "}}"
    assert decode(deep) == FeatureFlags(frozenset({"a"}))


def test_nan_in_an_unused_field_is_accepted() -> None:
    assert decode('{"type": "execution_success", "data": {"prompt_id": "p", "x": NaN}}') == ExecutionSuccess("p")


def test_texts_are_encodable_and_limited() -> None:
    event = decoded_message("execution_error", {"prompt_id": "p", "exception_message": "\ud800" + "x" * 10_000_000})
    assert isinstance(event, ExecutionError)
    assert event.exception_message.encode().startswith(b"?x")
    assert len(event.exception_message) < 100_000
