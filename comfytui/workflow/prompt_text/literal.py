"""Texts that were sent as they are, as templates that become just these texts again."""

from dataclasses import replace
from pathlib import Path

from comfytui.workflow.annotations import templates_of
from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.field_keys import FieldKey, node_key
from comfytui.workflow.graph import Graph, Workflow
from comfytui.workflow.node_inputs import NO_DEFINITIONS, set_value
from comfytui.workflow.nodes import Nodes, nodes_of
from comfytui.workflow.prompt_text.lora_tags import escape_lora_tags
from comfytui.workflow.prompt_text.prompt_inputs import prompt_inputs
from comfytui.workflow.prompt_text.template import MAX_TEMPLATE, escaped_text, may_vary
from comfytui.workflow.prompt_text.template_keys import is_text_key, reads_tags, slots_of
from comfytui.workflow.prompt_text.wildcards import Wildcards, load_wildcards
from comfytui.workflow.unconverted import workflow_to_open


def open_document(document: WorkflowDocument, folder: Path | None) -> Workflow:
    """Return the workflow of a document, with the prompts of a graph that was sent as they were; reads wildcards.

    Args:
        document: The document.
        folder: The folder of the user's wildcards.
    """
    workflow = workflow_to_open(document)
    if document.graph is None or not document.is_sent:
        return workflow
    return as_sent(document.graph, workflow, load_wildcards(folder))


def as_sent(graph: Graph, workflow: Workflow, wildcards: Wildcards) -> Workflow:
    """Return a workflow whose prompts become the texts that were sent, whatever braces are in them.

    Args:
        graph: The graph that was sent.
        workflow: The workflow that was made of it.
        wildcards: The user's wildcards.
    """
    changed, templates = workflow.graph, [*workflow.templates]
    for key, text in literal_texts(graph, workflow, wildcards).items():
        for slot in slots_of(workflow, key):
            changed = set_value(changed, NO_DEFINITIONS, slot, text)
            templates.append(slot)
    return replace(workflow, graph=changed, templates=tuple(templates))


def literal_texts(graph: Graph, workflow: Workflow, wildcards: Wildcards) -> dict[FieldKey, str]:
    """Return the texts of a job that would be expanded if they were sent once more, each escaped.

    Args:
        graph: The graph that was sent. Texts whose template is noted in it are left out.
        workflow: The workflow whose fields they are. Prompts of other inputs that are as in it are left out too.
        wildcards: The user's wildcards.
    """
    noted, nodes = templates_of(graph), nodes_of(graph)
    found: dict[FieldKey, str] = {}
    fields = {key: slots[0] for key, slots in workflow.fields.items() if is_text_key(key)}
    places = {key: (slot.node_id, slot.input_name) for key, slot in fields.items()}
    for key, place in {**places, **_other_prompts(nodes, workflow)}.items():
        text = _value(nodes, place)
        if isinstance(text, str) and place not in noted:
            tagged = text if reads_tags(workflow, key) else escape_lora_tags(text)
            varied = may_vary(tagged) and len(tagged) <= MAX_TEMPLATE
            escaped = escaped_text(tagged, wildcards.__contains__) if varied else tagged
            if escaped != text:
                found[key] = escaped
    return found


def _other_prompts(nodes: Nodes, workflow: Workflow) -> dict[FieldKey, tuple[str, str]]:
    """Return the prompts that no field of a workflow sets and that differ from its own, by their keys."""
    in_fields = {(slot.node_id, slot.input_name) for slots in workflow.fields.values() for slot in slots}
    places, own = prompt_inputs(workflow.graph) - in_fields, nodes_of(workflow.graph)
    return {node_key(*place): place for place in sorted(places) if _value(nodes, place) != _value(own, place)}


def _value(nodes: Nodes, place: tuple[str, str]) -> object:
    node_id, name = place
    return nodes[node_id].inputs.get(name) if node_id in nodes else None
