"""Parse JSON that may be hostile, within limits on the memory that its values take."""

import json
from typing import Any, Final

from comfytui.workflow.errors import WorkflowError

MAX_VALUES: Final = 1_000_000
"""Commas and opening brackets of one text, which has at most as many values; large workflows have 10,000 of them."""
SAVE_AGAIN: Final = "open it in ComfyUI and save it again"
"""What to do with a workflow that cannot be used as it is."""


def count_values(text: bytes) -> int:
    """Return about how many values a JSON text has, at most; those in its strings are counted too."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def parse_json(text: bytes, described: str) -> Any:
    """Return the value of a JSON text, in UTF-8 or another encoding that JSON allows.

    As in the files of Python programs, NaN and infinity are allowed.

    Args:
        text: The text.
        described: What the messages call it.

    Raises:
        WorkflowError: It is not JSON, or would take too much memory.
    """
    if count_values(text) > MAX_VALUES:
        raise too_many_values(described)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise WorkflowError(f"{described} is not JSON (see {place}): if it is a workflow, {SAVE_AGAIN}.") from None
    except UnicodeDecodeError:
        raise WorkflowError(f"{described} is not UTF-8 text: if it is a workflow, {SAVE_AGAIN}.") from None
    except ValueError:
        raise WorkflowError(f"{described} has a number that is too long: correct it, or {SAVE_AGAIN}.") from None
    except RecursionError:
        raise too_deep(described) from None


def too_deep(described: str) -> WorkflowError:
    """Return the error of a document that is nested too deeply."""
    return WorkflowError(f"{described} is nested too deeply for a workflow: {SAVE_AGAIN}.")


def too_many_values(described: str) -> WorkflowError:
    """Return the error of a text with more than `MAX_VALUES` values."""
    return WorkflowError(f"{described} has more than {MAX_VALUES:,} values, so it is no workflow: give another file.")
