"""What a conversion found, as a line of the form."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from comfytui.workflow.editor.findings import Finding

UNKNOWN: Final = "unknown_class"
"""The kind of the findings about classes that the server lacks."""


def refusal_of(findings: Sequence["Finding"]) -> str:
    """Return why a workflow cannot be queued, empty if it can."""
    return next((each.message for each in findings if each.blocks), "")


def findings_line(findings: Sequence["Finding"]) -> str:
    """Return what keeps a workflow from being queued, or the server from running it, else how many notes there are."""
    if refusal := refusal_of(findings) or next((each.message for each in findings if each.kind == UNKNOWN), ""):
        more = len(findings) - 1
        return f"! {refusal}" + (f" F6 lists {more} more." if more else "")
    if not findings:
        return ""
    if len(findings) == 1:
        return findings[0].message
    return f"{len(findings)} notes on this workflow: F6 shows them."
