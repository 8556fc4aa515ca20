"""Dynamic prompts: texts of the editor that it sends without comments, and with one of each `{a|b}`.

The choices are made here, or kept in the syntax of `prompt_text`, to be made anew for each image.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from comfytui.workflow.prompt_text.variations import varies

_COMMENT_START: Final = re.compile(r"/[*/]")
_LINE_END: Final = re.compile(r"[\n\r\u2028\u2029]|\Z")
_TOKEN: Final = re.compile(r"\\.|[{}|]", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([{}|])")
_EMPTY: Final = "{1$$}"
"""A choice that becomes nothing, in front of which the space at the start of an option is kept."""


def expand_dynamic_prompt(text: str, rng: Random) -> tuple[str, bool]:
    """Return a prompt without comments, with one of each `{a|b}` chosen, and whether there was anything to choose.

    As in the editor, a `{` that is not closed ends with the text.
    """
    drawn, is_random = _reduced("".join(_without_comments(text)), lambda options, _: rng.choice(options))
    return _ESCAPED.sub(r"\1", drawn), is_random


def template_of_dynamic_prompt(text: str) -> str | None:
    """Return a prompt as a template that becomes what the editor sends; None if there is nothing to choose in it.

    Where the braces are no choice of templates, as in JSON or behind two backslashes, or the template would be too
    long, there is none.
    """
    text = "".join(_without_comments(text))
    if "\\\\" in text:
        return None
    template, is_random = _reduced(text, _as_choice)
    template = _unescape_bars(template)
    return template if is_random and varies(template) else None


def _reduced(text: str, choose: Callable[[Sequence[str], str], str]) -> tuple[str, bool]:
    """Return a text in which each pair of braces is replaced, from the innermost on, and whether one has options.

    Args:
        text: The text, without comments.
        choose: Returns what a pair becomes, given its options, one at least, and the character before it.
    """
    is_random = False
    frames: list[list[list[str]]] = [[[]]]
    position = 0

    def close() -> None:
        nonlocal is_random
        options = ["".join(pieces) for pieces in frames.pop()]
        is_random = is_random or len(options) > 1
        before = next((piece[-1] for piece in reversed(frames[-1][-1]) if piece), "")
        frames[-1][-1].append(choose(options, before))

    for match in _TOKEN.finditer(text):
        frames[-1][-1].append(text[position : match.start()])
        position = match.end()
        token = match[0]
        if token == "{":
            frames.append([[]])
        elif token == "}" and len(frames) > 1:
            close()
        elif token == "|" and len(frames) > 1:
            frames[-1].append([])
        else:
            frames[-1][-1].append(token)
    frames[-1][-1].append(text[position:])
    while len(frames) > 1:
        close()
    return "".join(frames[0][0]), is_random


def _as_choice(options: Sequence[str], before: str) -> str:
    """Return a choice of a template; a space at the start of an option is for reading, unless it is behind a word."""
    if len(options) == 1:
        return options[0]
    keeps_spaces = bool(before) and not before.isspace()

    def kept(option: str) -> bool:
        space = option[: len(option) - len(option.lstrip())]
        return bool(space) and (keeps_spaces or not set(space) <= {" "})

    options = [_EMPTY + option if kept(option) else option for option in options]
    return f"{{{'|'.join(options)}}}"


def _unescape_bars(template: str) -> str:
    """Return a template without the backslashes of bars outside of its choices, where they are part of the text."""
    depth = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal depth
        token = match[0]
        if token in "{}":
            depth = max(0, depth + (1 if token == "{" else -1))
        return "|" if token == r"\|" and not depth else token

    return _TOKEN.sub(replaced, template)


def _without_comments(text: str) -> Iterator[str]:
    """Yield what is left of a text without `/*…*/` and `//…`; a `/*` that is not closed is text."""
    position = start = 0
    last_close = text.rfind("*/")
    while match := _COMMENT_START.search(text, position):
        if match[0] == "//":
            end = match.end()
            line_end = _LINE_END.search(text, end)
            position = line_end.start() if line_end else len(text)
        elif match.end() <= last_close:
            position = text.index("*/", match.end()) + 2
        else:
            position = match.start() + 1
            continue
        yield text[start : match.start()]
        start = position
    yield text[start:]
