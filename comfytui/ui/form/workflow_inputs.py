"""The inputs of a workflow for the form's list, by what is known of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from comfytui.ui.form.input_rows import FieldLink, Section, field_rows, node_sections
from comfytui.ui.form.input_values import InputValues
from comfytui.ui.form.rows import is_shown
from comfytui.workflow.field_keys import FieldKey, field_of, is_node_key
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec, fallback_spec
from comfytui.workflow.node_inputs import NO_DEFINITIONS, node_inputs, title_of
from comfytui.workflow.nodes import nodes_of
from comfytui.workflow.used_nodes import used_nodes


class WorkflowInputs:
    """The fields of a workflow that have no control of their own, and the inputs of all its nodes.

    Args:
        workflow: The workflow.
    """

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self.specs: Mapping[FieldKey, InputSpec] = {}
        """What the server accepts for fields."""
        self.definitions: Mapping[str, Any] = NO_DEFINITIONS
        """The server's definitions of node classes."""

    @property
    def has_promoted(self) -> bool:
        """Whether inputs of nodes are to be shown from the start."""
        return bool(self._workflow.promoted)

    def fields(self) -> Section:
        """Return the rows of the fields."""
        workflow = self._workflow
        keys = [key for key in workflow.fields if not is_shown(key)]
        specs = {key: self.specs.get(key) or fallback_spec(key) for key in keys}
        return field_rows(workflow, keys, specs, self._titles())

    def links(self) -> Sequence[FieldLink]:
        """Return a line for each field that has a control of its own."""
        workflow, graph = self._workflow, self._workflow.graph
        keys = [key for key in workflow.fields if is_shown(key)]
        slots = {key: workflow.fields[key][0] for key in keys}
        nodes = nodes_of({slot.node_id: graph[slot.node_id] for slot in slots.values()})
        titles = {key: title_of(graph, nodes[slot.node_id], self.definitions) for key, slot in slots.items()}
        labels = {key: f"{field_of(key).label} · {titles[key]}" for key in keys}
        return [FieldLink(key, labels[key], f"{labels[key]} {slots[key].class_type}".lower()) for key in keys]

    def nodes(self) -> Sequence[Section]:
        """Return the rows of all nodes, without the inputs that are fields; those that are promoted come first."""
        workflow = self._workflow
        shown = (slot for slots in workflow.fields.values() for slot in slots)
        groups = node_inputs(workflow.graph, self.definitions, workflow.promoted)
        return tuple(node_sections(groups, shown, used_nodes(workflow.graph, self.definitions)))

    def prompt_weights(self, key: FieldKey) -> bool | None:
        """Return whether the encoder of a prompt reads weights; None for a text that is no prompt."""
        # Imported late: the first paint does not need it.
        from comfytui.workflow.prompt_text.encoders import reads_weights
        from comfytui.workflow.prompt_text.prompt_inputs import is_prompt, prompt_inputs
        from comfytui.workflow.prompt_text.template_keys import slots_of

        slots = slots_of(self._workflow, key)
        if not slots or not is_prompt(key, prompt_inputs(self._workflow.graph)):
            return None
        return reads_weights(self._workflow.graph, slots[0])

    def values_of(self, draft: Mapping[str, str]) -> InputValues:
        """Return the values of a draft."""
        fields = self._workflow.fields
        listed = {key for key in draft if is_node_key(key) or (key in fields and not is_shown(key))}
        return InputValues({key: draft[key] for key in listed})

    def _titles(self) -> Mapping[FieldKey, str]:
        """Return the title of the node of each field, where there are several fields of its kind."""
        fields, graph = self._workflow.fields, self._workflow.graph
        counts = Counter(field_of(key) for key in fields)
        several = {key: slots[0].node_id for key, slots in fields.items() if counts[field_of(key)] > 1}
        nodes = nodes_of({node_id: graph[node_id] for node_id in several.values()})
        return {key: title_of(graph, nodes[node_id], self.definitions) for key, node_id in several.items()}
