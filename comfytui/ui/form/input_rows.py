"""The inputs of a workflow as lines: those that matter, then every input of every node in groups that are closed."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, TypeAlias

from comfytui.sanitize import sanitize
from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, field_of, index_of
from comfytui.workflow.graph import Workflow, read_values
from comfytui.workflow.input_specs import InputSpec
from comfytui.workflow.node_inputs import NodeGroup, NodeInput

LORA_FIELDS: Final = (Field.LORA_ON, Field.LORA, Field.LORA_STRENGTH, Field.LORA_CLIP_STRENGTH)
"""What stands in one line, in this order."""
ALL_INPUTS: Final = "All inputs"
MAX_ID: Final = 40
"""Characters of a node's id that are shown."""
PRIMITIVE_INPUT: Final = "value"
"""The input of a node that is nothing but a value."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value that can be edited."""

    key: FieldKey
    label: str
    """The name on the screen, safe to print."""
    spec: InputSpec
    value: FieldValue
    """The value in the workflow's file."""
    is_used: bool = True
    """Whether an output of the workflow depends on it: the server does not check other values."""
    switch: "Item | None" = None
    """The switch without which the server does not get it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line with one value, or several that belong together."""

    label: str
    items: tuple[Item, ...]
    depth: int = 0
    """By how much it is indented."""
    words: str = ""
    """What the filter searches, in lower case."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The first line of a section, which opens and closes it."""

    name: str
    """Identifies the section."""
    title: str
    count: int
    """The number of inputs in the section."""
    depth: int = 0
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class FieldLink:
    """A line that leads to the control of a field above the list."""

    key: FieldKey
    title: str
    words: str
    """What the filter searches, in lower case."""


Line: TypeAlias = Row | Heading | FieldLink


@dataclass(frozen=True, slots=True)
class Section:
    """Rows below a heading; without a title they are always in view."""

    name: str
    title: str
    rows: tuple[Row, ...]
    is_node: bool = False
    """Whether it is one node, below the heading of all inputs."""


def field_rows(
    workflow: Workflow, keys: Iterable[FieldKey], specs: Mapping[FieldKey, InputSpec], labels: Mapping[FieldKey, str]
) -> Section:
    """Return the rows of a workflow's fields; those of a LoRA stand in one row.

    Args:
        workflow: The workflow.
        keys: The fields, in the order of their kinds.
        specs: What each accepts.
        labels: The titles of the nodes of fields of which there are several.
    """
    values = read_values(workflow)
    items = {key: Item(key, _field_label(key, labels), specs[key], values[key]) for key in keys if key in specs}
    rows: list[Row] = []
    done: set[FieldKey] = set()
    for key, item in items.items():
        if key in done:
            continue
        together = _lora_keys(key) if field_of(key) in LORA_FIELDS else (key,)
        switch = items.get(together[0])
        members = tuple(
            replace(items[each], switch=switch) if field_of(each) is Field.LORA else items[each]
            for each in together
            if each in items
        )
        done.update(together)
        label = Field.LORA.label if len(members) > 1 else item.label
        rows.append(Row(label, members, words=" ".join(each.label for each in members).lower()))
    return Section("", "", tuple(rows))


def _lora_keys(key: FieldKey) -> tuple[FieldKey, ...]:
    """Return the keys of all fields of a LoRA by one of them."""
    _, dash, number = key.partition("-")
    return tuple(f"{field}{dash}{number}" for field in LORA_FIELDS)


def _field_label(key: FieldKey, labels: Mapping[FieldKey, str]) -> str:
    name = field_of(key).label
    return f"{name} {index_of(key) + 1} · {labels[key]}" if key in labels else name


def node_sections(groups: Sequence[NodeGroup], shown: Iterable[object], used: Container[str]) -> Iterator[Section]:
    """Yield the sections of all nodes; the one of promoted inputs, if there is one, is no node.

    Args:
        groups: The inputs by node, see `node_inputs.node_inputs`.
        shown: The slots that have a row already.
        used: The nodes that an output of the workflow depends on.
    """
    left_out = set(shown)
    for group in groups:
        is_node = bool(group.node_id)
        title = f"{group.title} #{sanitize(group.node_id, MAX_ID)}" if is_node else group.title
        listed = [each for each in group.inputs if each.slot not in left_out]
        labels = Counter(each.label for each in listed)
        rows = [
            _node_row(
                each,
                _apart(each, is_only=labels[each.label] == 1) if each.node_title else each.label,
                f"{title} {group.class_type}",
                is_node,
                each.slot.node_id in used,
            )
            for each in listed
        ]
        if rows:
            yield Section(group.node_id or "promoted", title, tuple(rows), is_node)


def _apart(each: NodeInput, *, is_only: bool) -> str:
    """Return the label of an input that stands apart from its node: a primitive is known by its title alone."""
    if each.slot.input_name == PRIMITIVE_INPUT:
        return each.node_title
    return each.label if is_only else f"{each.label} · {each.node_title}"


def _node_row(each: NodeInput, label: str, title: str, is_node: bool, is_used: bool) -> Row:
    item = Item(each.key, label, each.spec, each.value, is_used)
    words = f"{title} {each.node_title} {each.label} {each.slot.input_name}"
    return Row(label, (item,), 2 if is_node else 1, words.lower())


def lines_of(sections: Sequence[Section], is_open: Mapping[str, bool], query: str = "") -> list[Line]:
    """Return the lines to show.

    Args:
        sections: All sections, those of nodes last.
        is_open: Whether each section is open, by its name; `ALL_INPUTS` is the one around the nodes. Without an entry,
            all but nodes are open.
        query: Words that a row has to contain; sections with such a row are open then, and others are left out.
    """
    words = query.lower().split()
    lines: list[Line] = []
    for is_node, members in groupby(sections, key=lambda section: section.is_node):
        listed = list(members)
        if is_node and not words:
            count = sum(len(section.rows) for section in listed)
            opened = is_open.get(ALL_INPUTS, False)
            lines.append(Heading(ALL_INPUTS, ALL_INPUTS, count, 0, opened))
            if not opened:
                continue
        for section in listed:
            lines += _section_lines(section, is_open, words)
    return lines


def _section_lines(section: Section, is_open: Mapping[str, bool], words: Sequence[str]) -> Iterator[Line]:
    rows = [row for row in section.rows if all(word in row.words for word in words)] if words else section.rows
    opened = bool(words) or is_open.get(section.name, not section.is_node)
    if section.title and rows:
        yield Heading(section.name, section.title, len(section.rows), 1 if section.is_node else 0, opened)
    if opened:
        yield from rows
