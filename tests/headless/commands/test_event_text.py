"""Events as lines of text."""

import pytest

from comfytui.headless.commands.event_text import event_text, progress_figures
from comfytui.headless.documents.events import Event
from comfytui.headless.documents.jobs import CellValue, JobError, OutputFile
from tests.headless.commands.events import end, image, progress

HOSTILE = "a\x1b]0;OWNED\x07\x9b2Jb\nc\u202ed"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (progress(), "Image 2 of 4 - Step 12/20 (60%)"),
        (progress(current_step=None, phase="loading model"), "Image 2 of 4 - loading model"),
        (progress(current_step=None, phase=None), "Image 2 of 4 - step unknown"),
        (progress(status="queued", ahead=3), "Image 2 of 4 - queued, 3 ahead"),
        (progress(status="queued"), "Image 2 of 4 - queued, next"),
        (progress(status="sending"), "Image 2 of 4 - sending"),
        (image(), "Image 2 of 4 done: fox_00002_.png (seed 7)"),
        (image(outcome="cached", seeds=(7, 8)), "Image 2 of 4 cached: fox_00002_.png (seeds 7, 8)"),
        (image(outputs=()), "Image 2 of 4 done"),
        (
            image(cell=(CellValue(label="CFG", value=5), CellValue(label="Model", value="\x1b[1mxl.safetensors"))),
            "Image 2 of 4 done: fox_00002_.png (CFG 5, Model xl, seed 7)",
        ),
        (
            image(outputs=(OutputFile(filename="fox.png", media="image", path="/tmp/fox-1.png"),)),
            "Image 2 of 4 done: /tmp/fox-1.png (seed 7)",
        ),
        (
            image(status="failed", outcome="failed", outputs=(), error=JobError(message="no memory", node="KSampler")),
            "Image 2 of 4 failed in KSampler: no memory",
        ),
        (
            image(
                status="failed",
                outcome="rejected",
                outputs=(),
                error=JobError(message="Bad prompt", inputs=("cfg: big",)),
            ),
            "Image 2 of 4 rejected: Bad prompt; cfg: big",
        ),
        (image(status="lost", outcome="lost", outputs=()), "Image 2 of 4 lost: no longer on the server"),
        (image(status="cancelled", outcome="interrupted", outputs=()), "Image 2 of 4 interrupted"),
        (end(), "3 of 4 done, 1 failed"),
        (end(event="done", counts={"done": 4}), "4 of 4 done"),
        (end(counts={"cancelled": 2, "lost": 1, "failed": 1}), "0 of 4 done, 1 failed, 1 lost, 2 cancelled"),
    ],
)
def test_an_event_is_one_line(event: Event, text: str) -> None:
    assert event_text(event) == text


def test_no_text_of_the_server_controls_the_terminal() -> None:
    file = OutputFile(filename=HOSTILE, media="image")
    error = JobError(message=HOSTILE, node=HOSTILE, inputs=(HOSTILE,))
    for event in (image(outputs=(file,)), image(outcome="failed", error=error)):
        assert event_text(event).isprintable()


def test_the_figures_are_those_that_are_known() -> None:
    assert progress_figures(progress()) == "3.1 it/s  0:12 left"
    assert progress_figures(progress(rate=None)) == "0:12 left"
    assert progress_figures(progress(rate=None, left_seconds=None)) == ""
