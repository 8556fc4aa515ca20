"""What a conversion has to tell the user."""

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from comfytui.workflow.editor.document import NodeId

FindingKind: TypeAlias = Literal[
    "not_a_workflow",
    "malformed_node",
    "unknown_class",
    "missing_subgraph",
    "group_node",
    "circle",
    "too_large",
    "broken_link",
    "browser_value",
    "javascript_links",
    "misplaced_value",
    "missing_choice",
    "missing_file",
    "deprecated",
    "paid",
    "random_prompt",
]

MAX_FINDINGS: Final = 50
"""Findings of one kind that are told one by one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the user should know."""

    kind: FindingKind
    message: str
    """One sentence, safe to print."""
    node_id: NodeId | None = None
    """The node of the graph that it is about, if it is about one."""
    blocks: bool = False
    """Whether the graph cannot be queued, whatever values are set."""
    input_name: str | None = None
    """The input of the node whose value it is about, if it is about one."""
    more_nodes: tuple[NodeId, ...] = ()
    """Further nodes that it is about in the same way."""


class FindingLog:
    """Collects findings: each once, and of each kind only so many."""

    def __init__(self) -> None:
        self._findings = dict[Finding, None]()
        self._counts = Counter[FindingKind]()

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        if finding not in self._findings:
            self._counts[finding.kind] += 1
            if not self.is_full(finding.kind):
                self._findings[finding] = None

    def is_full(self, kind: FindingKind) -> bool:
        """Whether further findings of a kind are only counted."""
        return self._counts[kind] > MAX_FINDINGS

    def all(self) -> tuple[Finding, ...]:
        """Return the findings, those that block first, and how many more there are."""
        more = [
            Finding(kind, f"There are {count - MAX_FINDINGS} more of this kind: {kind.replace('_', ' ')}.")
            for kind, count in self._counts.items()
            if count > MAX_FINDINGS
        ]
        return (*sorted(self._findings, key=lambda finding: not finding.blocks), *more)
