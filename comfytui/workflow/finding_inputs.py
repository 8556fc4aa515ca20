"""Which inputs findings are about, and which of them still hold with what is set in a form."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from comfytui.workflow.field_keys import FieldKey, node_key
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import text_of

if TYPE_CHECKING:
    from comfytui.workflow.editor.findings import Finding


def finding_keys(workflow: Workflow, finding: "Finding") -> tuple[FieldKey, ...]:
    """Return the keys of the inputs that a finding is about; empty if it is about none."""
    if finding.input_name is None or finding.node_id is None:
        return ()
    fields = {(slot.node_id, slot.input_name): key for key, slots in workflow.fields.items() for slot in slots}
    slots = [(node_id, finding.input_name) for node_id in (finding.node_id, *finding.more_nodes)]
    return tuple(dict.fromkeys(fields.get(slot) or node_key(*slot) for slot in slots))


def valid_findings(workflow: Workflow, texts: Mapping[FieldKey, str]) -> tuple["Finding", ...]:
    """Return the findings without those about values that are replaced.

    Args:
        workflow: The workflow with all findings.
        texts: What the form holds by the keys of inputs; what is left out is as in the workflow.
    """
    return tuple(each for each in workflow.findings if each.blocks or not _is_replaced(workflow, each, texts))


def _is_replaced(workflow: Workflow, finding: "Finding", texts: Mapping[FieldKey, str]) -> bool:
    """Return whether all values that a finding is about were replaced by others."""
    keys = finding_keys(workflow, finding)
    values = [_value(workflow, node_id, finding.input_name) for node_id in (finding.node_id, *finding.more_nodes)]
    return bool(keys) and all(key in texts and texts[key] not in values for key in keys)


def _value(workflow: Workflow, node_id: str | None, input_name: str | None) -> str:
    match workflow.graph.get(node_id or ""):
        case {"inputs": Mapping() as inputs}:
            value = inputs.get(input_name)
            return text_of(value) if isinstance(value, str | int | float) else ""
    return ""
