"""The names of a workflow's fields on the screen and in messages."""

from collections import Counter
from collections.abc import Mapping

from comfytui.workflow.field_keys import FieldKey, field_of
from comfytui.workflow.graph import Workflow, node_label


def field_labels(workflow: Workflow) -> Mapping[FieldKey, str]:
    """Return the label of each field: `Steps`, or `Steps of #1 Hires pass` where there are several of a kind."""
    counts = Counter(field_of(key) for key in workflow.fields)
    return {
        key: field_of(key).label
        if counts[field_of(key)] == 1
        else f"{field_of(key).label} of {node_label(workflow, slots[0])}"
        for key, slots in workflow.fields.items()
    }
