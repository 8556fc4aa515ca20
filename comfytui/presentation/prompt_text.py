"""A prompt as text: what it changes in its workflow, and its JSON."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.graph import Graph
from comfytui.workflow.graph_changes import ABSENT, InputChange

if TYPE_CHECKING:
    from comfytui.workflow.editor.findings import Finding

MAX_VALUE: Final = 200
"""Characters of a value in the list of changes."""
MAX_CHANGES: Final = 500
MAX_LINES: Final = 5_000
"""Lines of JSON that are shown."""
MAX_LINE: Final = 2_000
"""Characters of a line of JSON."""


def change_line(change: InputChange) -> str:
    """Return `KSampler · steps: 20 → 30`, or `text: a dog → a {red|blue} fox, sent as: a blue fox`."""
    if change.input_name is None:
        return f"{change.title} #{sanitize(change.node_id, 12)}: switched off"
    values = [change.old] if change.template in (None, change.old) else [change.old, change.template]
    sent = f" → {_value(change.new)}" if change.template is None else f", sent as: {_value(change.new)}"
    return f"{change.title} · {sanitize(change.input_name, 60)}: {' → '.join(map(_value, values))}{sent}"


def changes_text(changes: Iterable[InputChange]) -> str:
    """Return a line for each change, or that there is none."""
    first = [change_line(change) for change in islice(changes, MAX_CHANGES + 1)]
    if len(first) > MAX_CHANGES:
        first[MAX_CHANGES] = "… and more"
    return "\n".join(first) or "Nothing: this is the workflow as it was opened."


def findings_text(findings: Sequence["Finding"]) -> str:
    """Return a line for each finding, those that keep the workflow from being queued with a mark."""
    return "\n".join(f"{'! ' if each.blocks else '- '}{sanitize(each.message, MAX_LINE)}" for each in findings)


def json_text(graph: Graph) -> str:
    """Return a graph as indented JSON that is safe to show; a long one is cut."""
    lines = json.dumps(graph, ensure_ascii=False, indent=2).split("\n")
    shown = [_indented(line) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(f"… and {len(lines) - MAX_LINES:,} more lines")
    return "\n".join(shown)


def _indented(line: str) -> str:
    text = line.lstrip(" ")
    return " " * (len(line) - len(text)) + sanitize(text, MAX_LINE)


def _value(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    return sanitize(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False), MAX_VALUE)
