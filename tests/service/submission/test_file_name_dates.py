"""Dates in file names are those of the moment at which a batch is queued, as in the editor."""

from datetime import datetime
from random import Random
from typing import Any

from comfytui.service.submission.batch_builder import build_batch
from comfytui.workflow.batch_values import BatchValues
from comfytui.workflow.conversion import workflow_from
from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.editor.text_replacements import fill_in_dates
from comfytui.workflow.graph import Workflow
from comfytui.workflow.nodes import Slot
from comfytui.workflow.seeds import SeedMode
from tests.workflow.editor.corpus import object_info

OPENED, QUEUED = datetime(2026, 1, 2, 3, 4, 5), datetime(2027, 12, 30, 1, 2, 3)
PREFIX = "%date:yyyy-MM-dd%/x"


def saving(prefix: object) -> dict[str, Any]:
    return {"class_type": "SaveImage", "inputs": {"filename_prefix": prefix, "images": ["8", 0]}}


def opened(*, keep_choices: bool) -> Workflow:
    node = {"id": 1, "type": "SaveImage", "widgets_values": [PREFIX]}
    document = WorkflowDocument("dated", None, {"nodes": [node], "links": []})
    return workflow_from(document, object_info(), OPENED, Random(1), keep_choices=keep_choices)


def test_date_is_filled_in_when_a_batch_is_built() -> None:
    workflow = opened(keep_choices=True)
    assert workflow.graph["1"]["inputs"]["filename_prefix"] == PREFIX
    before = datetime.now()
    request, _ = build_batch(workflow, BatchValues({}, SeedMode.FIXED, 2, {}), Random(1), previews=False)
    days = {f"{each:%Y-%m-%d}/x" for each in (before, datetime.now())}
    assert {graph["1"]["inputs"]["filename_prefix"] for graph in request.graphs} <= days


def test_graph_that_is_converted_to_be_sent_has_its_date() -> None:
    assert opened(keep_choices=False).graph["1"]["inputs"]["filename_prefix"] == "2026-01-02/x"


def test_only_file_names_of_the_workflow_are_filled_in() -> None:
    graph = {"1": saving(PREFIX), "2": saving(PREFIX), "3": saving(7), "4": saving("%year%")}
    slots = [Slot(node_id, "filename_prefix", "SaveImage") for node_id in ("1", "3", "4")]
    filled = fill_in_dates(graph, slots, QUEUED)
    assert filled == {**graph, "1": saving("2027-12-30/x")}
    assert [*filled["1"]["inputs"]] == [*saving("")["inputs"]]
    assert graph["1"] == saving(PREFIX)
