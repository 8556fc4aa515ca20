"""What a conversion found, as a line of the form."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from comfytui.workflow.editor.findings import Finding

UNKNOWN: Final = "unknown_class"
"""The kind of the findings about classes that the server lacks."""
HINTS: Final = "; "
"""What stands between what is missing and what can be done about it."""


def refusal_of(findings: Sequence["Finding"]) -> str:
    """Return why a workflow cannot be queued, empty if it can."""
    return next((each.message for each in findings if each.blocks), "")


def findings_line(findings: Sequence["Finding"]) -> str:
    """Return what keeps a workflow from being queued, or the server from running it, else how many notes there are."""
    if refusal := _worst(findings):
        more = len(findings) - 1
        return f"! {refusal}" + (f" F6 lists {more} more." if more else "")
    if not findings:
        return ""
    if len(findings) == 1:
        return findings[0].message
    return f"{len(findings)} notes on this workflow: F6 shows them."


def findings_message(findings: Sequence["Finding"]) -> str:
    """Return the line of `findings_line` for a message: without what can be done, which may be long."""
    text = _worst(findings) or (findings[0].message if len(findings) == 1 else "")
    if not text:
        return findings_line(findings)
    sentence, separator, _ = text.partition(HINTS)
    more = len(findings) - 1
    lists = f"F6 lists {more} more." if more else "F6 says what can be done." if separator else ""
    return f"{sentence.removesuffix('.')}. {lists}".rstrip()


def _worst(findings: Sequence["Finding"]) -> str:
    """Return what keeps a workflow from being queued, or the server from running it."""
    return refusal_of(findings) or next((each.message for each in findings if each.kind == UNKNOWN), "")
