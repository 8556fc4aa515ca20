"""Events as a command writes them to standard output."""

import io
import json

import pytest

from comfytui.clock import Clock
from comfytui.headless.commands.output import JsonLines, PlainLines, open_writer, write_lines
from comfytui.headless.documents.jobs import OutputFile
from tests.headless.commands.events import end, image, progress


class Plain:
    """Plain lines, on a clock that the test sets."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.seconds = 100.0
        self.writer = PlainLines(clock=Clock(monotonic=lambda: self.seconds))
        self._capsys = capsys

    def lines(self) -> list[str]:
        return self._capsys.readouterr().out.splitlines()


@pytest.fixture
def plain(capsys: pytest.CaptureFixture[str]) -> Plain:
    return Plain(capsys)


def test_each_event_is_one_json_object_and_words_are_on_standard_error(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    writer = open_writer(as_json=True)
    writer.write([progress(), image(outputs=(OutputFile(filename="ä\n\x1b[2J.png", media="image"),))])
    writer.note("The connection is offline.")
    out, error = capfdbinary.readouterr()
    first, second = out.splitlines()
    assert (json.loads(first)["event"], json.loads(first)["imageIndex"]) == ("progress", 2)
    assert json.loads(second)["outputs"][0]["filename"] == "ä\n\x1b[2J.png"
    assert b"\x1b" not in out
    assert error == b"The connection is offline.\n"


def test_a_line_is_written_when_the_phase_changes_and_else_every_few_seconds(plain: Plain) -> None:
    plain.writer.write([progress(current_step=None, phase="loading model")])
    for step in range(1, 13):
        plain.seconds += 1
        plain.writer.write([progress(current_step=step, percentage=5 * step)])
    plain.writer.write([image(), end()])
    assert plain.lines() == [
        "Image 2 of 4 - loading model",
        "Image 2 of 4 - Step 1/20 (5%)",
        "Image 2 of 4 - Step 6/20 (30%)",
        "Image 2 of 4 - Step 11/20 (55%)",
        "Image 2 of 4 done: fox_00002_.png (seed 7)",
        "3 of 4 done, 1 failed",
    ]


def test_two_batches_do_not_hide_each_others_lines(plain: Plain) -> None:
    plain.writer.write([progress(), progress(batch_id="c", image_index=1), progress(), progress(batch_id="c")])
    assert plain.lines() == ["Image 2 of 4 - Step 12/20 (60%)", "Image 1 of 4 - Step 12/20 (60%)"]


def test_a_single_job_ends_with_one_line(plain: Plain) -> None:
    plain.writer.write([image(), end(prompt_id="p2", total_images=1, counts={"done": 1})])
    assert plain.lines() == ["Image 2 of 4 done: fox_00002_.png (seed 7)"]


def test_a_label_tells_the_batches_apart(capsys: pytest.CaptureFixture[str]) -> None:
    open_writer(as_json=False, label=lambda event: f"{event.batch_id}: ").write([image()])
    assert capsys.readouterr().out == "b: Image 2 of 4 done: fox_00002_.png (seed 7)\n"


def test_what_the_encoding_does_not_have_is_replaced() -> None:
    data = io.BytesIO()
    file = io.TextIOWrapper(data, encoding="ascii")
    write_lines(["füchse \u72d0"], file)
    assert data.getvalue() == b"f?chse ?\n"


def test_without_standard_output_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    for writer in (JsonLines(), open_writer(as_json=False)):
        writer.write([progress(), image(), end()])
        writer.close()
