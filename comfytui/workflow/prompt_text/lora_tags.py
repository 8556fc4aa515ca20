"""LoRA tags in a prompt, `<lora:name:0.8>`: a strength for the model, and perhaps another one for the CLIP."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from comfytui.sanitize import sanitize

MAX_STRENGTH: Final = 100.0
"""The largest strength that LoraLoader accepts, positive or negative."""
MAX_TAGS: Final = 50
"""LoRAs of one prompt."""
MAX_COMPARED: Final = 5_000
"""Names that an unknown one is compared with."""
_TAG: Final = re.compile(r"(?<!\\)<lora:([^<>:\n]{1,400})((?::[^<>:\n]{0,40}){0,2})>", re.IGNORECASE)
_TAG_START: Final = re.compile(r"<lora:", re.IGNORECASE)
_ESCAPED_TAG: Final = re.compile(r"\\(<lora:)", re.IGNORECASE)


class LoraTagError(ValueError):
    """A tag cannot be used; the message is one sentence."""


class LoraTag(NamedTuple):
    """A LoRA, by the name that it has in the prompt or on the server."""

    name: str
    model_strength: float = 1.0
    clip_strength: float = 1.0


def has_lora_tags(text: str) -> bool:
    """Return whether a text has a tag."""
    return "<lora:" in text.lower() and _TAG.search(text) is not None


def escape_lora_tags(text: str) -> str:
    """Return a text with a backslash before each tag, which is text then."""
    return _TAG_START.sub(r"\\\g<0>", text) if has_lora_tags(text) or _ESCAPED_TAG.search(text) else text


def unescape_lora_tags(text: str) -> str:
    """Return a text without the backslashes of tags that are text."""
    return _ESCAPED_TAG.sub(r"\1", text)


def take_lora_tags(text: str) -> tuple[str, tuple[LoraTag, ...]]:
    """Return a text without its tags, and the tags in their order.

    Raises:
        LoraTagError: A strength is no number, or there are too many tags.
    """
    tags: list[LoraTag] = []
    kept, position = "", 0
    for matched in _TAG.finditer(text):
        if len(tags) == MAX_TAGS:
            raise LoraTagError(f"A prompt can have at most {MAX_TAGS} LoRA tags.")
        tags.append(_tag(matched))
        kept = _join(kept, text[position : matched.start()])
        position = matched.end()
    return _join(kept, text[position:], after_tag=True) if tags else text, tuple(tags)


def _join(before: str, part: str, *, after_tag: bool = False) -> str:
    """Return two parts with the separators between them that a tag leaves: one comma, or one space."""
    if not before:
        return part.lstrip(" \t,") if after_tag or part.startswith((" ", ",")) else part
    rest = before.rstrip(" \t")
    following = part.lstrip(" \t")
    if rest.endswith(",") and (following.startswith(",") or not following):
        rest = rest[:-1].rstrip(" \t")
    separator = "" if not following or following[0] in ",\n" or rest.endswith("\n") or not rest else " "
    return f"{rest}{separator}{following}"


def _tag(matched: re.Match[str]) -> LoraTag:
    strengths = [_strength(part, matched[0]) for part in matched[2].split(":")[1:]]
    model = strengths[0] if strengths else 1.0
    return LoraTag(matched[1].strip(), model, strengths[1] if len(strengths) > 1 else model)


def _strength(text: str, tag: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or abs(value) > MAX_STRENGTH:
        limit = f"{MAX_STRENGTH:.0f}"
        raise LoraTagError(f"{sanitize(tag, 80)} needs a number from -{limit} to {limit} as its strength.")
    return value


def match_lora(name: str, names: Sequence[str]) -> str:
    """Return the server's name of a LoRA, which a prompt may give without its folder and extension.

    Args:
        name: The name in the prompt.
        names: The server's names.

    Raises:
        LoraTagError: The server has no such LoRA, or several.
    """
    if name in names:
        return name
    found = _by_short_name(tuple(names)).get(_key(name), ())
    if len(found) == 1:
        return found[0]
    shown = sanitize(name, 80)
    if found:
        several = ", ".join(sanitize(each, 80) for each in found[:3])
        raise LoraTagError(f"LoRA '{shown}' may be one of {several}: name its folder.")
    shortened = {_key(each).rpartition("/")[2]: each for each in names[:MAX_COMPARED]}
    close = get_close_matches(_key(name).rpartition("/")[2], shortened, 3, 0.5)
    nearest = ", ".join(sanitize(_without_extension(shortened[each]), 80) for each in close)
    hint = f"the nearest are {nearest}" if close else "it has none with a similar name" if names else "it has none"
    raise LoraTagError(f"LoRA '{shown}' is not on the server: {hint}.")


@lru_cache(maxsize=2)
def _by_short_name(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the names by each form that a prompt may give them: with and without folder and extension."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        path = name.replace("\\", "/").casefold()
        for form in {path, _key(name), _key(name).rpartition("/")[2], path.rpartition("/")[2]}:
            found[form] = (*found.get(form, ()), name)
    return found


def _key(name: str) -> str:
    return _without_extension(name.replace("\\", "/")).casefold()


def _without_extension(name: str) -> str:
    return name.removesuffix(suffix) if (suffix := PurePosixPath(name).suffix) in _EXTENSIONS else name


_EXTENSIONS: Final = frozenset({".safetensors", ".pt", ".ckpt", ".pth", ".bin", ".sft"})
