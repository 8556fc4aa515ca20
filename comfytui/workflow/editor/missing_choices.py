"""Choices that the server does not offer, each told once of all nodes that have it."""

from dataclasses import dataclass, field

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.choices import KnownModels, is_file_input, nearest_choices
from comfytui.workflow.editor.document import NodeId
from comfytui.workflow.editor.findings import Finding, FindingKind, FindingLog
from comfytui.workflow.editor.input_definitions import InputDefinition


@dataclass(slots=True)
class _Missing:
    """A choice that is missing, where it was found first."""

    value: object
    definition: InputDefinition
    node_id: NodeId
    label: str
    more: list[NodeId] = field(default_factory=list)


class MissingChoices:
    """Collects the choices that the server does not offer."""

    def __init__(self) -> None:
        self._missing = dict[tuple[str, str, str], _Missing]()

    def add(self, value: object, definition: InputDefinition, *, class_type: str, node_id: NodeId, label: str) -> None:
        """Add a choice of a node, which is called by its label."""
        known = self._missing.setdefault(
            (class_type, definition.name, str(value)), _Missing(value, definition, node_id, label)
        )
        if known.node_id != node_id:
            known.more.append(node_id)

    def tell(self, models: KnownModels, log: FindingLog) -> None:
        """Add a finding for each choice, with what the user can do about it as long as not too many are told."""
        for missing in self._missing.values():
            kind: FindingKind = "missing_file" if is_file_input(missing.definition) else "missing_choice"
            hints = _hints(missing, models) if isinstance(missing.value, str) and not log.is_full(kind) else []
            hint = "".join(f"; {each}" for each in hints)
            where = missing.label + (f" and {len(missing.more)} more" if missing.more else "")
            name = missing.definition.name
            what = f"“{sanitize(str(missing.value), 120)}” for {sanitize(name, 60)} of {where}"
            message = f"The server does not have {what}{hint}."
            log.add(Finding(kind, message, missing.node_id, input_name=name, more_nodes=tuple(missing.more)))


def _hints(missing: _Missing, models: KnownModels) -> list[str]:
    hints = [*models.source_of(str(missing.value))]
    if near := nearest_choices(str(missing.value), missing.definition):
        hints.append(f"the nearest there: {', '.join(sanitize(name, 100) for name in near)}")
    return hints
