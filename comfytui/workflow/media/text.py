"""What a text of the metadata is, and which are wanted."""

from typing import Final, TypeAlias

Text: TypeAlias = tuple[str, str]
"""The name of a text, in any case, and its content."""

PROMPT: Final = "prompt"
"""The name of the text with the graph that was sent."""
WORKFLOW: Final = "workflow"
"""The name of the text with the editor's format."""
COMMENT: Final = "comment"
"""The name of the text in which VideoHelperSuite writes both, as one JSON object."""
_WANTED: Final = frozenset({PROMPT, WORKFLOW, COMMENT})


def is_wanted(name: str) -> bool:
    """Return whether a text of this name may hold a workflow."""
    return name.lower() in _WANTED
