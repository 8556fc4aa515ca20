"""The simulated server sends the same frames and bodies as the recorded real one."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.sim.normalise import Normaliser
from tests.sim.recording import FOLDER, Exchange
from tests.sim.replay import replaying
from tests.sim.scenarios import SCENARIOS

LAST_JOBS_ENTRIES = 21
"""Number of entries at the end of the recorded log that belong to the jobs that the replay runs, too."""

DIFFERENT: dict[tuple[str, str], str] = {
    ("bystander_with_logs", "/internal/logs/raw"): "the real server had printed its imports and run other jobs",
    ("http_surface", "/internal/logs/raw"): "the same here: only the entries of the last three jobs are compared",
}
"""Bodies that are not compared as a whole, and why."""
IMAGES = ("/view?filename=fox%20in.png&type=input", "/view?filename=fox%20in.png&type=input&preview=webp;50")
"""Requests for an uploaded image, whose content was not recorded: only the type of the response is compared."""
LONGEST_LIST = 12
"""Entries of the longest list that is recorded whole in `http_workflows`."""


def _cut(body: Any) -> Any:
    """Cut a long list as the recorder did."""
    if not isinstance(body, list) or len(body) <= LONGEST_LIST or str(body[-1]).startswith("…"):
        return body
    return [*body[:LONGEST_LIST], f"… {len(body) - LONGEST_LIST} more"]


def _exchanges(scenario: str, normaliser: Normaliser, exchanges: Iterable[Exchange]) -> list[str]:
    lines = []
    for each in exchanges:
        body = _cut(each.response) if scenario == "http_workflows" else each.response
        if each.path in IMAGES:
            body = each.type
        if (scenario, each.path) in DIFFERENT:
            tail = body["entries"][-LAST_JOBS_ENTRIES:] if scenario == "http_surface" else []
            body = {"keys": sorted(body), "size": body["size"], "entry": sorted(body["entries"][0]), "tail": tail}
        type_ = each.type if scenario == "http_workflows" else None
        lines.append(f"{each.method} {each.path} {each.status} {type_} {normaliser.body(body)}")
    return lines


def test_every_recording_has_its_scenario() -> None:
    assert SCENARIOS.keys() == {path.stem for path in FOLDER.glob("*.jsonl")}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario_matches_its_recording(name: str) -> None:
    async with replaying(name) as replay:
        await SCENARIOS[name](replay)
        recorded = replay.recording
        recorded_form = _normaliser(recorded.exchanges)
        replayed_form = _normaliser(replay.exchanges)
        for socket, frames in recorded.frames.items():
            expected = [recorded_form.frame(frame) for frame in frames]
            assert [replayed_form.frame(frame) for frame in replay.frames[socket]] == expected, f"socket {socket}"
        expected = _exchanges(name, recorded_form, recorded.exchanges)
        assert _exchanges(name, replayed_form, replay.exchanges) == expected


def _normaliser(exchanges: Iterable[Exchange]) -> Normaliser:
    return Normaliser.of(*(json.dumps(each.response) for each in exchanges))
