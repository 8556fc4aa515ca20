"""A disk that is full while files are saved."""

import errno
import os
from pathlib import Path

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.graph import workflow_of
from tests.sim.graphs import text_to_image
from tests.ui.screen import screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


async def test_full_disk_is_reported_and_program_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = text_to_image()
    graph["5"]["inputs"]["batch_size"] = 2
    room_for = 1
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal room_for
        if room_for <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room_for -= 1
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    async with SimServer(QUICK) as sim, screen(sim.url, workflow=workflow_of("two", graph), output=tmp_path) as it:
        await it.shows("live")
        await it.write("images", "1")
        await it.press("f5")
        await it.shows("1 of 1 done")
        await it.press("escape", "home", "s")
        await it.shows("1 of 2 saved. The disk is full")
        await it.shows("press s again")
        assert os.listdir(tmp_path) == ["test_00001_.png"]  # noqa: PTH208
        room_for = 2
        await it.press("s")
        await it.shows("Saved 2 files")
        assert sorted(os.listdir(tmp_path)) == [  # noqa: PTH208
            "test_00001_ (2).png",
            "test_00001_.png",
            "test_00002_.png",
        ]
