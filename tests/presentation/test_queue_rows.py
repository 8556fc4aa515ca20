"""The rows of the queue: their order, the text of every status, the filter, and the columns."""

from dataclasses import replace
from typing import Any

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.presentation.queue_rows import STATUS_GLYPHS, QueueRow, build_rows
from comfytui.presentation.row_layout import columns_for
from comfytui.session.model import Batch, BatchTag, Failure, Job, JobStatus
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GenerationParameters
from tests.presentation.queue_jobs import drawn, job, state_of

FOX = Output("fox_00012_.png")


def ids(rows: tuple[QueueRow, ...]) -> list[str]:
    return [row.prompt_id for row in rows]


def drawn_without_padding(row: QueueRow, width: int) -> str:
    return " ".join(drawn(row, width)[0].split())


def one(given: Job) -> QueueRow:
    (row,) = build_rows(state_of(given))
    return row


def test_running_jobs_come_first_then_pending_then_unsent_then_ended() -> None:
    state = state_of(
        job("ended", JobStatus.SUCCEEDED, ended=5.0),
        job("unsent", JobStatus.SUBMITTING),
        job("second", JobStatus.QUEUED, number=9.0),
        job("front", JobStatus.QUEUED, number=-3.0),
        job("now", JobStatus.RUNNING, number=4.0),
    )
    assert ids(build_rows(state)) == ["now", "front", "second", "unsent", "ended"]


def test_a_pending_job_counts_all_jobs_ahead() -> None:
    state = state_of(
        job("now", JobStatus.RUNNING, number=1.0),
        *(job(f"p{n}", JobStatus.QUEUED, number=float(n)) for n in range(2, 5)),
    )
    assert [(row.state, row.figure) for row in build_rows(state)] == [
        ("running", ""),
        ("", "next"),
        ("", "2 ahead"),
        ("", "3 ahead"),
    ]


def test_ended_jobs_stay_with_their_batch_and_the_newest_batch_is_on_top() -> None:
    def ended(name: str, batch: str, index: int, at: float) -> Job:
        return job(name, JobStatus.SUCCEEDED, ended=at, batch_tag=BatchTag(batch, index, 3, "s"))

    state = state_of(
        ended("a1", "a", 1, 1.0), ended("b1", "b", 1, 2.0), ended("a2", "a", 2, 3.0), ended("b2", "b", 2, 9.0)
    )
    assert ids(build_rows(state)) == ["b2", "b1", "a2", "a1"]


def test_a_batch_of_one_has_no_position() -> None:
    assert one(job("a", JobStatus.RUNNING, batch_tag=BatchTag("b", 1, 1, "s"))).position == ""
    assert one(job("a", JobStatus.RUNNING, batch_tag=BatchTag("b", 2, 4, "s"))).position == "2 of 4"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (job("a", JobStatus.SUBMITTING), "sending"),
        (job("a", JobStatus.SUBMITTING, delay_reason="no answer"), "not sent: no answer"),
        (job("a", JobStatus.SUCCEEDED, seconds=21.4), "done"),
        (job("a", JobStatus.CACHED, seconds=0.1), "cached"),
        (job("a", JobStatus.INTERRUPTED), "interrupted"),
        (job("a", JobStatus.CANCELLED), "cancelled"),
        (job("a", JobStatus.CANCELLED, dismissed=True), "dismissed"),
        (job("a", JobStatus.LOST), "lost: the server no longer has it"),
        (job("a", JobStatus.FAILED), "failed"),
        (
            job("a", JobStatus.FAILED, failure=Failure("CUDA out of memory", node_type="KSampler")),
            "failed in KSampler: CUDA out of memory",
        ),
        (job("a", JobStatus.REJECTED, failure=Failure("no such checkpoint")), "rejected: no such checkpoint"),
    ],
)
def test_every_state_begins_with_the_label_of_its_status(given: Job, expected: str) -> None:
    assert one(given).state == expected


def test_the_figure_of_a_finished_job_is_its_duration() -> None:
    assert one(job("a", JobStatus.SUCCEEDED, seconds=21.4)).figure == "0:21"


def test_no_two_statuses_look_alike() -> None:
    assert set(STATUS_GLYPHS) == set(JobStatus)
    for field in ("unicode", "ascii"):
        assert len({getattr(glyph, field) for glyph in STATUS_GLYPHS.values()}) == len(JobStatus)
    assert len({status.label for status in JobStatus}) == len(JobStatus)
    assert all(glyph.ascii.isascii() for glyph in STATUS_GLYPHS.values())


def test_a_row_names_the_owner_and_the_first_file() -> None:
    assert one(job("a", JobStatus.RUNNING)).owner == "mine"
    assert one(job("a", JobStatus.RUNNING, mine=False, owner="a1b2c3")).owner == "a1b2"
    assert one(job("a", JobStatus.RUNNING, mine=False, owner=None)).owner == "other"
    outputs = (Output("fox_1.png"), Output("fox_2.png"), Output("fox_3.png"))
    assert one(job("a", JobStatus.SUCCEEDED, outputs=outputs[:1])).file == "fox_1.png"
    assert one(job("a", JobStatus.SUCCEEDED, outputs=outputs)).file == "fox_1.png +2"


def test_the_title_of_the_batch_stands_in_for_a_missing_prompt() -> None:
    nameless = job("a", JobStatus.QUEUED, parameters=GenerationParameters(), batch_tag=BatchTag("b", 1, 2, "s"))
    batch = Batch("b", 2, "video upscale", ("a",), created=0.0)
    titled = replace(state_of(nameless), batches={"b": batch})
    assert build_rows(titled)[0].title == "video upscale"
    assert one(nameless).title == "untitled"


@pytest.mark.parametrize(
    ("filter_text", "expected"),
    [
        ("", ["fox", "cat"]),
        ("RED", ["fox"]),
        ("failed", ["cat"]),
        ("mine", ["fox"]),
        ("a1b2", ["cat"]),
        ("fox_00012", ["fox"]),
        ("cuda", ["cat"]),
        ("snow red", ["fox"]),
        ("red cat", []),
    ],
)
def test_the_filter_matches_every_column(filter_text: str, expected: list[str]) -> None:
    state = state_of(
        job(
            "fox", JobStatus.SUCCEEDED, parameters=GenerationParameters("a Red fox in snow"), ended=2.0, outputs=(FOX,)
        ),
        job("cat", JobStatus.FAILED, mine=False, owner="a1b2", ended=1.0, failure=Failure("CUDA out of memory")),
    )
    assert ids(build_rows(state, filter_text)) == expected


@pytest.mark.parametrize(
    "filter_text",
    [
        "88213",
        "dpmpp_2m",
        "karras",
        "sd_xl_base",
        "1024x1024",
        "blurry",
        "fox_00013",
        "fox 88213 sd_xl",
        "euler_missing",
    ],
)
def test_the_filter_matches_settings_and_files(filter_text: str) -> None:
    parameters = GenerationParameters(
        "a red fox",
        "blurry",
        "sd_xl_base_1.0.safetensors",
        width=1024,
        height=1024,
        seed=88213,
        sampler="dpmpp_2m",
        scheduler="karras",
    )
    state = state_of(
        job("fox", JobStatus.SUCCEEDED, parameters=parameters, outputs=(FOX, Output("fox_00013_.png"))),
        job("cat", JobStatus.SUCCEEDED, parameters=GenerationParameters("a cat", seed=7)),
    )
    assert ids(build_rows(state, filter_text)) == ([] if "missing" in filter_text else ["fox"])


def test_text_from_a_server_is_sanitized() -> None:
    nasty = "\x1b[31mred\x1b]0;title\x07\nline [bold]two[/]"
    row = one(
        job(
            "a",
            JobStatus.FAILED,
            parameters=GenerationParameters(nasty),
            mine=False,
            owner="\x1b[2J\x07x\x00y",
            outputs=(Output("\x1b[2Jfox.png"),),
            failure=Failure(nasty * 200, node_type=nasty),
        )
    )
    text = "".join((row.title, row.state, row.owner, row.file))
    assert text.isprintable()
    assert row.title == "red line [bold]two[/]"
    assert row.owner == "xy"


def test_unchanged_jobs_give_equal_rows() -> None:
    state = state_of(job("a", JobStatus.RUNNING), job("b", JobStatus.QUEUED, number=2.0))
    assert build_rows(state) == build_rows(SessionState(jobs=dict(state.jobs)))


@pytest.mark.parametrize("width", [0, 1, 2, 10, 30, 55, 56, 76, 79, 80, 84, 120, 200])
@pytest.mark.parametrize("title", ["a red fox in snow", "雪の中の赤い狐", "🦊" * 150, "x" * 300, ""])
@pytest.mark.parametrize("state", ["running", "failed in KSampler: " + "雪" * 200])
def test_a_line_is_exactly_as_wide_as_the_list(width: int, title: str, state: str) -> None:
    row = QueueRow("a", JobStatus.FAILED, title, "10 of 100", state, "", "a1b2", "fox_00012_.png")
    assert drawn(row, width)[1] == width


def test_columns_give_way_to_the_title_as_the_list_gets_narrow() -> None:
    row = QueueRow("a", JobStatus.SUCCEEDED, "a red fox in snow", "2 of 4", "done", "0:21", "mine", "fox_00012_.png")
    assert drawn_without_padding(row, 84) == "✓ mine a red fox in snow 2 of 4 done 0:21 fox_00012_.png"
    assert drawn_without_padding(row, 76) == "✓ mine a red fox in snow 2 of 4 done 0:21"
    assert drawn_without_padding(row, 50) == "✓ a red fox in snow 2 of 4 done 0:21"
    assert columns_for(165).title > columns_for(84).title


def test_positions_and_figures_are_right_aligned() -> None:
    rows = [
        QueueRow("a", JobStatus.SUCCEEDED, "fox", "2 of 4", "done", "0:21", "mine"),
        QueueRow("b", JobStatus.QUEUED, "雪", "10 of 12", "", "12 ahead", "a1b2"),
    ]
    (position, figure), (wide_position, wide_figure) = (_right_edges(row) for row in rows)
    # The wide character is one character of two cells.
    assert (position, figure) == (wide_position + 1, wide_figure + 1)


def _right_edges(row: QueueRow) -> tuple[int, int]:
    """Return after which character the position and the figure of a row end."""
    text = drawn(row, 84)[0]
    return text.index(row.position) + len(row.position), text.index(row.figure) + len(row.figure)


def test_a_failure_extends_over_what_the_title_leaves_free() -> None:
    row = QueueRow("a", JobStatus.FAILED, "portrait", "", "failed in KSampler: CUDA out of memory", "", "mine")
    assert drawn(row, 76)[0].rstrip().endswith("CUDA out of memory")
    assert "portrait  " in drawn(row, 76)[0]
    assert drawn(row, 40)[0].rstrip().endswith("…")


def test_a_failure_leaves_the_position_in_its_column() -> None:
    done = QueueRow("a", JobStatus.SUCCEEDED, "fox", "4 of 4", "done", "0:21", "mine", "fox_00012_.png")
    failed = one(
        job(
            "b",
            JobStatus.FAILED,
            batch_tag=BatchTag("b", 4, 4, "s"),
            failure=Failure("CUDA out of memory. Tried to allocate 2 GiB.", node_type="KSampler"),
        )
    )
    for width in (60, 76, 120, 200):
        line = drawn(failed, width)[0]
        assert line.index("4 of 4") == drawn(done, width)[0].index("4 of 4")
        assert "failed: CUDA o" in line or "failed in KSampler: CUDA" in line


def test_a_short_failure_names_the_node_too() -> None:
    row = QueueRow("a", JobStatus.FAILED, "x" * 300, "4 of 4", "failed in KSampler: no", "", "mine", "", "failed: no")
    assert "failed in KSampler: no" in drawn(row, 120)[0]
    assert "failed: no" in drawn(row, 60)[0]


def test_ascii_mode_draws_glyphs_with_ascii() -> None:
    row = QueueRow("a", JobStatus.RUNNING, "fox", state="running", owner="a1b2")
    assert drawn(row, 60, ascii_only=True)[0].startswith(" > a1b2   fox")


@pytest.mark.parametrize("width", [60, 76, 84, 120])
@pytest.mark.parametrize("batch_tag", [None, BatchTag("b", 4, 4, "s")])
def test_a_failed_and_a_lost_row_keep_their_owner_in_its_column(width: int, batch_tag: BatchTag | None) -> None:
    fields: dict[str, Any] = {
        "batch_tag": batch_tag,
        "mine": False,
        "owner": "a1b2",
        "parameters": GenerationParameters("fox"),
    }
    ends = [
        job("a", JobStatus.SUCCEEDED, seconds=1.0, **fields),
        job("b", JobStatus.FAILED, failure=Failure("out of memory " * 20, node_type="KSampler"), **fields),
        job("c", JobStatus.LOST, **fields),
        job("d", JobStatus.REJECTED, failure=Failure("no such checkpoint " * 20), **fields),
    ]
    assert {drawn(one(each), width)[0].index("a1b2") for each in ends} == {3}


def test_a_narrow_list_shows_a_short_reason_for_a_lost_job() -> None:
    batch_tag = BatchTag("b", 4, 4, "s")
    restarted, unsure = (
        one(job("a", JobStatus.LOST, batch_tag=batch_tag, may_have_finished=maybe)) for maybe in (False, True)
    )
    assert drawn(restarted, 76)[0].endswith("4 of 4  lost: restarted?   ")
    assert drawn(unsure, 76)[0].endswith("4 of 4  lost: may be done  ")
    assert "lost: may have finished" in drawn(unsure, 120)[0]
