"""All graphs in one: the nodes that are sent, with their values and links."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.document import NodeId
from comfytui.workflow.editor.dynamic_prompts import expand_dynamic_prompt, template_of_dynamic_prompt
from comfytui.workflow.editor.editor_widgets import CUSTOM_COMBO, choice_index
from comfytui.workflow.editor.findings import Finding, FindingLog
from comfytui.workflow.editor.input_definitions import MISSING
from comfytui.workflow.editor.links import LinkedTo, LinkResolver, Place, SetBy
from comfytui.workflow.editor.nodes import RUNNING_KINDS, EditorGraph, Kind, Node, Widget
from comfytui.workflow.editor.text_replacements import PREFIX_INPUT, TextReplacer, saves_files
from comfytui.workflow.nodes import Slot

MAX_NODES: Final = 200_000
"""Nodes of all expanded graphs together."""

MAX_SLOTS: Final = 4_000_000
"""Inputs and widgets of all expanded nodes together."""

MAX_NESTING: Final = 100
"""Subgraphs inside of each other."""


def is_too_large(graphs: Mapping[str, EditorGraph], root: EditorGraph) -> bool:
    """Whether expanding would take too long: subgraphs that hold each other twice grow exponentially.

    Args:
        graphs: The subgraphs by id, each after those that it holds instances of.
        root: The root graph.
    """
    sizes = dict[str, tuple[int, int, int]]()
    for graph in (*graphs.values(), root):
        instances = [sizes[node.saved.type] for node in graph.nodes.values() if node.kind is Kind.INSTANCE]
        own = sum(len(node.inputs) + len(node.widgets) for node in graph.nodes.values())
        nodes = len(graph.nodes) + sum(each[0] for each in instances)
        depth = 1 + max((each[2] for each in instances), default=0)
        sizes[graph.id] = (min(nodes, MAX_NODES + 1), own + sum(each[1] for each in instances), depth)
    nodes, slots, depth = sizes[root.id]
    return nodes > MAX_NODES or slots > MAX_SLOTS or depth > MAX_NESTING


def expand(root: EditorGraph, graphs: Mapping[str, EditorGraph]) -> list[Place]:
    """Return the places of all graphs that are sent, the root first.

    Muted and bypassed instances in the root are left out; those inside of subgraphs are not.
    """
    places = [Place(root)]
    for place in places:
        for node in place.graph.nodes.values():
            if node.kind is Kind.INSTANCE and (place.host or not (node.is_muted or node.is_bypassed)):
                inner = Place(graphs[node.saved.type], f"{place.prefix}{node.id}:", place, node)
                place.children[node.id] = inner
                places.append(inner)
    return places


def sent_nodes(place: Place) -> Iterator[tuple[NodeId, Node]]:
    """Yield the nodes of a place that are sent, with their ids in the graph."""
    for node in place.graph.nodes.values():
        if node.kind in RUNNING_KINDS and not (node.is_muted or node.is_bypassed):
            yield f"{place.prefix}{node.id}", node


class Sender:
    """Makes the nodes of the graph that is sent.

    Args:
        replacer: Replaces what stands between `%`.
        rng: Chooses in dynamic prompts.
        log: Takes the findings.
        keep_choices: Whether the choices of dynamic prompts are kept as templates.
    """

    def __init__(self, replacer: TextReplacer, rng: Random, log: FindingLog, *, keep_choices: bool = False) -> None:
        self.templates: list[Slot] = []
        """The texts whose choices are kept."""
        self.file_names: list[Slot] = []
        """The file names in which dates are filled in."""
        self._replacer = replacer
        self._rng = rng
        self._keep_choices = keep_choices
        self._log = log
        self._resolver = LinkResolver(log)
        self._promoted = dict[tuple[NodeId, int], list[Slot]]()

    def send(self, place: Place, node_id: NodeId, node: Node) -> dict[str, Any]:
        """Return a node in the API format: its widgets, and over them what its inputs are linked to."""
        inputs = dict[str, Any]()
        if node.saved.type == CUSTOM_COMBO and "index" in node.widgets:
            node.widgets["index"].value = choice_index(node)
        linked = {slot.name: origin for slot in node.inputs if (origin := self._resolver.origin(place, node, slot))}
        for widget in node.widgets.values():
            if widget.is_sent and widget.value is not MISSING:
                value = widget.value if widget.name in linked else self._own_text(node_id, node, widget)
                inputs[widget.name] = _wrapped(value)
        for name, origin in linked.items():
            match origin:
                case LinkedTo(source, slot):
                    inputs[name] = [source, slot]
                case SetBy(outer, host, index, host_value) if host_value.sent is not MISSING:
                    inputs[name] = _wrapped(host_value.sent)
                    if outer.host is None:
                        slot_of_node = Slot(node_id, name, node.saved.type)
                        self._promoted.setdefault((host.id, index), []).append(slot_of_node)
        return {"class_type": node.saved.type, "inputs": inputs, "_meta": {"title": node.title}}

    def promoted(self, root: EditorGraph) -> tuple[Slot, ...]:
        """Return the slots that the inputs of instances in the root set, in the order of these inputs."""
        return tuple(
            slot
            for node in root.nodes.values()
            if node.kind is Kind.INSTANCE
            for index in range(len(node.inputs))
            for slot in self._promoted.get((node.id, index), ())
        )

    def _own_text(self, node_id: NodeId, node: Node, widget: Widget) -> object:
        """Return the value of a widget; text as the editor changes it on sending."""
        value, definition = widget.value, widget.definition
        if not isinstance(value, str) or definition is None:
            return value
        if widget.name == PREFIX_INPUT and saves_files(node.saved.type):
            value = self._replacer.replace(value)
            self.file_names.append(Slot(node_id, widget.name, node.saved.type))
        if definition.widget_type == "STRING" and definition.options.get("dynamicPrompts") is True:
            return self._dynamic_prompt(node_id, node, widget, value)
        return value

    def _dynamic_prompt(self, node_id: NodeId, node: Node, widget: Widget, text: str) -> str:
        template = template_of_dynamic_prompt(text) if self._keep_choices else None
        if template is None:
            text, is_random = expand_dynamic_prompt(text, self._rng)
            drawn = "were drawn at random"
        else:
            self.templates.append(Slot(node_id, widget.name, node.saved.type))
            text, is_random, drawn = template, True, "are drawn at random for each image"
        if is_random:
            where = f"{sanitize(widget.name, 60)} in node {sanitize(node_id, 60)}"
            message = f"Parts of {where} {drawn} from what stands in {{a|b}}."
            self._log.add(Finding("random_prompt", message, node_id, input_name=widget.name))
        return text


def drop_loose_links(graph: dict[str, Any]) -> None:
    """Remove the inputs that link to a node which is not in the graph."""
    for node in graph.values():
        inputs: dict[str, Any] = node["inputs"]
        loose = [name for name, value in inputs.items() if isinstance(value, list) and value[0] not in graph]
        for name in loose:
            del inputs[name]


def _wrapped(value: object) -> object:
    """Return a value so that the server does not take a list for a link."""
    return {"__value__": value} if isinstance(value, list) else value
