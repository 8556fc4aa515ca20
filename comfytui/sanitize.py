"""Make text of servers and users safe to print: no escape sequences, controls or hidden characters."""

import re
import unicodedata
from collections.abc import Callable

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC: titles, clipboard, images
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_SAFE = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u2bff"
    "\u3001-\u3029\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*"
)
"""Letters, symbols and box drawing that need no cleaning, so that one match is enough for most texts."""
_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
JOINERS = "\u200c\u200d"
"""The zero-width non-joiner and joiner, which the spelling of Persian and Indic scripts needs."""
_HIDDEN = re.compile(
    # Controls and surrogates.
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    # Default_Ignorable_Code_Point without the joiners: invisible, whatever their category.
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    # The rest of category Cf: their width differs between terminals.
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f]"
)
_JOINED_SCRIPTS = (
    "[\u0620-\u0dff\u0f00-\u109f\u1700-\u1aff\u1b00-\u1cff\ua800-\uaaff\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
"""Arabic and related scripts, Indic and South-East Asian ones: outside them, joiners can only hide something."""
_REPEATED_JOINERS = re.compile(f"([{JOINERS}])[{JOINERS}]+")
_MISPLACED_JOINER = re.compile(f"(?<!{_JOINED_SCRIPTS})[{JOINERS}]|[{JOINERS}](?!{_JOINED_SCRIPTS})")
EMOJI = "[#*0-9\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001fbff]"
"""A character that may be an emoji by itself."""
EMOJI_VARIANTS = "\ufe0e\ufe0f\U0001f3fb-\U0001f3ff"
"""Variation selectors and skin tones; how many cells they make an emoji take differs between terminals."""
_VARIANT = re.compile(f"[{EMOJI_VARIANTS}]")
MAX_MARKS = 4
"""Combining marks kept on one letter; Hebrew with vowels and accents, Burmese and Vietnamese need no more."""
_CONJOINING = "\u1160-\u11ff\ud7b0-\ud7ff"
"""Hangul vowels and final consonants: letters that take no cell of their own."""
_POSSIBLE_MARKS = re.compile(f"(?:[^\\w\x00-\u02ff\u2100-\u2bff]|[{_CONJOINING}]){{{MAX_MARKS + 1},}}")
_CONJOINING_CHAR = re.compile(f"[{_CONJOINING}]")


def sanitize(text: str, limit: int = 500) -> str:
    """Return the text as one line that is safe to print, and has the same width on every terminal.

    Args:
        text: Any text.
        limit: The most characters to return; a longer text is cut, and ends with an ellipsis.
    """
    is_cut, text = len(text) > limit * 4, text[: limit * 4]
    if not is_known_safe(text):
        text = strip_hidden(_LINE_BREAKS.sub(" ", strip_escapes(text)))
    text = text.strip()
    if len(text) <= limit and not is_cut:
        return text
    return text[: limit - 1].rstrip(JOINERS) + "…"


def is_known_safe(text: str) -> bool:
    """Whether the text surely needs no cleaning: a fast check that lets most texts skip the full one."""
    return _SAFE.fullmatch(text) is not None


def strip_escapes(text: str) -> str:
    """Return the text without terminal escape sequences and their content."""
    return _ESCAPES.sub("", text)


def strip_hidden(text: str, replace: Callable[[str], str] = lambda _: "") -> str:
    """Return the text without controls, format characters and invisible characters, and with few marks on each letter.

    Args:
        text: Any text; of an escape sequence, only the escape character is removed.
        replace: Returns the replacement of a removed character.
    """
    text = _HIDDEN.sub(lambda match: replace(match[0]), _VARIANT.sub(lambda match: replace(match[0]), text))
    if text.isascii():
        return text
    return _POSSIBLE_MARKS.sub(_few_marks, _MISPLACED_JOINER.sub("", _REPEATED_JOINERS.sub(r"\1", text)))


def _few_marks(run: re.Match[str]) -> str:
    """Return a run of characters with at most `MAX_MARKS` marks in a row."""
    kept, marks = [], 0
    for char in run[0]:
        marks = marks + 1 if _is_mark(char) else 0
        if marks <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _is_mark(char: str) -> bool:
    """Whether a character takes no cell of its own, or may be a mark that is too new for this Python's tables."""
    return unicodedata.category(char) in {"Mn", "Mc", "Me", "Cf", "Cn"} or bool(_CONJOINING_CHAR.match(char))


def sanitize_lines(text: str, limit: int = 20_000) -> str:
    """Return the text as lines that are safe to print, with their indentation and at most `limit` characters."""
    lines = text[:limit].expandtabs(4).splitlines()
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + sanitize(line, limit) for line in lines)
