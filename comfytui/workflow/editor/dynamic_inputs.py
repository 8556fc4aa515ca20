"""Inputs that a node has only at times: those behind a choice, and those of a group that grows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from comfytui.workflow.editor.input_definitions import InputDefinition, read_inputs
from comfytui.workflow.editor.json_values import as_list, as_mapping, as_text
from comfytui.workflow.nodes import is_integer

_DEFAULT_ROWS: Final = 100
"""Inputs that a group has at most where its definition gives neither a limit nor names."""

_MAX_ROWS: Final = 1_000
"""Inputs of a group that are made, whatever its definition says."""


def branch_inputs(combo: InputDefinition, choice: object) -> tuple[InputDefinition, ...]:
    """Return the inputs behind a choice, named `<combo>.<input>`; none if the choice is unknown."""
    for option in as_list(combo.options.get("options")):
        fields = as_mapping(option)
        if isinstance(choice, str) and fields.get("key") == choice:
            return read_inputs(fields.get("inputs"), f"{combo.name}.")
    return ()


def grown_inputs(group: InputDefinition, is_linked: Callable[[str], bool]) -> Iterator[InputDefinition]:
    """Yield the inputs of a growing group that a node has: the first ones, and one behind each that is linked.

    Args:
        group: The definition of the group.
        is_linked: Whether the file has a link for an input of this name.
    """
    template = as_mapping(group.options.get("template"))
    inputs = read_inputs(template.get("input"))
    names = [name for name in as_list(template.get("names")) if isinstance(name, str)]
    prefix = as_text(template.get("prefix")) or ""
    minimum, maximum = template.get("min"), template.get("max")
    last = len(names) or (maximum if is_integer(maximum) else _DEFAULT_ROWS)
    count = max((minimum if is_integer(minimum) else 0) + 1, 1)
    for index in range(min(last, _MAX_ROWS)):
        if index >= count:
            return
        for each in inputs:
            name = f"{each.name}{index}" if len(inputs) > 1 else names[index] if names else f"{prefix}{index}"
            row = replace(each, name=f"{group.name}.{name}")
            yield row
            if is_linked(row.name):
                count = max(count, index + 2)
