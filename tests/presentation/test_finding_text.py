"""What is said of findings: in the form's note, and shorter in a message."""

from comfytui.presentation.finding_text import findings_line, findings_message
from comfytui.workflow.editor.findings import Finding

MODEL = Finding("missing_choice", "The server does not have “a”; it belongs into b; the nearest there: c.", "1")
PAID = Finding("paid", "The server calls a paid service for node 1.", "1")
CLASS = Finding("unknown_class", "The server lacks the class A of node 1: it is in the pack B.", "1", blocks=True)


def test_message_leaves_out_what_can_be_done() -> None:
    assert findings_line([MODEL]) == MODEL.message
    assert findings_message([MODEL]) == "The server does not have “a”. F6 says what can be done."
    assert findings_message([PAID]) == PAID.message


def test_message_names_what_keeps_the_workflow_from_being_queued() -> None:
    assert findings_message([PAID, CLASS]) == f"{CLASS.message} F6 lists 1 more."
    assert findings_line([PAID, CLASS]) == f"! {CLASS.message} F6 lists 1 more."


def test_several_are_counted() -> None:
    assert findings_message([MODEL, PAID]) == findings_line([MODEL, PAID]) == "2 notes on this workflow: F6 shows them."
    assert findings_message([]) == findings_line([]) == ""
