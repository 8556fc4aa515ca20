"""Garbage collection is paused while a thread makes many objects, and goes on after it."""

import gc
import json
from pathlib import Path
from threading import Barrier, Thread

import pytest

from comfytui.garbage_pause import garbage_collection_paused
from comfytui.headless.commands.convert import ConvertCommand


def test_it_goes_on_after_the_last_of_overlapping_pauses() -> None:
    both, first_left = Barrier(2, timeout=10), Barrier(2, timeout=10)
    seen = list[bool]()

    def leave_first() -> None:
        with garbage_collection_paused():
            both.wait()
        first_left.wait()

    thread = Thread(target=leave_first)
    thread.start()
    with garbage_collection_paused():
        both.wait()
        first_left.wait()
        seen.append(gc.isenabled())
    thread.join()
    assert seen == [False]
    assert gc.isenabled()


def test_an_error_ends_the_pause() -> None:
    with pytest.raises(ValueError, match="broken"), garbage_collection_paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_what_was_disabled_before_stays_so() -> None:
    gc.disable()
    try:
        with garbage_collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


async def test_a_large_workflow_is_converted_with_few_collections(tmp_path: Path) -> None:
    nodes = [{"id": number, "type": "A", "widgets_values": [1]} for number in range(20_000)]
    (tmp_path / "large.json").write_text(json.dumps({"nodes": nodes, "links": []}))
    (tmp_path / "out").mkdir()
    command = ConvertCommand([("large.json", tmp_path / "large.json")], tmp_path / "out")
    generations = list[int]()

    def count(phase: str, info: dict[str, int]) -> None:
        generations.extend([info["generation"]] if phase == "start" else [])

    gc.collect()
    gc.callbacks.append(count)
    try:
        assert await command.write({"A": {"input": {"required": {"x": ["INT", {}]}}}})
    finally:
        gc.callbacks.remove(count)
    assert len(json.loads((tmp_path / "out" / "large.json").read_bytes())) == 20_000
    assert len(generations) < 20
