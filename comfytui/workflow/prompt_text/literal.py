"""Texts that were sent as they are, as templates that become just these texts again."""

from comfytui.workflow.annotations import templates_of
from comfytui.workflow.fields import FieldKey
from comfytui.workflow.graph import Graph, Workflow
from comfytui.workflow.nodes import nodes_of
from comfytui.workflow.prompt_text.lora_tags import escape_lora_tags
from comfytui.workflow.prompt_text.rendering import is_text_key, reads_tags
from comfytui.workflow.prompt_text.template import MAX_TEMPLATE, escaped_text, may_vary
from comfytui.workflow.prompt_text.wildcards import Wildcards


def literal_texts(graph: Graph, workflow: Workflow, wildcards: Wildcards) -> dict[FieldKey, str]:
    """Return the texts of a job that would be expanded if they were sent once more, each escaped.

    Args:
        graph: The graph that was sent. Texts whose template is noted in it are left out.
        workflow: The workflow whose fields they are.
        wildcards: The user's wildcards.
    """
    noted, nodes = templates_of(graph), nodes_of(graph)
    found: dict[FieldKey, str] = {}
    for key in filter(is_text_key, workflow.fields):
        slot = workflow.fields[key][0]
        text = nodes[slot.node_id].inputs.get(slot.input_name) if slot.node_id in nodes else None
        if isinstance(text, str) and (slot.node_id, slot.input_name) not in noted:
            tagged = text if reads_tags(workflow, key) else escape_lora_tags(text)
            varied = may_vary(tagged) and len(tagged) <= MAX_TEMPLATE
            escaped = escaped_text(tagged, wildcards.__contains__) if varied else tagged
            if escaped != text:
                found[key] = escaped
    return found
