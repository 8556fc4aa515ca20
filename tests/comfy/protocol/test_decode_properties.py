"""Decoding never raises, and its events can be encoded and calculated with, whatever the server sends."""

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comfytui.comfy.protocol.decode import decode
from comfytui.comfy.protocol.events import Event, Unknown
from comfytui.comfy.protocol.messages import REASON_LIMIT
from tests.comfy.recordings import RECORDINGS, frames

KINDS = [
    "status",
    "execution_start",
    "execution_cached",
    "executing",
    "progress",
    "execution_progress",
    "progress_state",
    "executed",
    "execution_success",
    "execution_error",
    "execution_interrupted",
    "feature_flags",
    "logs",
]
KEYS = [
    "prompt_id",
    "node",
    "nodes",
    "node_id",
    "value",
    "max",
    "output",
    "entries",
    "m",
    "status",
    "exec_info",
    "text",
]

awkward = st.sampled_from(["\ud800", "\udfff", "\x1b[31m", "\0", "[/b]", "x" * 300])
hostile = st.lists(st.text(max_size=20) | awkward, max_size=4).map("".join)
scalars = st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**310) | st.floats() | hostile
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | hostile, inner, max_size=6),
    max_leaves=20,
)
recorded = [frame for recording in RECORDINGS for frame in list(frames(recording))[:40]]


def assert_sound(event: Event) -> None:
    assert _sound(asdict(event)), event
    if isinstance(event, Unknown):
        assert len(event.reason) <= REASON_LIMIT
        assert len(event.type) <= REASON_LIMIT


def _sound(value: Any) -> bool:
    """Return whether all strings can be encoded, and all numbers are finite."""
    match value:
        case str():
            return value.encode() is not None
        case float():
            return isfinite(value)
        case dict():
            return all(map(_sound, value.values()))
        case tuple() | list() | frozenset():
            return all(map(_sound, value))
    return True


@given(st.binary(max_size=200))
def test_any_bytes_never_raise(frame: bytes) -> None:
    assert_sound(decode(frame))


@given(st.sampled_from([1, 3, 4]), st.integers(0, 40), st.binary(max_size=60))
def test_any_body_of_a_binary_type_never_raises(kind: int, length: int, body: bytes) -> None:
    assert_sound(decode(kind.to_bytes(4, "big") + length.to_bytes(4, "big") + body))


@given(hostile)
def test_any_text_never_raises(frame: str) -> None:
    assert_sound(decode(frame))


@given(values)
def test_any_json_never_raises(value: Any) -> None:
    assert_sound(decode(json.dumps(value)))


@given(st.sampled_from(KINDS) | hostile, values)
def test_any_data_of_any_type_never_raises(kind: str, data: Any) -> None:
    assert_sound(decode(json.dumps({"type": kind, "data": data})))


@given(st.sampled_from(recorded), st.data())
def test_a_damaged_recorded_frame_never_raises(frame: str | bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(frame)))
    end = data.draw(st.integers(start, min(len(frame), start + 40)))
    if isinstance(frame, str):
        damaged: str | bytes = frame[:start] + data.draw(st.text(max_size=8)) + frame[end:]
    else:
        damaged = frame[:start] + data.draw(st.binary(max_size=8)) + frame[end:]
    assert_sound(decode(damaged))


@given(st.sampled_from([frame for frame in recorded if isinstance(frame, str)]), values, st.data())
def test_a_recorded_frame_with_a_replaced_field_never_raises(frame: str, value: Any, data: st.DataObject) -> None:
    message = json.loads(frame)
    fields = message["data"]
    fields[data.draw(st.sampled_from(sorted(fields)))] = value
    assert_sound(decode(json.dumps(message)))
