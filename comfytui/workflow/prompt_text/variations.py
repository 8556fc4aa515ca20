"""Expand the variations of a prompt, `{a|b}` and `__animal__`: the same template and seed make the same text.

Which of the options are taken is decided by dynamicprompts, whose syntax this is.
"""

import re
from functools import lru_cache
from typing import Final

from comfytui.sanitize import sanitize
from comfytui.workflow.prompt_text.template import MAX_TEMPLATE, Parts, may_vary, parse_template
from comfytui.workflow.prompt_text.wildcards import NO_WILDCARDS, Wildcards

_BRACE: Final = re.compile(r"[{}]")
MAX_EXPANDED: Final = 200_000
"""Characters of the longest text that a template becomes."""


class VariationError(ValueError):
    """A template cannot be expanded; the message is one sentence."""


def expand(template: str, seed: int | str, wildcards: Wildcards = NO_WILDCARDS) -> str:
    """Return a text of a template.

    Args:
        template: The text with its variations; text without any is returned as it is.
        seed: What the choice depends on.
        wildcards: The user's wildcards.

    Raises:
        VariationError: The template is too long, or its wildcards have no end.
    """
    if not may_vary(template):
        return template
    if len(template) > MAX_TEMPLATE:
        raise VariationError(f"A prompt with variations must have at most {MAX_TEMPLATE:,} characters.")
    parts = _parse(template, wildcards)
    if all(isinstance(part, str) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))
    # dynamicprompts takes a while to import.
    from comfytui.workflow.prompt_text.sampling import Sampler

    try:
        text = Sampler(wildcards).sample(parts, seed)
    except RecursionError:
        raise VariationError("The variations of this prompt are nested too deeply.") from None
    if len(text) > MAX_EXPANDED:
        raise VariationError(f"The variations of this prompt become longer than {MAX_EXPANDED:,} characters.")
    return text


def varies(template: str, wildcards: Wildcards = NO_WILDCARDS) -> bool:
    """Return whether a text has variations, so that it may become different texts."""
    if not may_vary(template) or len(template) > MAX_TEMPLATE:
        return False
    return any(not isinstance(part, str) for part in _parse(template, wildcards))


def literal_template(text: str) -> str:
    """Return the template that becomes a text as it is, whatever braces are in it; a very long text is its own."""
    if len(text) > MAX_TEMPLATE or (not varies(text) and expand(text, 0) == text):
        return text
    return _BRACE.sub(r"\\\g<0>", text)


def endless_wildcard(name: str) -> VariationError:
    """Return the error for wildcards that name each other without end."""
    return VariationError(f"The wildcard __{sanitize(name, 60)}__ names itself, or names others too often.")


@lru_cache(maxsize=32)
def _parse(template: str, wildcards: Wildcards) -> Parts:
    return parse_template(template, wildcards.__contains__)
