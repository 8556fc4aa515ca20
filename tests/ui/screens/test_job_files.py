"""The job screen of a job whose file is no image."""

import os
from pathlib import Path

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.execution.call import NodeCall, NodeResult
from comfytui.sim.execution.node_execution import NODE_FUNCTIONS
from comfytui.sim.server import SimServer
from tests.ui.screen import screen
from tests.ui.screens.test_job_screen import made, small

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
CLIP = "clip_00001_.mp4"


@pytest.fixture
def videos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the node that saves save a video, reported under `images` as ComfyUI's own SaveVideo does."""

    async def save_video(call: NodeCall) -> NodeResult:
        call.machine.files.put(("output", "", CLIP), b"\0\0\0\x20ftypisom")
        return NodeResult(ui={"images": [{"filename": CLIP, "subfolder": "", "type": "output"}], "animated": [True]})

    monkeypatch.setitem(NODE_FUNCTIONS, "SaveImage", save_video)


@pytest.mark.usefixtures("videos")
async def test_video_is_named_and_saved_without_image_request(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, screen(sim.url, workflow=small(), output=tmp_path) as it:
        images = sim.faults.delay(0.0, "/view")
        await made(it)
        await it.press("enter")
        await it.shows(f"Video file: {CLIP}")
        await it.shows("Press s to save it in")
        assert images.hits == 0
        await it.press("s")
        await it.shows("Saved")
        assert os.listdir(tmp_path) == [CLIP]  # noqa: PTH208
        assert images.hits == 1
        assert "500" not in it.text
