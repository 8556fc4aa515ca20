"""Which inputs of a workflow are listed: its fields, its nodes once they are needed, and which of them are open."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from comfytui.ui.form.input_rows import ALL_INPUTS, Heading, Item, Line, Section, lines_of
from comfytui.ui.form.workflow_inputs import WorkflowInputs
from comfytui.workflow.field_keys import FieldKey, is_node_key
from comfytui.workflow.input_specs import InputSpec


class InputSections:
    """The sections of a workflow's inputs, without widgets.

    Args:
        source: The inputs.
    """

    def __init__(self, source: WorkflowInputs) -> None:
        self._source = source
        self._nodes: Sequence[Section] | None = source.nodes() if source.has_promoted else None
        """The sections of the nodes; None until they are needed."""
        self._is_open: dict[str, bool] = {}
        self._has_asked = False
        """Whether the definitions were asked for since the server was connected."""

    @property
    def definitions(self) -> Mapping[str, Any]:
        """The server's definitions of node classes; empty until they are known."""
        return self._source.definitions

    def update(self, specs: Mapping[FieldKey, InputSpec] | None, definitions: Mapping[str, Any] | None) -> None:
        """Take what the server says of inputs.

        Args:
            specs: What fields accept; None if that is as before.
            definitions: The definitions of node classes; None if they are as before.
        """
        if specs is not None:
            self._source.specs = specs
            self._has_asked = False
        if definitions is not None:
            self._source.definitions = definitions
        if self._nodes is not None:
            self._nodes = self._source.nodes()

    def lines(self, query: str, changed: Iterable[FieldKey]) -> list[Line]:
        """Return the lines to show.

        Args:
            query: Opens the sections in which it finds something.
            changed: The keys of values that differ; the nodes among them are read at once, with their definitions.
        """
        if self._is_open.get(ALL_INPUTS) or query or any(map(is_node_key, changed)):
            self._read_nodes()
        words = query.lower().split()
        links = [each for each in self._source.links() if all(word in each.words for word in words)] if words else []
        lines = [*links, *lines_of([self._source.fields(), *(self._nodes or ())], self._is_open, query)]
        if self._nodes is None:
            lines.append(Heading(ALL_INPUTS, ALL_INPUTS, 0))
        return lines

    def items(self, wanted: Iterable[FieldKey]) -> Iterator[Item]:
        """Yield all inputs; those of the nodes only if they were read, or one that is wanted is no field.

        Args:
            wanted: The keys of inputs that have to be among them.
        """
        fields = [item for row in self._source.fields().rows for item in row.items]
        if not {item.key for item in fields}.issuperset(wanted):
            self._read_nodes()
        yield from fields
        for section in self._nodes or ():
            for row in section.rows:
                yield from row.items

    def needs_definitions(self) -> bool:
        """Return whether the server's definitions are to be read now; True once for each connection."""
        needed = self._nodes is not None and not self._source.definitions and not self._has_asked
        self._has_asked |= needed
        return needed

    def open(self, name: str, is_open: bool) -> None:
        """Open or close a section."""
        self._is_open[name] = is_open

    def open_as(self, other: "InputSections") -> None:
        """Open and close the sections as others of the same workflow."""
        self._is_open = dict(other._is_open)

    def open_item(self, item: Item) -> None:
        """Open the section of an input."""
        for section in self._nodes or ():
            if any(item in row.items for row in section.rows):
                self._is_open |= {section.name: True} | ({ALL_INPUTS: True} if section.is_node else {})

    def _read_nodes(self) -> None:
        if self._nodes is None:
            self._nodes = self._source.nodes()
